"""Rolling back is exact or refused as a whole, whatever was changed, added or replaced since the plan was applied."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.flows import jobs, migrations, plans
from holdfastd.jobs.model import Job
from holdfastd.plan.model import Override, ScriptKind
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

SHOP = (
    CUSTOMERS
    + """
    CREATE TABLE shops (id integer PRIMARY KEY);
    INSERT INTO shops VALUES (0), (1);
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, email text, room int4range, shop_id integer);
    INSERT INTO orders SELECT n, n, 'Mail ' || n, int4range(n, n + 1), n % 3 FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
OTHER = "public.orders(shop_id)->public.shops(id)"
WITHOUT_OTHER = Override(relationship_id=OTHER, include=False)
DELETE, NULLIFY = delete(RELATIONSHIP), nullify(RELATIONSHIP)
MEDDLE = """
    CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
    CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION meddle();
"""


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database)
    await connection.execute(SHOP)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(postgres: Server, database: str, connection: asyncpg.Connection) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        await running.register(database)
        yield running


async def applied(replica: Harness, *overrides: Override) -> Job:
    await replica.audit()
    return await replica.apply(await replica.plan("shop", *overrides))


async def refused(replica: Harness, postgres: Server, database: str, application: Job) -> str:
    """Try to roll back, make sure that it is refused and that nothing was touched, and return the details."""
    before = await state_of(postgres, database)
    with pytest.raises(Refused) as refusal:
        await migrations.roll_back(replica.services, CALLER, application.id)
    assert refusal.value.reason is Reason.ROLLBACK_NOT_EXACT
    assert await state_of(postgres, database) == before
    return refusal.value.facts["details"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("CREATE UNIQUE INDEX later ON orders (lower(email)); INSERT INTO orders VALUES (1, 1, 'mail 55')", "later: (id)=(55)"),
        ("CREATE UNIQUE INDEX later ON orders (email) WHERE id > 0; INSERT INTO orders VALUES (1, 1, 'Mail 55')", "later: (id)=(55)"),
        ("CREATE UNIQUE INDEX later ON orders (email); INSERT INTO orders VALUES (1, 1, 'Mail 55')", "later: (id)=(55)"),
        ("CREATE UNIQUE INDEX later ON orders ((shop_id > 9)) WHERE id > 55", "later forbids two rows"),
        (
            "ALTER TABLE orders ADD CONSTRAINT later EXCLUDE USING gist (room WITH &&);"
            " INSERT INTO orders VALUES (1, 1, '', '[54,56)')",
            "later: (id)=(54)",
        ),
        ("ALTER TABLE orders ADD CONSTRAINT later CHECK (customer_id < 60)", "later forbids: (id)=(60)"),
        (
            "CREATE TABLE towns AS SELECT id FROM shops; INSERT INTO towns VALUES (2); ALTER TABLE towns ADD PRIMARY KEY (id);"
            " ALTER TABLE orders ADD CONSTRAINT later FOREIGN KEY (shop_id) REFERENCES towns ON DELETE CASCADE; DELETE FROM towns WHERE id = 1",
            "by later is gone: (id)=(52)",
        ),
        ("ALTER TABLE customers RENAME TO clients", "public.customers was dropped or renamed"),
        ("ALTER TABLE customers RENAME id TO number", "public.customers(id): its columns changed"),
        ("UPDATE holdfast.backup SET row_image = 'nonsense' WHERE row_image LIKE '(55,%'", "the backup holds what is no row"),
        (
            "ALTER TABLE orders DROP CONSTRAINT fk_orders_customer; ALTER TABLE orders ADD CONSTRAINT fk_orders_customer"
            " FOREIGN KEY (customer_id) REFERENCES customers ON DELETE SET NULL",
            "by fk_orders_customer is gone",
        ),
    ],
)  # fmt: skip
async def test_what_stands_in_the_way_now(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, change: str, named: str
) -> None:
    """Rows must fit the rules that are in force today; asked before anything is touched, not found out half way."""
    application = await applied(replica, DELETE, WITHOUT_OTHER)
    await connection.execute(change)

    assert named in await refused(replica, postgres, database, application)


