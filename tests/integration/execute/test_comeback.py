"""Rows that could not come back are left alone, and the plan says why; those of several cleanups, and of partitions, come back."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import HoldfastError, Reason, Refused
from holdfastd.flows import migrations, restore
from holdfastd.jobs.model import JobOptions
from holdfastd.plan.model import OrphanAction, Override, ScriptKind
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

ORDERS = "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total integer DEFAULT 5{more});"
ROWS = "INSERT INTO orders (id, customer_id) SELECT n, n FROM generate_series(41, 60) AS n;"
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
DELETE, NULLIFY = delete(RELATIONSHIP), nullify(RELATIONSHIP)
#: `helper` is found only where search_path leads to it.
FUNCTIONS = """
    CREATE FUNCTION helper(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
    CREATE FUNCTION norm(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE SET search_path = public
      AS 'BEGIN RETURN helper($1); END';
"""
LOOSE = "ALTER FUNCTION norm(integer) RESET search_path"
CURE = "run ALTER FUNCTION public.norm(integer) SET search_path"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(postgres: Server, database: str) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        await running.register(database)
        yield running


def repoint(relationship: str, value: str) -> Override:
    return Override(relationship_id=relationship, include=True, orphan_action=OrphanAction.REPOINT, repoint_to=(value,))


#: Schema with rows, and words of the reason.
STRANDED = {
    "check": (
        ORDERS.format(more="") + ROWS + "UPDATE orders SET total = -5 WHERE id = 55;"
        " ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID",
        "the CHECK positive on public.orders does not allow",
    ),
    "domain": (
        "CREATE DOMAIN amount AS integer;" + ORDERS.format(more=", paid amount DEFAULT -1") + ROWS + "ALTER DOMAIN amount"
        " ADD CHECK (VALUE > 0) NOT VALID",
        "hold values that their types do not accept any more (SQLSTATE 23514)",
    ),
    "generated": (
        FUNCTIONS + ORDERS.format(more=", normal integer GENERATED ALWAYS AS (norm(id)) STORED") + ROWS + LOOSE,
        f"the generated column normal of public.orders cannot be computed under an empty search_path (SQLSTATE 42883); .*{CURE}",
    ),
    "index": (FUNCTIONS + ORDERS.format(more="") + ROWS + "CREATE INDEX by_norm ON orders (norm(id));" + LOOSE, f"index by_norm.*{CURE}"),
    "check-function": (FUNCTIONS + ORDERS.format(more=", CHECK (norm(id) > 0)") + ROWS + LOOSE, f"CHECK orders_id_check.*{CURE}"),
    "recomputed": (
        FUNCTIONS + ORDERS.format(more=", normal integer GENERATED ALWAYS AS (norm(id)) STORED") + ROWS
        + "CREATE OR REPLACE FUNCTION helper(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 2'",
        "the generated column normal of public.orders would be computed anew, and differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "override"),
    [*((case, DELETE) for case in STRANDED), ("domain", NULLIFY), ("index", NULLIFY)],
    ids=[*STRANDED, "domain-set-null", "index-set-null"],
)
async def test_rows_that_could_not_come_back_are_not_taken(
    replica: Harness, connection: asyncpg.Connection, case: str, override: Override
) -> None:
    """What is NOT VALID, or no longer works, would not let the rows in again: refused when asked for, left otherwise."""
    sql, words = STRANDED[case]
    await connection.execute(CUSTOMERS + sql)
    await replica.audit()

    with pytest.raises(Refused, match=words.replace("(", r"\(").replace(")", r"\)")) as refusal:
        await replica.plan("shop", override)
    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
    plan = await replica.plan("shop", Override(relationship_id=RELATIONSHIP, include=True, on_delete=override.on_delete))
    assert plan.plan.decisions[0].orphan_action is OrphanAction.LEAVE


async def test_null_under_not_null_that_is_not_valid(replica: Harness, connection: asyncpg.Connection) -> None:
    """Since 18 NOT NULL can be NOT VALID, too."""
    await connection.execute(CUSTOMERS + ORDERS.format(more=", paid integer") + ROWS)
    if connection.get_server_version().major >= 18:
        await connection.execute("ALTER TABLE orders ADD CONSTRAINT given NOT NULL paid NOT VALID")
        await replica.audit()
        with pytest.raises(Refused, match=r"paid of public\.orders is NULL in some of the rows"):
            await replica.plan("shop", DELETE)
    else:
        await replica.audit()
        assert (await replica.plan("shop", DELETE)).plan.decisions[0].orphan_action is OrphanAction.DELETE


async def test_dependents_that_could_not_come_back(replica: Harness, connection: asyncpg.Connection) -> None:
    """Dependents are asked as well as orphan rows."""
    await connection.execute(CUSTOMERS + ORDERS.format(more="") + ROWS)
    await connection.execute("""
        CREATE TABLE items (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE CASCADE, amount integer);
        INSERT INTO items SELECT n, n, 54 - n FROM generate_series(41, 60) AS n;
        ALTER TABLE items ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
    """)
    await replica.audit()

    with pytest.raises(Refused, match=r"the CHECK positive on public\.items does not allow"):
        await replica.plan("shop", DELETE)


@pytest.mark.parametrize("by_script", [False, True], ids=["service", "script"])
async def test_identity_column_of_a_watched_table(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, *, by_script: bool
) -> None:
    """GENERATED ALWAYS AS IDENTITY beside the primary key: no UPDATE may name it, though a trigger watches the row."""
    await connection.execute(CUSTOMERS + ORDERS.format(more=", number bigint GENERATED ALWAYS AS IDENTITY, touched timestamptz") + ROWS)
    await connection.execute("""
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := clock_timestamp(); RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    """)
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", NULLIFY)
    if by_script:
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
        await run_script(postgres, database, replica, plan, ScriptKind.ROLLBACK)
    else:
        application = await replica.apply(plan)
        assert application.verifications[0].backed_up_rows == 10
        await replica.roll_back(application)

    assert await state_of(postgres, database) == before


async def test_identity_column_is_not_repointed(replica: Harness, connection: asyncpg.Connection) -> None:
    """PostgreSQL refuses to give it a value."""
    await connection.execute(CUSTOMERS + "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer GENERATED ALWAYS AS IDENTITY)")
    await connection.execute("INSERT INTO orders (id, customer_id) OVERRIDING SYSTEM VALUE SELECT n, n FROM generate_series(41, 60) AS n")
    await connection.execute("ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers NOT VALID")
    await replica.audit()

    with pytest.raises(Refused, match=r"customer_id of public\.orders is GENERATED ALWAYS"):
        await replica.plan("shop", repoint(RELATIONSHIP, "1"))


TENANTS = """
    CREATE TABLE tenants (id integer PRIMARY KEY);
    CREATE TABLE users (tenant_id integer, id integer, PRIMARY KEY (tenant_id, id));
    CREATE TABLE posts (id integer PRIMARY KEY, tenant_id integer, user_id integer);
    INSERT INTO tenants SELECT generate_series(1, 5);
    INSERT INTO users SELECT n, m FROM generate_series(1, 5) AS n, generate_series(1, 5) AS m;
    INSERT INTO posts SELECT n, 1 + n % 5, 1 + n % 5 FROM generate_series(1, 50) AS n;
    ALTER TABLE posts ADD CONSTRAINT tenant FOREIGN KEY (tenant_id) REFERENCES tenants NOT VALID;
    ALTER TABLE posts ADD CONSTRAINT writer FOREIGN KEY (tenant_id, user_id) REFERENCES users NOT VALID;
"""
#: Rows may be inserted only before the keys.
POSTS = TENANTS.replace("    ALTER", "INSERT INTO posts VALUES {rows};\n    ALTER", 1)
TENANT = "public.posts(tenant_id)->public.tenants(id)"
WRITER = Override(
    relationship_id="public.posts(tenant_id, user_id)->public.users(tenant_id, id)", include=True, orphan_action=OrphanAction.SET_NULL
)


@pytest.mark.parametrize("by_script", [False, True], ids=["service", "script"])
async def test_two_cleanups_that_share_a_column(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, *, by_script: bool
) -> None:
    """One repoints it, the other sets it NULL: each answers for its own rows."""
    await connection.execute(POSTS.format(rows="(101, 1, 77), (102, 2, 78), (103, 99, NULL), (104, 98, NULL)"))
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", repoint(TENANT, "1"), WRITER)
    if by_script:
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
        await run_script(postgres, database, replica, plan, ScriptKind.ROLLBACK)
    else:
        await replica.roll_back(await replica.apply(plan))

    assert await state_of(postgres, database) == before


async def test_two_cleanups_of_one_value(replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection) -> None:
    """The row has what the last of them left; a value that somebody gave it since is found all the same."""
    await connection.execute("""
        CREATE TABLE shops (id integer PRIMARY KEY);
        CREATE TABLE towns (id integer PRIMARY KEY);
        CREATE TABLE visits (id integer PRIMARY KEY, place integer);
        INSERT INTO shops SELECT generate_series(1, 20);
        INSERT INTO towns SELECT generate_series(2, 25);
        INSERT INTO visits SELECT n, 1 + n FROM generate_series(1, 19) AS n;
        INSERT INTO visits VALUES (20, 1), (21, 99), (22, 25);
        ALTER TABLE visits ADD CONSTRAINT town FOREIGN KEY (place) REFERENCES towns NOT VALID;
        ALTER TABLE visits ADD CONSTRAINT shop FOREIGN KEY (place) REFERENCES shops NOT VALID;
    """)
    before = await state_of(postgres, database)
    await replica.audit()
    application = await replica.apply(
        await replica.plan(
            "shop",
            repoint("public.visits(place)->public.shops(id)", "2"),
            Override(relationship_id="public.visits(place)->public.towns(id)", include=True, orphan_action=OrphanAction.SET_NULL),
        )
    )
    await connection.execute("UPDATE visits SET place = 7 WHERE id = 21")
    with pytest.raises(Refused, match=r"public.visits: changed since: \(id\)=\(21\)"):
        await migrations.roll_back(replica.services, CALLER, application.id)
    await connection.execute("UPDATE visits SET place = 2 WHERE id = 21")
    await replica.roll_back(application)

    assert await state_of(postgres, database) == before


async def test_repointing_that_another_key_forbids(replica: Harness, connection: asyncpg.Connection) -> None:
    """The new values must satisfy every key of the table, or the application would fail half way."""
    await connection.execute(POSTS.format(rows="(101, 99, 77)"))
    await replica.audit()

    with pytest.raises(Refused, match=r"some rows would be orphan rows of public.posts\(tenant_id, user_id\)"):
        await replica.plan("shop", repoint(TENANT, "1"), WRITER)


PARTITIONED = CUSTOMERS + """
    CREATE TABLE orders (id integer, day integer, customer_id integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10);
    CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (10) TO (20);
    INSERT INTO orders SELECT n, n % 20, n FROM generate_series(41, 60) AS n;
    CREATE TABLE items (id integer PRIMARY KEY, order_id integer, day integer,
      FOREIGN KEY (order_id, day) REFERENCES orders ON DELETE CASCADE);
    INSERT INTO items SELECT id, id, day FROM orders;
"""  # fmt: skip


async def test_rows_of_partitions_while_the_key_stays(replica: Harness, connection: asyncpg.Connection) -> None:
    """The key is its root's: without relinking it rejects them, with it those come back whose referenced row is there again."""
    await connection.execute(PARTITIONED)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", DELETE))
    with pytest.raises(HoldfastError) as refusal:
        await restore.restore(replica.services, CALLER, application.id, JobOptions())
    await connection.execute("INSERT INTO customers VALUES (55, 'back'), (45, 'late') ON CONFLICT DO NOTHING")
    await replica.succeed(await restore.restore(replica.services, CALLER, application.id, JobOptions(relink=True)))

    assert refusal.value.reason is Reason.RESTORE_REJECTED
    assert [
        row[0] for row in await connection.fetch("SELECT id FROM orders WHERE id > 50 UNION ALL SELECT id FROM items WHERE id > 50")
    ] == [
        55,
        55,
    ]


async def test_rows_that_reference_partitions_come_back_with_them(replica: Harness, connection: asyncpg.Connection) -> None:
    """What comes back into a partition is there for keys that reference the whole."""
    await connection.execute(PARTITIONED)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", DELETE))
    await connection.execute("ALTER TABLE orders DROP CONSTRAINT fk_orders_customer")
    await replica.succeed(await restore.restore(replica.services, CALLER, application.id, JobOptions()))

    assert await connection.fetchval("SELECT count(*) FROM orders") == await connection.fetchval("SELECT count(*) FROM items") == 20


async def test_rows_set_null_that_nothing_finds_again(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection
) -> None:
    """A table lost its primary key since: refused, and never called restored."""
    await connection.execute(CUSTOMERS + ORDERS.format(more="") + ROWS)
    await connection.execute("CREATE TABLE notes (order_id integer REFERENCES orders ON DELETE SET NULL); INSERT INTO notes VALUES (50)")
    await replica.audit()
    plan = await replica.plan("shop", DELETE)
    application = await replica.apply(plan)
    batch, step = await connection.fetchrow("SELECT id, step FROM holdfast.ledger WHERE entry = 'BATCH'")
    recipe = plan.plan.steps[step - 1].recipe
    assert recipe is not None
    await connection.execute(f"""
        INSERT INTO holdfast.backup VALUES ({batch}, 1, '(0,1)', 'UPDATE', 1, 'public', 'notes', '{{order_id}}', '(55)');
        UPDATE holdfast.ledger SET row_count = row_count + 1 WHERE id = {batch};
        ALTER TABLE orders DROP CONSTRAINT fk_orders_customer
    """)

    with pytest.raises(Refused, match=r"public.notes: it has no primary key .* rows of it: 1"):
        await migrations.roll_back(replica.services, CALLER, application.id)
    async with connection.transaction():
        assert (await connection.fetchrow(recipe.restore, batch))["wrong"] == 1


@pytest.mark.parametrize(
    "rule",
    ["ALTER TABLE orders ADD CHECK (norm(id) > 0)", "ALTER TABLE orders ADD normal integer GENERATED ALWAYS AS (norm(id)) STORED",
     "CREATE INDEX by_norm ON orders (norm(id))"],
    ids=["check", "generated", "index"],
)  # fmt: skip
async def test_function_that_fails_since(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, rule: str
) -> None:
    """Asked before anything is touched: what is computed for rows that come back must work under an empty search_path."""
    await connection.execute(CUSTOMERS + FUNCTIONS + ORDERS.format(more="") + ROWS + rule)
    before = await state_of(postgres, database)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", DELETE))
    await connection.execute(LOOSE)
    with pytest.raises(Refused, match=r"fails .SQLSTATE 42883.: something that a CHECK, an index, a generated column") as refusal:
        await migrations.roll_back(replica.services, CALLER, application.id)
    await connection.execute("ALTER FUNCTION norm(integer) SET search_path = public")
    if "GENERATED" in rule:
        await connection.execute("CREATE OR REPLACE FUNCTION helper(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 2'")
        with pytest.raises(Refused, match=r"normal would be computed anew, and differ: \(id\)=\(51\)"):
            await migrations.roll_back(replica.services, CALLER, application.id)
        await connection.execute("CREATE OR REPLACE FUNCTION helper(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'")
    await replica.roll_back(application)

    assert refusal.value.reason is Reason.ROLLBACK_NOT_EXACT
    assert await state_of(postgres, database) == before


async def test_event_trigger_that_raises_while_rows_come_back(replica: Harness, connection: asyncpg.Connection) -> None:
    """User triggers are turned off and on by ALTER TABLE: who forbids that is told, and nothing is lost."""
    await connection.execute(CUSTOMERS + ORDERS.format(more="") + ROWS)
    await connection.execute("""
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER nothing AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
    """)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", DELETE))
    await connection.execute("""
        INSERT INTO customers SELECT n, 'back' FROM generate_series(51, 60) AS n;
        CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not in office hours'; END $$;
        CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION forbid();
    """)
    ended = await replica.end(await restore.restore(replica.services, CALLER, application.id, JobOptions()))
    await connection.execute("DROP EVENT TRIGGER forbid")
    await replica.succeed(await restore.restore(replica.services, CALLER, application.id, JobOptions()))

    assert ended.error_reason == "STEP_FAILED"
    assert "event trigger" in ended.error_message
    assert "SQLSTATE P0001" in ended.error_message
    assert await connection.fetchval("SELECT count(*) FROM orders") == 20
