"""Rolling back is exact or refused as a whole, whatever was changed, added or broken since the plan was applied."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.flows import migrations, plans
from holdfastd.jobs.model import Job
from holdfastd.catalog.model import OnDelete
from holdfastd.plan.model import OrphanAction, Override
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

SHOP = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, email text, room int4range, shop_id integer);
    INSERT INTO orders SELECT n, n, 'Mail ' || n, int4range(n, n + 1), n % 3 FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
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
        ("CREATE UNIQUE INDEX later ON orders (lower(email)); INSERT INTO orders VALUES (1, 1, 'mail 55')", "later"),
        ("CREATE UNIQUE INDEX later ON orders (email) WHERE id > 0; INSERT INTO orders VALUES (1, 1, 'Mail 55')", "later"),
        ("CREATE UNIQUE INDEX later ON orders (email); INSERT INTO orders VALUES (1, 1, 'Mail 55')", "later"),
        ("CREATE UNIQUE INDEX later ON orders ((shop_id > 9)) WHERE id > 55", "later"),
        ("ALTER TABLE orders ADD CONSTRAINT later EXCLUDE USING gist (room WITH &&); INSERT INTO orders VALUES (1, 1, '', '[54,57)')", "later"),
        ("ALTER TABLE orders ADD CONSTRAINT later CHECK (customer_id < 55)", "later"),
        ("ALTER TABLE orders ALTER shop_id SET NOT NULL; UPDATE holdfast.backup SET row_image = '(55,55,x,,)' WHERE row_image LIKE '(55,%'", "shop_id"),
        ("CREATE TABLE shops (id integer PRIMARY KEY); INSERT INTO shops VALUES (0), (1), (2); "
         "ALTER TABLE orders ADD CONSTRAINT later FOREIGN KEY (shop_id) REFERENCES shops; DELETE FROM orders WHERE shop_id = 1; DELETE FROM shops WHERE id = 1", "later"),
        ("ALTER TABLE customers RENAME TO clients", "customers"),
        ("ALTER TABLE customers RENAME id TO number", "customers"),
        ("UPDATE holdfast.backup SET row_image = 'nonsense' WHERE row_image LIKE '(55,%'", "backup"),
        ("ALTER TABLE orders DROP CONSTRAINT fk_orders_customer; ALTER TABLE orders ADD CONSTRAINT fk_orders_customer"
         " FOREIGN KEY (customer_id) REFERENCES customers ON DELETE SET NULL", "fk_orders_customer"),
        ("DROP INDEX orders_customer_idx; CREATE INDEX orders_customer_idx ON orders (email)", "orders_customer_idx"),
    ],
)  # fmt: skip
async def test_what_was_added_since_and_stands_in_the_way(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, change: str, named: str
) -> None:
    application = await applied(replica, delete(RELATIONSHIP))
    await connection.execute(change)

    assert named in await refused(replica, postgres, database, application)


@pytest.mark.parametrize(
    "trigger",
    [
        "NEW.email := 'changed'; RETURN NEW",
        "IF NEW.id = 55 THEN RETURN NULL; END IF; RETURN NEW",
    ],
)
@pytest.mark.parametrize("override", [delete(RELATIONSHIP), nullify(RELATIONSHIP)], ids=["delete", "set-null"])
async def test_triggers_do_not_change_restored_rows(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, trigger: str, override: Override
) -> None:
    application = await applied(replica, override)
    await connection.execute(f"""
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {trigger}; END $$;
        CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION meddle();
    """)
    await replica.roll_back(application)

    rows = await connection.fetch("SELECT id, customer_id, email FROM orders ORDER BY id")
    assert [tuple(row) for row in rows] == [(n, n, f"Mail {n}") for n in range(41, 61)]


async def test_updated_at_comes_back(replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection) -> None:
    await connection.execute("""
        ALTER TABLE orders ADD updated_at timestamptz DEFAULT '2020-01-01';
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    """)
    before = await state_of(postgres, database)
    application = await applied(replica, nullify(RELATIONSHIP))
    await replica.roll_back(application)
    assert await state_of(postgres, database) == before


async def test_repoint_of_primary_key_column(replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection) -> None:
    await connection.execute("""
        CREATE TABLE members (customer_id integer, club integer, PRIMARY KEY (customer_id, club));
        INSERT INTO members SELECT n, n FROM generate_series(41, 60) AS n;
    """)
    before = await state_of(postgres, database)
    override = Override(relationship_id="public.members(customer_id)->public.customers(id)", include=True,
        on_delete=OnDelete.RESTRICT, orphan_action=OrphanAction.REPOINT, repoint_to=("1",))
    application = await applied(replica, override)
    await replica.roll_back(application)
    assert await state_of(postgres, database) == before


@pytest.mark.parametrize("theirs", [
    "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer CHECK (id > 0)",
    "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer FOREIGN KEY (shop_id) REFERENCES shops",
    "CREATE INDEX orders_customer_idx ON orders (email)",
    "CREATE TABLE orders_customer_idx ()",
])
async def test_what_others_made_under_our_names_stays(replica, postgres, database, connection, theirs) -> None:
    await connection.execute("CREATE TABLE shops (id integer PRIMARY KEY); INSERT INTO shops VALUES (0), (1), (2)")
    await replica.audit()
    plan = await replica.plan("shop", delete(RELATIONSHIP))
    await connection.execute(theirs)
    before = await state_of(postgres, database)
    try:
        job = await migrations.apply(replica.services, CALLER, plan.id)
    except Refused as e:
        print("REFUSED", e.message)
        return
    ended = await replica.end(job)
    print(ended.state, ended.error_reason, ended.error_message)
    assert ended.state == "FAILED"
    assert ended.error_reason != "INTERNAL"
    await replica.roll_back(ended)
    assert await state_of(postgres, database) == before


async def test_publication_without_identity(replica, postgres, database, connection) -> None:
    await connection.execute("CREATE TABLE visits (customer_id integer NOT NULL, n int); INSERT INTO visits SELECT n, n FROM generate_series(41, 60) AS n; CREATE PUBLICATION p FOR TABLE visits")
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", delete("public.visits(customer_id)->public.customers(id)"))
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    print(ended.state, ended.error_reason, ended.error_message)
    assert ended.error_reason != "INTERNAL"
    await replica.roll_back(ended)
    assert await state_of(postgres, database) == before


async def test_check_forbids_null(replica, postgres, database, connection) -> None:
    await connection.execute("ALTER TABLE orders ADD CHECK (customer_id IS NOT NULL)")
    before = await state_of(postgres, database)
    await replica.audit()
    plan = await replica.plan("shop", nullify(RELATIONSHIP))
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    print(ended.state, ended.error_reason, ended.error_message)
    await replica.roll_back(ended)
    assert await state_of(postgres, database) == before


@pytest.mark.parametrize("setting", ["default_transaction_isolation = 'serializable'", "default_transaction_isolation = 'repeatable read'", "array_nulls = off",
   "idle_session_timeout = '300ms'", "idle_in_transaction_session_timeout = '10ms'", "statement_timeout='5ms'", "search_path='nowhere'", "xmloption='document'", "session_replication_role='replica'", "default_transaction_deferrable = on", "standard_conforming_strings = off", "quote_all_identifiers = on", "enable_tidscan=off"])
async def test_settings(replica, postgres, database, connection, setting) -> None:
    await connection.execute("""ALTER TABLE orders ADD tags text[] DEFAULT '{a,NULL,"NULL"}';
       CREATE TABLE items (id int primary key, order_id int references orders on delete cascade); insert into items select n, n from generate_series(41, 60) n""")
    before = await state_of(postgres, database)
    name = database.rpartition("/")[2]
    await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
    try:
        application = await applied(replica, delete(RELATIONSHIP))
    except BaseException as e:
        print("APPLY", type(e), e)
        raise
    await replica.roll_back(application)
    await connection.execute(f'ALTER DATABASE "{name}" RESET ALL')
    assert await state_of(postgres, database) == before


async def test_five_plans(replica, postgres, database, connection) -> None:
    await connection.execute("CREATE TABLE shops (id integer PRIMARY KEY); INSERT INTO shops VALUES (0), (1)")
    first = await applied(replica, delete(RELATIONSHIP))
    second = await applied(replica, delete("public.orders(shop_id)->public.shops(id)"))
    before = await state_of(postgres, database)
    print(await refused(replica, postgres, database, first))
    await replica.roll_back(second)
    await replica.roll_back(first)


async def test_cancelled_before_prepare(replica, postgres, database, connection) -> None:
    from holdfastd.flows import jobs
    await replica.audit()
    plan = await replica.plan("shop", delete(RELATIONSHIP))
    before = await state_of(postgres, database)
    job = await migrations.apply(replica.services, CALLER, plan.id)
    await jobs.cancel(replica.services, CALLER, job.id)
    ended = await replica.end(job)
    print(ended.state)
    await replica.roll_back(ended)
    await replica.roll_back(ended)
    assert await state_of(postgres, database) == before


async def test_rollback_of_earlier_application(replica, postgres, database, connection) -> None:
    await replica.audit()
    plan = await replica.plan("shop", delete(RELATIONSHIP))
    first = await replica.apply(plan)
    await replica.roll_back(first)
    await plans.approve(replica.services, CALLER, plan.id, "")
    second = await replica.apply(plan)
    before = await state_of(postgres, database)
    with pytest.raises(Refused):
        await replica.roll_back(first)
    assert await state_of(postgres, database) == before
    await replica.roll_back(second)


async def test_partitioned_dependents(replica, postgres, database, connection) -> None:
    await connection.execute("""
      CREATE TABLE letters (id int, order_id int REFERENCES orders ON DELETE CASCADE) PARTITION BY RANGE (id);
      CREATE TABLE letters1 PARTITION OF letters FOR VALUES FROM (0) TO (50); CREATE TABLE letters2 PARTITION OF letters FOR VALUES FROM (50) TO (1000);
      INSERT INTO letters SELECT n, n FROM generate_series(41,60) n""")
    await replica.audit()
    with pytest.raises(Refused) as e:
        await replica.plan("shop", delete(RELATIONSHIP))
    print(e.value.message)
    await connection.execute("""DROP TABLE letters;
      CREATE TABLE letters (id int, order_id int) PARTITION BY RANGE (id);
      CREATE TABLE letters1 PARTITION OF letters FOR VALUES FROM (0) TO (50); CREATE TABLE letters2 PARTITION OF letters FOR VALUES FROM (50) TO (1000);
      ALTER TABLE letters2 ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
      INSERT INTO letters SELECT n, n FROM generate_series(41,60) n""")
    await replica.audit()
    with pytest.raises(Refused) as e:
        await replica.plan("shop", delete(RELATIONSHIP))
    print(e.value.message)
