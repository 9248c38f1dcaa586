"""A cleanup changes what it saved and nothing else, and never holds up writers for long: what triggers, keys and writers make of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.execute import clean_up, pace
from holdfastd.flows import migrations
from holdfastd.jobs.model import Job, JobState
from holdfastd.plan.model import HazardKind, ScriptKind
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server, database_name

ORDERS = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
    INSERT INTO orders SELECT n, n, 'untouched' FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
ROWS_READ = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_all_tables WHERE relid = $1::regclass"


@pytest.fixture
async def replica(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        yield running


@pytest.fixture
async def application_session(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def planned(replica: Harness, dsn: str, sql: str, *overrides: object) -> PlanRecord:
    """Make the tables, audit and plan."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(sql)
    await connection.close()
    await replica.register(dsn)
    await replica.audit()
    return await replica.plan("shop", *overrides)


async def failed(replica: Harness, plan: PlanRecord) -> Job:
    job = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    assert (job.state, job.error_reason) == (JobState.FAILED, Reason.STEP_FAILED)
    return job


async def test_what_a_deferred_trigger_does_is_counted(
    postgres: Server, database: str, replica: Harness, application_session: asyncpg.Connection
) -> None:
    """A trigger that waits for the end of the transaction deletes rows that are in no backup: service and script refuse."""
    sql = """
        CREATE TABLE logs (order_id integer PRIMARY KEY);
        INSERT INTO logs SELECT id FROM orders;
        CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN DELETE FROM public.logs WHERE order_id = OLD.id; RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER forget AFTER DELETE ON orders DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION forget();
    """
    plan = await planned(replica, database, ORDERS + sql, delete(RELATIONSHIP))

    assert "a trigger or rule changes more" in (await failed(replica, plan)).error_message
    with pytest.raises(RuntimeError, match="a trigger or rule interferes"):
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
    assert await application_session.fetchval("SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM orders)") == 40


async def test_updates_are_counted_by_rows_not_by_columns(
    postgres: Server, database: str, replica: Harness, application_session: asyncpg.Connection
) -> None:
    """Setting two columns of a row NULL is one update: a trigger's own is one too many, in service and script."""
    sql = """
        CREATE TABLE sites (company integer, site integer, PRIMARY KEY (company, site));
        CREATE TABLE machines (id integer PRIMARY KEY, company integer, site integer);
        CREATE TABLE counts (company integer PRIMARY KEY, machines integer NOT NULL);
        INSERT INTO sites VALUES (1, 1), (2, 1);
        INSERT INTO machines VALUES (1, 1, 1), (2, 1, 7), (3, 2, 8);
        INSERT INTO counts VALUES (1, 10), (2, 10);
        ALTER TABLE machines ADD FOREIGN KEY (company, site) REFERENCES sites ON DELETE SET NULL NOT VALID;
        CREATE FUNCTION discount() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN UPDATE public.counts SET machines = machines - 1 WHERE company = OLD.company; RETURN NULL; END';
        CREATE TRIGGER discount AFTER UPDATE ON machines FOR EACH ROW EXECUTE FUNCTION discount();
    """
    plan = await planned(replica, database, sql, nullify("public.machines(company, site)->public.sites(company, site)"))

    assert "a trigger or rule changes more" in (await failed(replica, plan)).error_message
    with pytest.raises(RuntimeError, match="a trigger or rule interferes"):
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
    assert await application_session.fetchval("SELECT sum(machines) FROM counts") == 20


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ("CREATE TABLE notes (order_id integer REFERENCES orders ON DELETE SET NULL)", "has no primary key"),
        (
            "CREATE TABLE notes (order_id integer REFERENCES orders ON DELETE SET NULL, id integer) PARTITION BY LIST (order_id);"
            " CREATE TABLE notes_some PARTITION OF notes (PRIMARY KEY (id)) DEFAULT;"
            " CREATE TABLE notes_none PARTITION OF notes (PRIMARY KEY (id)) FOR VALUES IN (NULL)",
            "moves them to another partition",
        ),
    ],
    ids=["no-key", "moving"],
)
async def test_late_dependents_that_could_not_come_back(
    postgres: Server, database: str, replica: Harness, application_session: asyncpg.Connection, notes: str, why: str
) -> None:
    """Rows that came after the plan was made and would be set NULL, never to be found again: service and script refuse."""
    plan = await planned(replica, database, f"{ORDERS}; {notes}", delete(RELATIONSHIP))
    await application_session.execute(
        "INSERT INTO notes (order_id, id) VALUES (55, 1)" if "id integer)" in notes else "INSERT INTO notes VALUES (55)"
    )

    assert why in (await failed(replica, plan)).error_message
    with pytest.raises(RuntimeError, match=why):
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
    assert await application_session.fetchval("SELECT order_id FROM notes") == 55


