"""What PostgreSQL would refuse is known when the plan is made, not found out half way; and no setting of a role leads us astray."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import Reason, Refused
from holdfastd.execute import failpoints
from holdfastd.flows import jobs, migrations
from holdfastd.jobs.model import EventKind
from holdfastd.plan.model import OrphanAction, Override
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server, database_name

ORDERS = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(postgres: Server, database: str, connection: asyncpg.Connection) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        await running.register(database)
        yield running


REPOINT = Override(
    relationship_id="public.members(customer_id)->public.customers(id)",
    include=True,
    on_delete=OnDelete.RESTRICT,
    orphan_action=OrphanAction.REPOINT,
    repoint_to=("1",),
)


@pytest.mark.parametrize(
    ("sql", "override", "words"),
    [
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey; CREATE PUBLICATION news FOR TABLE orders", delete(RELATIONSHIP), "replica identity"),
        ("ALTER TABLE orders ADD CONSTRAINT given CHECK (customer_id IS NOT NULL)", nullify(RELATIONSHIP), "the CHECK given"),
        (
            "ALTER TABLE orders ADD town_id integer DEFAULT 7; CREATE TABLE towns (id integer PRIMARY KEY);"
            " ALTER TABLE orders ADD CONSTRAINT left_over FOREIGN KEY (town_id) REFERENCES towns DEFERRABLE NOT VALID",
            delete(RELATIONSHIP),
            "orphan rows of left_over on public.orders, too",
        ),
        (
            "CREATE TABLE items (order_id integer REFERENCES orders ON DELETE CASCADE, FOREIGN KEY (order_id) REFERENCES orders ON DELETE SET NULL,"
            " id integer PRIMARY KEY); INSERT INTO items SELECT id, id FROM orders",
            delete(RELATIONSHIP),
            "disagree",
        ),
        (
            "CREATE TABLE towns (id integer PRIMARY KEY); CREATE TABLE letters (id integer PRIMARY KEY, town_id integer DEFAULT 7,"
            " first_order integer REFERENCES orders ON DELETE SET NULL, last_order integer REFERENCES orders ON DELETE SET NULL);"
            " INSERT INTO letters (id, first_order, last_order) SELECT id, id, id FROM orders;"
            " ALTER TABLE letters ADD CONSTRAINT left_over FOREIGN KEY (town_id) REFERENCES towns DEFERRABLE NOT VALID",
            delete(RELATIONSHIP),
            "two keys would set NULL in 10 rows of public.letters",
        ),
        (
            "CREATE TABLE members (customer_id integer, club integer, PRIMARY KEY (customer_id, club));"
            " INSERT INTO members SELECT n, n FROM generate_series(41, 60) AS n",
            REPOINT,
            "a primary key of other columns",
        ),
    ],
    ids=["published", "check", "left-not-valid", "two-keys", "nulled-twice", "repoint-key"],
)  # fmt: skip
async def test_refused_when_planned(replica: Harness, connection: asyncpg.Connection, sql: str, override: Override, words: str) -> None:
    """The policy asks for what cannot be done, or not be undone: the plan is refused and says why."""
    await connection.execute(sql)
    await replica.audit()
    with pytest.raises(Refused, match=words) as refusal:
        await replica.plan("shop", override)

    assert refusal.value.reason is Reason.PLAN_INFEASIBLE


async def test_orphan_rows_that_reference_each_other(replica: Harness, connection: asyncpg.Connection) -> None:
    """Orphan rows that a key without action holds together go in one batch, however far apart they are stored."""
    await connection.execute("""
        CREATE TABLE folders (id integer PRIMARY KEY, customer_id integer, inside integer REFERENCES folders, note text);
        INSERT INTO folders SELECT n, 99, nullif(greatest(n - 200, 0), 0), repeat('x', 700) FROM generate_series(1, 2200) AS n;
    """)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", delete("public.folders(customer_id)->public.customers(id)")))
    assert await connection.fetchval("SELECT count(*) FROM folders") == 0

    await replica.roll_back(application)
    assert await connection.fetchval("SELECT count(*) FROM folders") == 2200


async def test_row_set_null_and_deleted_at_once(replica: Harness, connection: asyncpg.Connection) -> None:
    """PostgreSQL updates a row by one key before another one deletes it: no sign of a meddling trigger."""
    await connection.execute("""
        CREATE TABLE messages (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE CASCADE,
          answers integer REFERENCES messages ON DELETE SET NULL);
        INSERT INTO messages SELECT n, 41 + n % 20, nullif(n - 1, 0) FROM generate_series(1, 60) AS n;
    """)
    rows = await connection.fetch("SELECT * FROM messages ORDER BY id")
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
    await replica.roll_back(application)

    assert await connection.fetch("SELECT * FROM messages ORDER BY id") == rows


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_thousands_of_dependents_come_back(replica: Harness, connection: asyncpg.Connection) -> None:
    """The questions before a rollback compare saved rows with saved rows: not each with each."""
    await connection.execute("""
        INSERT INTO orders SELECT n, n FROM generate_series(61, 12000) AS n;
        CREATE TABLE items (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE CASCADE);
        INSERT INTO items SELECT n, 41 + n % 11000 FROM generate_series(1, 8000) AS n;
    """)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
    await connection.execute("VACUUM ANALYZE orders, items")
    await replica.roll_back(application)

    assert await connection.fetchval("SELECT count(*) FROM items") == 8000


async def test_cancelled_while_an_index_waits(replica: Harness, connection: asyncpg.Connection) -> None:
    """An index build that waits for an old snapshot stops when asked, long before its lock_timeout; rolling back drops what it left."""
    await connection.execute("CREATE TABLE elsewhere ()")
    await replica.audit()
    plan = await replica.plan("shop", delete(RELATIONSHIP))
    async with connection.transaction(isolation="repeatable_read"):
        await connection.fetch("SELECT FROM elsewhere")
        job = await migrations.apply(replica.services, CALLER, plan.id)
        async for event in replica.events(job):
            if event.happening.kind is EventKind.LOCK_WAIT:
                break
        await jobs.cancel(replica.services, CALLER, job.id)
        async with asyncio.timeout(15):
            ended = await replica.end(job)
    await replica.roll_back(ended)

    assert ended.state == "CANCELLED"
    assert await connection.fetchval("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass") == 1


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_isolation = 'serializable'",
        "session_replication_role = 'replica'",
        "array_nulls = off",
        "xmloption = 'document'",
        "standard_conforming_strings = off",
    ],
)
async def test_settings_of_the_database_do_not_matter(
    replica: Harness, postgres: Server, database: str, connection: asyncpg.Connection, setting: str
) -> None:
    """Sessions of Holdfast run under its own contract: keys cascade, values come back to the letter."""
    await connection.execute("""
        ALTER TABLE orders ADD tags text[] DEFAULT '{a,NULL,"NULL",\\\\}';
        CREATE TABLE items (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE CASCADE);
        INSERT INTO items SELECT id, id FROM orders;
    """)
    before = await state_of(postgres, database)
    await connection.execute(f"ALTER DATABASE {database_name(database)} SET {setting}")
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
    assert application.verifications[0].backed_up_rows == 20

    await replica.roll_back(application)
    await connection.execute(f"ALTER DATABASE {database_name(database)} RESET ALL")
    assert await state_of(postgres, database) == before


async def test_late_row_under_a_stricter_default_isolation(replica: Harness, database: str, connection: asyncpg.Connection) -> None:
    """Where transactions are REPEATABLE READ by default, ours still see the referenced row that they waited for."""
    await connection.execute(f"ALTER DATABASE {database_name(database)} SET default_transaction_isolation = 'repeatable read'")
    await replica.audit()
    plan = await replica.plan("shop", delete(RELATIONSHIP))
    failpoints.arm("CLEAN_UP.begun#1=sleep:1")
    job = await migrations.apply(replica.services, CALLER, plan.id)
    while not await connection.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"):
        await asyncio.sleep(0.02)
    async with connection.transaction():
        await connection.execute("INSERT INTO customers VALUES (60, 'late')")
        await asyncio.sleep(1.2)
    failpoints.arm("")
    await replica.succeed(job)

    assert await connection.fetchval("SELECT count(*) FROM orders WHERE id = 60") == 1