async def test_column_that_accepts_no_null_any_more(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection
) -> None:
    """A deleted row with a NULL cannot come back into a column that became NOT NULL."""
    await connection.execute("UPDATE orders SET email = NULL WHERE id = 55")
    application = await applied(replica, DELETE, WITHOUT_OTHER)
    await connection.execute("ALTER TABLE orders ALTER email SET NOT NULL")

    assert "email accepts no NULL any more: (id)=(55)" in await refused(replica, postgres, database, application)


async def test_unique_value_that_was_taken_while_it_was_null(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection
) -> None:
    """A value set NULL cannot come back when another row took it, in a unique column."""
    await connection.execute("ALTER TABLE orders ADD CONSTRAINT once UNIQUE (customer_id)")
    application = await applied(replica, NULLIFY, WITHOUT_OTHER)
    await connection.execute("INSERT INTO customers VALUES (55, 'late'); INSERT INTO orders VALUES (1, 55)")

    assert "taken again by once: (id)=(55)" in await refused(replica, postgres, database, application)


@pytest.mark.parametrize(
    ("change", "theirs"),
    [
        ("DROP INDEX orders_customer_idx; CREATE INDEX orders_customer_idx ON orders (email)", "orders_customer_idx ON public.orders"),
        ("DROP INDEX orders_customer_idx; CREATE TABLE orders_customer_idx ()", "TABLE public.orders_customer_idx"),
        (
            "ALTER TABLE orders DROP CONSTRAINT fk_orders_shop; ALTER TABLE orders ADD CONSTRAINT fk_orders_shop CHECK (shop_id < 9)",
            "fk_orders_shop CHECK",
        ),
    ],
)
async def test_what_took_the_place_of_ours_stays(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, change: str, theirs: str
) -> None:
    """Undoing looks at what has the name: a key or index that somebody else made is not ours to drop."""
    application = await applied(replica, DELETE, delete(OTHER))
    await connection.execute(change)
    await replica.roll_back(application)

    assert theirs in (await state_of(postgres, database)).schema


@pytest.mark.parametrize(
    "theirs",
    [
        "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer FOREIGN KEY (shop_id) REFERENCES towns",
        "CREATE INDEX orders_customer_idx ON orders (email)",
        "CREATE TABLE orders_customer_idx ()",
    ],
)
async def test_names_taken_before_we_came_stay_taken(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, theirs: str
) -> None:
    """A step that failed because the name was taken undoes nothing of whoever took it."""
    await connection.execute("CREATE TABLE towns (id integer PRIMARY KEY); INSERT INTO towns VALUES (0), (1), (2)")
    await replica.audit()
    plan = await replica.plan("shop", DELETE, WITHOUT_OTHER)
    await connection.execute(theirs)
    before = await state_of(postgres, database)
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    await replica.roll_back(ended)

    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert await state_of(postgres, database) == before


@pytest.mark.parametrize("body", ["NEW.email := 'changed'; RETURN NEW;", "IF NEW.id = 55 THEN RETURN NULL; END IF; RETURN NEW;"])
@pytest.mark.parametrize("override", [DELETE, NULLIFY], ids=["delete", "set-null"])
async def test_triggers_do_not_meddle_with_restored_rows(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, body: str, override: Override
) -> None:
    """A trigger neither changes a row that comes back nor keeps it from coming back, and fires as before afterwards."""
    application = await applied(replica, override, WITHOUT_OTHER)
    await connection.execute(MEDDLE.format(body=body) + "ALTER TABLE orders ENABLE ALWAYS TRIGGER meddle")
    await replica.roll_back(application)

    rows = await connection.fetch("SELECT id, customer_id, email FROM orders ORDER BY id")
    assert [tuple(row) for row in rows] == [(n, n, f"Mail {n}") for n in range(41, 61)]
    assert await connection.fetchval("SELECT tgenabled FROM pg_trigger WHERE tgname = 'meddle'") == b"A"


