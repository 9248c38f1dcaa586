"""What other sessions do while we clean up: repair a row, bring the referenced row late, hold locks, overtake us."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.flows import migrations
from holdfastd.jobs.model import Event, EventKind, Job
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.harness import CALLER, Harness, harness
from support.postgres import Server

ORDERS = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
    CREATE INDEX orders_customer_idx ON orders (customer_id);
    INSERT INTO orders SELECT n, n, 'untouched' FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
DELETE, NULLIFY = delete(RELATIONSHIP), nullify(RELATIONSHIP)


@pytest.fixture
async def replica(postgres: Server, database: str) -> AsyncIterator[Harness]:
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    await connection.close()
    async with harness(postgres) as running:
        await running.register(database)
        await running.audit()
        yield running


@pytest.fixture
async def application_session(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def events_of(replica: Harness, job: Job) -> list[Event]:
    return [event async for event in replica.events(job)]


async def wait_for(replica: Harness, job: Job, kind: EventKind) -> Event:
    async for event in replica.events(job):
        if event.happening.kind is kind:
            return event
    raise AssertionError(f"no {kind}")


@pytest.mark.parametrize("override", [DELETE, NULLIFY], ids=["delete", "set-null"])
async def test_row_repaired_while_we_wait_for_it_stays(replica: Harness, application_session: asyncpg.Connection, override: object) -> None:
    """A row that another transaction repairs while we wait for its lock is no orphan any more (the EvalPlanQual trap)."""
    plan = await replica.plan("shop", override)
    # The key must be in place before the application's transaction begins, or adding it would wait for the transaction.
    async with held_before_clean_up(replica):
        job = await migrations.apply(replica.services, CALLER, plan.id)
        await wait_until(application_session, "SELECT count(*) = 1 FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
        repair = application_session.transaction()
        await repair.start()
        await application_session.execute("UPDATE orders SET customer_id = 7, note = 'repaired' WHERE id = 55")
    await wait_for(replica, job, EventKind.LOCK_WAIT)
    # In the middle of an attempt: between two of them, the next one simply finds the row repaired.
    await wait_until(application_session, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    await repair.commit()
    ended = await replica.succeed(job)

    row = await application_session.fetchrow("SELECT customer_id, note FROM orders WHERE id = 55")
    assert tuple(row) == (7, "repaired")
    assert ended.verifications[0].backed_up_rows == 9


async def test_referenced_row_that_commits_late_is_not_missed(replica: Harness, application_session: asyncpg.Connection) -> None:
    """A referenced row inserted but not yet committed when we look makes its rows no orphans."""
    plan = await replica.plan("shop", DELETE)
    async with held_before_clean_up(replica):
        job = await migrations.apply(replica.services, CALLER, plan.id)
        await wait_until(application_session, "SELECT count(*) = 1 FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
        late = application_session.transaction()
        await late.start()
        await application_session.execute("INSERT INTO customers VALUES (60, 'late')")
    waiting = await wait_for(replica, job, EventKind.LOCK_WAIT)
    await late.commit()
    ended = await replica.succeed(job)

    assert f"pid {application_session.get_server_pid()}" in waiting.happening.message
    assert await application_session.fetchval("SELECT count(*) FROM orders WHERE id = 60") == 1
    assert ended.verifications[0].backed_up_rows == 9


async def test_writers_never_wait_longer_than_the_lock_policy(
    replica: Harness, application_session: asyncpg.Connection, database: str
) -> None:
    """While adding the key waits for a long writer, another writer gets through between the attempts."""
    plan = await replica.plan("shop", DELETE)
    long = application_session.transaction()
    await long.start()
    await application_session.execute("UPDATE customers SET name = 'busy' WHERE id = 1")
    job = await migrations.apply(replica.services, CALLER, plan.id)
    await wait_for(replica, job, EventKind.LOCK_WAIT)
    other = await asyncpg.connect(database)
    longest = 0.0
    for n in range(100, 130):
        started = asyncio.get_running_loop().time()
        await other.execute("INSERT INTO orders VALUES ($1, 1, 'new')", n)
        longest = max(longest, asyncio.get_running_loop().time() - started)
        await asyncio.sleep(0.02)
    await other.close()
    await long.rollback()
    await replica.succeed(job)

    # lock_timeout is 0.4 s; the rest is this machine's.
    assert longest < 1.5


async def test_cleaning_up_leaves_writers_room(replica: Harness, application_session: asyncpg.Connection, database: str) -> None:
    """Batches lock the referenced table for about a tenth of a second, and then leave it alone; no writer waits for more than one."""
    await application_session.execute("INSERT INTO orders SELECT n, n, 'x' FROM generate_series(1000, 9000) AS n")
    await application_session.execute("INSERT INTO customers SELECT n, 'x' FROM generate_series(10000, 40000) AS n")
    await application_session.execute("INSERT INTO orders SELECT n, n, 'x' FROM generate_series(10000, 40000) AS n")
    await replica.audit()
    plan = await replica.plan("shop", DELETE)
    writer = await asyncpg.connect(database)
    waits: list[float] = []

    async def write() -> None:
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            await writer.execute("UPDATE customers SET name = 'written' WHERE id = 10000 + $1", len(waits) % 1000)
            waits.append(clock() - started)

    writing = asyncio.create_task(write())
    ended = await replica.apply(plan)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await writer.close()

    assert ended.verifications[0].backed_up_rows == 8011
    assert max(waits) < 0.8
    # A lock held throughout would let through one in the first moment and one in the last.
    assert len(waits) > 50


async def test_no_more_rows_are_deleted_than_were_approved(replica: Harness, application_session: asyncpg.Connection) -> None:
    """A referenced table emptied since the plan was made does not take its referencing rows along."""
    await application_session.execute("INSERT INTO customers SELECT n, 'x' FROM generate_series(1000, 4000) AS n")
    await application_session.execute("INSERT INTO orders SELECT n, n, 'x' FROM generate_series(1000, 4000) AS n")
    plan = await replica.plan("shop", DELETE)
    await application_session.execute("DELETE FROM customers WHERE id >= 1000")
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))

    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert await application_session.fetchval("SELECT count(*) FROM orders") == 20 + 3001


async def test_trigger_that_changes_more_is_refused(replica: Harness, application_session: asyncpg.Connection) -> None:
    """What a user trigger deletes is in no backup, so the batch is undone."""
    await application_session.execute("""
        CREATE TABLE notes (order_id integer);
        INSERT INTO notes SELECT n FROM generate_series(41, 60) AS n;
        CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN DELETE FROM public.notes WHERE order_id = OLD.id; RETURN OLD; END $$;
        CREATE TRIGGER forget AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION forget();
    """)
    plan = await replica.plan("shop", DELETE)
    ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))

    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert "trigger" in ended.error_message
    assert await application_session.fetchval("SELECT count(*) FROM notes") == 20
    assert await application_session.fetchval("SELECT count(*) FROM orders") == 20


class held_before_clean_up:  # noqa: N801 (reads as a sentence where it is used)
    """Keep the executor from its cleanup steps until the block ends."""

    def __init__(self, replica: Harness) -> None:
        self.replica = replica

    async def __aenter__(self) -> None:
        from holdfastd.execute import failpoints

        failpoints.arm("CLEAN_UP.begun#1=sleep:1.5")

    async def __aexit__(self, *_: object) -> None:
        from holdfastd.execute import failpoints

        failpoints.arm("")


async def wait_until(connection: asyncpg.Connection, question: str) -> None:
    """Ask until the answer is true."""
    for _ in range(200):
        if await connection.fetchval(question):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(question)