ITEMS = """
    CREATE TABLE items (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE CASCADE);
    INSERT INTO items SELECT n, n FROM generate_series(41, 60) AS n;
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep({seconds}); RETURN OLD; END';
    CREATE TRIGGER dawdle BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION dawdle();
"""


async def test_batch_that_takes_too_long_is_undone_and_split(
    postgres: Server, database: str, replica: Harness, application_session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the rows, writers wait for the ceiling at most; the plan names the key without an index."""
    monkeypatch.setattr(pace, "CEILING_SECONDS", 0.2)
    plan = await planned(replica, database, ORDERS + ITEMS.format(seconds=0.03), delete(RELATIONSHIP))
    before = await state_of(postgres, database)
    job = await migrations.apply(replica.services, CALLER, plan.id)
    loop, longest = asyncio.get_running_loop(), 0.0
    ended = asyncio.create_task(replica.succeed(job))
    while not ended.done():
        started = loop.time()
        await application_session.execute("UPDATE customers SET name = name WHERE id = 1")
        longest = max(longest, loop.time() - started)
        await asyncio.sleep(0.01)
    application = await ended

    hazards = [hazard.message for step in plan.plan.steps for hazard in step.hazards if hazard.kind is HazardKind.BLOCKS_WRITES]
    assert any("public.items(order_id)" in message for message in hazards)
    # All ten rows at once would have taken 0.3 s and more; the rest is this machine's.
    assert await application_session.fetchval("SELECT count(*) > 1 AND max(row_count) < 20 FROM holdfast.ledger WHERE entry = 'BATCH'")
    assert longest < 0.6
    await replica.roll_back(application)
    assert (await state_of(postgres, database)).rows == before.rows


async def test_one_row_that_takes_too_long_is_refused(
    database: str, replica: Harness, application_session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be split gets longer, and is refused beyond that, with the index that may help."""
    monkeypatch.setattr(pace, "CEILING_SECONDS", 0.2)
    monkeypatch.setattr(pace, "LAST_CEILING_SECONDS", 0.5)
    plan = await planned(replica, database, ORDERS + ITEMS.format(seconds=2), delete(RELATIONSHIP))

    assert "create an index on public.items(order_id)" in (await failed(replica, plan)).error_message
    assert await application_session.fetchval("SELECT count(*) FROM items") == 20


async def test_long_chain_is_followed_row_by_row(database: str, replica: Harness, application_session: asyncpg.Connection) -> None:
    """Each round looks at what the last one added, not at all there is: 300 links cost some thousand rows, not their square."""
    sql = """
        CREATE TABLE versions (id integer PRIMARY KEY, previous integer);
        INSERT INTO versions SELECT n, n - 1 FROM generate_series(1, 300) AS n;
        INSERT INTO versions SELECT n, NULL FROM generate_series(1001, 3000) AS n;
        CREATE INDEX versions_previous ON versions (previous);
        ANALYZE versions;
    """
    plan = await planned(replica, database, sql, delete("public.versions(previous)->public.versions(id)"))
    read = await application_session.fetchval(ROWS_READ, "versions")
    await replica.apply(plan)
    await application_session.execute("SELECT pg_stat_clear_snapshot()")

    assert await application_session.fetchval("SELECT count(*) FROM versions") == 2_000
    assert await application_session.fetchval(ROWS_READ, "versions") - read < 45_000


async def test_orphan_row_that_changes_all_the_time_is_caught(database: str, replica: Harness) -> None:
    """The application moves it between every look and the batch after it: it is locked where it is met."""
    plan = await planned(replica, database, ORDERS, delete(RELATIONSHIP))
    writer = await asyncpg.connect(database)

    async def keep_changing() -> None:
        while await writer.fetchval("UPDATE orders SET note = note || '.' WHERE id = 55 RETURNING true"):
            pass

    changing = asyncio.create_task(keep_changing())
    try:
        job = await replica.succeed(await migrations.apply(replica.services, CALLER, plan.id))
    finally:
        changing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await changing
        await writer.close()

    assert job.verifications[0].backed_up_rows == 10


async def test_rows_that_dependents_hold_together_go_together(
    postgres: Server, database: str, replica: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key without action between dependents of different orphan rows allows only all of them at once."""
    monkeypatch.setattr(clean_up, "_TOGETHER", (150, 5_000))
    sql = (
        CUSTOMERS
        + """
        CREATE TABLE a (id integer PRIMARY KEY, customer_id integer);
        CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE);
        CREATE TABLE c (id integer PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE, b_id integer REFERENCES b);
        INSERT INTO a SELECT n, 1000 + n FROM generate_series(1, 300) AS n;
        INSERT INTO b SELECT n, n FROM generate_series(1, 300) AS n;
        INSERT INTO c SELECT n, 1 + (n + 150) % 300, n FROM generate_series(1, 300) AS n;
        CREATE INDEX ON b (a_id); CREATE INDEX ON c (a_id); CREATE INDEX ON c (b_id);
        ALTER TABLE a ADD FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;
        """
    )
    plan = await planned(replica, database, sql, delete("public.a(customer_id)->public.customers(id)"))
    before = await state_of(postgres, database)
    application = await replica.apply(plan)
    await replica.roll_back(application)

    assert application.verifications[0].backed_up_rows == 900
    assert (await state_of(postgres, database)).rows == before.rows


async def test_look_that_is_cut_short_goes_on_from_there(database: str, replica: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many orphan rows are found in several looks, none of which begins at the first block again."""
    monkeypatch.setattr(clean_up, "_FOUND_ROWS", 700)
    sql = CUSTOMERS + (
        "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);"
        "INSERT INTO orders SELECT n, 100 + n, repeat('x', 500) FROM generate_series(1, 3000) AS n;"
        "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID"
    )
    plan = await planned(replica, database, sql, delete(RELATIONSHIP))
    looks: list[tuple[int, int]] = []
    find = clean_up.CleanUp._find

    async def watched(self: clean_up.CleanUp, low: int, high: int, limit: int) -> list[str]:
        looks.append((low, high))
        return await find(self, low, high, limit)

    monkeypatch.setattr(clean_up.CleanUp, "_find", watched)
    application = await replica.apply(plan)

    assert application.verifications[0].backed_up_rows == 3_000
    assert sum(low == 0 for low, _ in looks) <= 2
    assert len(looks) <= 2 * (3_000 // 700 + 1)


async def test_changes_that_nobody_counts_are_refused(
    postgres: Server, database: str, replica: Harness, application_session: asyncpg.Connection
) -> None:
    """Without track_counts what triggers do is unknown: an application is refused, and so is the script."""
    plan = await planned(replica, database, ORDERS, delete(RELATIONSHIP))
    await application_session.execute(f"ALTER DATABASE {database_name(database)} SET track_counts = off")

    with pytest.raises(Refused, match="track_counts is off"):
        await migrations.apply(replica.services, CALLER, plan.id)
    with pytest.raises(RuntimeError, match="track_counts is off"):
        await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
    assert await application_session.fetchval("SELECT count(*) FROM orders") == 20


async def test_end_of_a_step_counts_all_its_batches(database: str, replica: Harness, application_session: asyncpg.Connection) -> None:
    """A cleanup that went on after a failure ends with what all its batches took."""
    sql = """
        CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE TRIGGER object BEFORE DELETE ON orders FOR EACH ROW WHEN (OLD.id = 999) EXECUTE FUNCTION object();
        INSERT INTO orders SELECT n, n, '' FROM generate_series(100, 300) AS n;
        INSERT INTO orders VALUES (999, 999, '');
    """
    plan = await planned(replica, database, ORDERS + sql, delete(RELATIONSHIP))
    await failed(replica, plan)
    await application_session.execute("CREATE OR REPLACE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'")
    await replica.apply(plan)

    rows = await application_session.fetch("SELECT entry, row_count FROM holdfast.ledger WHERE entry IN ('BATCH', 'DONE') ORDER BY id")
    batches = [row["row_count"] for row in rows if row["entry"] == "BATCH"]
    assert len(batches) > 1
    assert sum(batches) == 212
    assert max(row["row_count"] for row in rows if row["entry"] == "DONE") == 212