@pytest.mark.parametrize("by_script", [False, True], ids=["service", "script"])
async def test_what_triggers_changed_along_comes_back(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, *, by_script: bool
) -> None:
    """A trigger that keeps updated_at has it changed with the row; it comes back, unless the application changed it since."""
    await connection.execute("ALTER TABLE orders ADD updated_at timestamptz DEFAULT '2020-01-01'")
    await connection.execute(MEDDLE.format(body="NEW.updated_at := clock_timestamp(); RETURN NEW;"))
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", NULLIFY, WITHOUT_OTHER)
    if by_script:
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
        await run_script(postgres, database, replica, plan, ScriptKind.ROLLBACK)
    else:
        await replica.roll_back(await replica.apply(plan))
    assert await state_of(postgres, database) == before

    await plans.approve(replica.services, CALLER, plan.id, "")
    application = await replica.apply(plan)
    await connection.execute("UPDATE orders SET email = 'new' WHERE id = 55")
    changed = await connection.fetchval("SELECT updated_at FROM orders WHERE id = 55")
    await replica.roll_back(application)
    assert tuple(await connection.fetchrow("SELECT updated_at, customer_id, email FROM orders WHERE id = 55")) == (changed, 55, "new")


async def test_earlier_plan_after_a_later_one(replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection) -> None:
    """Rows that a later plan's key would reject keep the earlier plan from being rolled back, until the later one is."""
    before = await state_of(postgres, database)
    first = await applied(replica, DELETE, WITHOUT_OTHER)
    second = await applied(replica, delete(OTHER))
    assert "by fk_orders_shop is gone" in await refused(replica, postgres, database, first)

    await replica.roll_back(second)
    await replica.roll_back(first)
    assert await state_of(postgres, database) == before


async def test_only_the_last_application_of_a_plan_is_rolled_back(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection
) -> None:
    """The backup is the plan's: rolling back an application that was rolled back before must not undo the next one."""
    first = await applied(replica, DELETE)
    await replica.roll_back(first)
    await replica.roll_back(first)
    await plans.approve(replica.services, CALLER, first.plan_id, "")
    second = await applied_again(replica, first)
    with pytest.raises(Refused, match=f"Job {second.id} applied plan") as refusal:
        await migrations.roll_back(replica.services, CALLER, first.id)

    assert refusal.value.reason is Reason.JOB_STATE
    await replica.roll_back(second)


async def applied_again(replica: Harness, first: Job) -> Job:
    return await replica.succeed(await migrations.apply(replica.services, CALLER, first.plan_id))


async def test_application_that_never_began(replica: Harness, connection: asyncpg.Connection) -> None:
    """Nothing was touched, so nothing is undone; the message does not speak of a lost backup."""
    await replica.audit()
    plan = await replica.plan("shop", DELETE)
    job = await migrations.apply(replica.services, CALLER, plan.id)
    await jobs.cancel(replica.services, CALLER, job.id)
    ended = await replica.end(job)
    if ended.progress.done:
        pytest.skip("the job was faster")

    with pytest.raises(Refused, match="nothing to roll back"):
        await migrations.roll_back(replica.services, CALLER, ended.id)


async def test_failed_application_with_a_key_that_was_there_before(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection
) -> None:
    """A key declared NOT VALID makes room for rows that come back, also when the application never came to validate it."""
    await connection.execute("""
        ALTER TABLE orders ADD CONSTRAINT their_key FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;
        CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$;
        CREATE TABLE visits (id integer PRIMARY KEY, shop_id integer);
        INSERT INTO visits VALUES (1, 9);
        CREATE TRIGGER forbid BEFORE DELETE ON visits FOR EACH ROW EXECUTE FUNCTION forbid();
    """)
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", WITHOUT_OTHER, delete("public.visits(shop_id)->public.shops(id)"))
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    assert (ended.state, await connection.fetchval("SELECT count(*) FROM orders")) == ("FAILED", 10)

    await replica.roll_back(ended)
    assert await state_of(postgres, database) == before
