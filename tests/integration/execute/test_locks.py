"""Waiting for locks: others go on meanwhile, nobody is queued behind who may take for ever, and who is in the way has a name."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind
from holdfastd.names import TableName
from holdfastd.plan.lock_budgets import BUDGETS, conflicting, mode
from holdfastd.plan.model import LockLevel, LockPolicy, TableLock
from support.listener import Listener, wait_until, working_session
from support.postgres import Server, database_name

CUSTOMERS, ORDERS = TableName("public", "customers"), TableName("public", "orders")
TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO customers SELECT n, 'x' FROM generate_series(1, 50) AS n;
INSERT INTO orders SELECT n, n, 'x' FROM generate_series(1, 50) AS n;
"""
ADD = "ALTER TABLE public.orders ADD CONSTRAINT key FOREIGN KEY (customer_id) REFERENCES public.customers NOT VALID"
ADD_LOCKS = tuple(TableLock(table=table, level=LockLevel.SHARE_ROW_EXCLUSIVE) for table in (ORDERS, CUSTOMERS))
DROP = "ALTER TABLE public.orders DROP CONSTRAINT key"
DROP_LOCKS = tuple(TableLock(table=table, level=LockLevel.ACCESS_EXCLUSIVE) for table in (ORDERS, CUSTOMERS))
#: The longest lock_timeout, and what the look-out and two busy cores add.
LONGEST_STALL = 0.4 + 0.4


@pytest.fixture
async def application(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database, server_settings={"application_name": "shop"})
    await connection.execute(TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def session(database: str, application: asyncpg.Connection) -> AsyncIterator[TargetSession]:
    async with working_session(database) as session:
        yield session


@pytest.fixture
def listener() -> Listener:
    return Listener()


def locked(
    session: TargetSession,
    listener: Listener,
    sql: str,
    locks: tuple[TableLock, ...] = (),
    policy: LockPolicy = LockPolicy.SHORT,
) -> asyncio.Task[str]:
    """Run one statement under a lock policy, at the side."""
    work: Callable[[], Awaitable[str]] = lambda: session.work.execute(sql)  # noqa: E731 (an inner function reads no better)
    is_build = policy is LockPolicy.BUILD
    return asyncio.create_task(run_locked(session, listener, policy, 1, work, transactional=not is_build, locks=locks))


async def longest_stall(dsn: str, *statements: str) -> float:
    """Return how long the slowest of an application's statements took, each run again and again by a session of its own for 1.5 s."""
    clock = asyncio.get_running_loop().time
    end = clock() + 1.5

    async def run(statement: str) -> float:
        connection = await asyncpg.connect(dsn)
        longest = 0.0
        while (started := clock()) < end:
            await connection.execute(statement)
            longest = max(longest, clock() - started)
            await asyncio.sleep(0.01)
        await connection.close()
        return longest

    return max(await asyncio.gather(*map(run, statements)))


def old_after(monkeypatch: pytest.MonkeyPatch, seconds: float, **others: float) -> None:
    for policy in (LockPolicy.SHORT, LockPolicy.BUILD):
        monkeypatch.setitem(BUDGETS, policy, replace(BUDGETS[policy], old_seconds=seconds, **others))


async def grow_older(connection: asyncpg.Connection, other: asyncpg.Connection, seconds: float) -> None:
    """Wait until the transaction of a session is so old."""
    age = "SELECT clock_timestamp() - xact_start > make_interval(secs => $2) FROM pg_stat_activity WHERE pid = $1"
    await wait_until(other, age, connection.get_server_pid(), seconds)


async def is_queued(observer: asyncpg.Connection, session: TargetSession) -> bool:
    return bool(await observer.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", session.backend))


async def test_the_table_of_conflicts_is_the_servers(database: str, application: asyncpg.Connection) -> None:
    """Whatever level one session holds, another gets exactly those that our table lets it have, and pg_locks spells it as we do."""
    other = await asyncpg.connect(database)
    wrong = []
    for held in LockLevel:
        async with application.transaction():
            await application.execute(f"LOCK TABLE orders IN {held} MODE")
            modes = await application.fetchval(
                "SELECT array_agg(mode) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'orders'::regclass"
            )
            assert modes == [mode(held)]
            for wanted in LockLevel:
                try:
                    async with other.transaction():
                        await other.execute(f"LOCK TABLE orders IN {wanted} MODE NOWAIT")
                    waits = False
                except asyncpg.LockNotAvailableError:
                    waits = True
                if waits != (held in conflicting(LockPolicy.SHORT, wanted)):
                    wrong.append((held, wanted))
    await other.close()

    assert wrong == []


async def test_adding_a_key_behind_a_writer_stalls_no_other(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str
) -> None:
    """While the key waits for a long writer of the referenced table, writers of both tables get through."""
    long = application.transaction()
    await long.start()
    await application.execute("UPDATE customers SET name = 'busy' WHERE id = 1")
    adding = locked(session, listener, ADD, ADD_LOCKS)
    stall = await longest_stall(database, "UPDATE orders SET note = 'new' WHERE id = 2", "UPDATE customers SET name = 'new' WHERE id = 2")
    await long.rollback()
    await adding

    assert stall < LONGEST_STALL
    assert {blocker.application for event in listener.of(EventKind.RETRY) for blocker in event.blockers} >= {"shop"}


async def test_dropping_a_key_behind_a_reader_stalls_no_other(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str
) -> None:
    """Rolling back takes both tables from everybody: while it waits for a long reader, other readers get through."""
    await application.execute(ADD)
    long = application.transaction()
    await long.start()
    await application.execute("SELECT FROM customers")
    dropping = locked(session, listener, DROP, DROP_LOCKS)
    stall = await longest_stall(database, "SELECT FROM orders LIMIT 1", "SELECT FROM customers LIMIT 1")
    await long.rollback()
    await dropping

    assert stall < LONGEST_STALL
    assert listener.of(EventKind.RETRY)


async def test_waits_for_several_locks_count_together(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str
) -> None:
    """lock_timeout is per lock: rows that many sessions hold one after the other must not add up while a lock is held."""
    holders = [await asyncpg.connect(database) for _ in range(8)]
    started = asyncio.Event()

    async def hold(number: int, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE orders SET note = 'held' WHERE id = $1", number + 1)
            await started.wait()
            await asyncio.sleep(0.3 * (number + 1))

    async def batch() -> None:
        started.set()
        await session.work.execute("LOCK TABLE public.customers IN SHARE MODE")
        # In the order of the rows, so that each wait is shorter than the timeout.
        await session.work.execute("SELECT FROM public.orders WHERE id <= 8 FOR UPDATE")

    holding = [asyncio.create_task(hold(number, connection)) for number, connection in enumerate(holders)]
    await wait_until(application, "SELECT count(*) = 8 FROM pg_stat_activity WHERE state = 'idle in transaction'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, LockPolicy.SHORT, replace(BUDGETS[LockPolicy.SHORT], timeouts_ms=(400,)))
        working = asyncio.create_task(run_locked(session, listener, LockPolicy.SHORT, 1, batch))
        stall = await longest_stall(database, "UPDATE customers SET name = 'new' WHERE id = 2")
        await asyncio.gather(*holding)
        await working
    for connection in holders:
        await connection.close()

    assert stall < LONGEST_STALL


@pytest.mark.parametrize("policy", [LockPolicy.SHORT, LockPolicy.BUILD])
async def test_nothing_queues_behind_an_old_transaction(
    session: TargetSession,
    listener: Listener,
    application: asyncpg.Connection,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    policy: LockPolicy,
) -> None:
    """Nothing is asked of the lock manager while an old writer is there; it is named, and as soon as it ends we go on."""
    old_after(monkeypatch, 0.3)
    observer = await asyncpg.connect(database)
    old = application.transaction()
    await old.start()
    await application.execute("UPDATE orders SET note = 'busy' WHERE id = 1")
    await grow_older(application, observer, 0.4)
    index = "CREATE INDEX CONCURRENTLY orders_customer_idx ON public.orders (customer_id)"
    building = (TableLock(table=ORDERS, level=LockLevel.SHARE_UPDATE_EXCLUSIVE),)
    statement = (ADD, ADD_LOCKS) if policy is LockPolicy.SHORT else (index, building)
    waiting = locked(session, listener, *statement, policy)
    told = await listener.hear(EventKind.LOCK_WAIT)
    queued = [await is_queued(observer, session) for _ in range(100)]
    await old.commit()
    await waiting
    await observer.close()

    assert not any(queued)
    assert [(blocker.pid, blocker.application, blocker.query) for blocker in told.blockers] == [(application.get_server_pid(), "shop", "")]
    assert f"pid {application.get_server_pid()} (shop, for" in told.message
    assert listener.of(EventKind.RETRY) == []


async def test_a_build_does_not_begin_behind_an_old_snapshot(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot on any table of the database would hold up the end of the build, so its beginning waits; one of another database is none."""
    old_after(monkeypatch, 0.3)
    observer = await asyncpg.connect(database)
    snapshot = application.transaction(isolation="repeatable_read")
    await snapshot.start()
    await application.execute("SELECT FROM customers")
    await grow_older(application, observer, 0.4)
    locks = (TableLock(table=ORDERS, level=LockLevel.SHARE_UPDATE_EXCLUSIVE),)
    index = "CREATE INDEX CONCURRENTLY orders_customer_idx ON public.orders (customer_id)"
    building = locked(session, listener, index, locks, LockPolicy.BUILD)
    await listener.hear(EventKind.LOCK_WAIT)
    begun = await observer.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'orders_customer_idx'")
    await snapshot.rollback()
    await building
    await observer.close()

    assert begun == 0


async def test_the_budget_ends_with_a_name(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the old transaction does not end in time, the refusal says who it is."""
    old_after(monkeypatch, 0.2, total_seconds=0.5)
    async with application.transaction():
        await application.execute("UPDATE orders SET note = 'busy' WHERE id = 1")
        await grow_older(application, session.observer, 0.3)
        with pytest.raises(Refused) as caught:
            await locked(session, listener, ADD, ADD_LOCKS)

    assert caught.value.reason is Reason.LOCK_TIMEOUT
    assert caught.value.facts["blocker"].startswith(f"pid {application.get_server_pid()} (shop, for")


async def test_queries_are_told_only_where_that_is_wanted(database: str, application: asyncpg.Connection, listener: Listener) -> None:
    """Whoever starts the service decides whether events hold the text of others' queries."""
    async with working_session(database, tells_queries=True) as session, application.transaction():
        await application.execute("UPDATE orders SET note = 'secret' WHERE id = 1")
        adding = locked(session, listener, ADD, ADD_LOCKS)
        told = await listener.hear(EventKind.RETRY)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)

    assert [blocker.query for blocker in told.blockers] == ["UPDATE orders SET note = 'secret' WHERE id = 1"]


async def test_a_deadlock_with_the_application_is_ours_to_lose(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str
) -> None:
    """The application takes the tables in the opposite order: it gets both, and we come later."""
    await application.execute("BEGIN; UPDATE customers SET name = 'first' WHERE id = 1")
    adding = locked(session, listener, ADD, ADD_LOCKS)
    held = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND granted AND mode = 'ShareRowExclusiveLock')"
    other = await asyncpg.connect(database)
    await wait_until(other, held, session.backend)
    await other.close()
    await application.execute("UPDATE orders SET note = 'second' WHERE id = 1")
    await application.execute("COMMIT")
    await adding

    assert await application.fetchval("SELECT note FROM orders WHERE id = 1") == "second"
    assert listener.of(EventKind.RETRY)


async def test_locks_of_partitions_count(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock on a partitioned table takes its partitions, so an old writer of one of them is in the way."""
    old_after(monkeypatch, 0.2)
    await application.execute(
        "CREATE TABLE parts (id integer) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1)"
    )
    old = application.transaction()
    await old.start()
    await application.execute("INSERT INTO part_1 VALUES (1)")
    await grow_older(application, session.observer, 0.3)
    lock = TableLock(table=TableName("public", "parts"), level=LockLevel.SHARE_ROW_EXCLUSIVE)
    waiting = locked(session, listener, "LOCK TABLE public.parts IN SHARE ROW EXCLUSIVE MODE", (lock,))
    told = await listener.hear(EventKind.LOCK_WAIT, "Not queueing")
    await old.rollback()
    await waiting

    assert [blocker.pid for blocker in told.blockers] == [application.get_server_pid()]


async def test_a_role_that_may_not_see_ages_counts_itself(
    postgres: Server, application: asyncpg.Connection, database: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pg_read_all_stats the age of others' transactions is hidden; one that was in the way for long enough is old all the same."""
    old_after(monkeypatch, 0.3)
    name, role = database_name(database), f"blind_{secrets.token_hex(4)}"
    await application.execute(f"CREATE ROLE {role} LOGIN; ALTER TABLE orders OWNER TO {role}; ALTER TABLE customers OWNER TO {role}")
    async with working_session(postgres.dsn(name, role=role)) as session:
        await application.execute("BEGIN; UPDATE orders SET note = 'busy' WHERE id = 1")
        adding = locked(session, listener, ADD, ADD_LOCKS)
        told = await listener.hear(EventKind.LOCK_WAIT, "Not queueing")
        await application.execute("ROLLBACK")
        await adding
    await application.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")

    assert [blocker.pid for blocker in told.blockers] == [application.get_server_pid()]


@pytest.mark.slow
async def test_a_prepared_transaction_is_named() -> None:
    """It holds its locks without a backend, often since somebody forgot it; its name is what ends it."""
    server = Server(18)
    await server.start()
    try:
        await server.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
        await server.halt("fast")
        await server.restart()
        dsn = await server.create_database()
        await server.execute(TABLES, database=database_name(dsn))
        await server.execute("BEGIN; INSERT INTO orders VALUES (99); PREPARE TRANSACTION 'forgotten'", database=database_name(dsn))
        listener = Listener()
        async with working_session(dsn) as session:
            with pytest.MonkeyPatch.context() as patch:
                old_after(patch, 0.1, total_seconds=0.5)
                with pytest.raises(Refused) as caught:
                    await locked(session, listener, ADD, ADD_LOCKS)
    finally:
        await server.stop()

    assert caught.value.facts["blocker"].startswith("pid 0 (prepared transaction forgotten, for")


@pytest.mark.slow
async def test_an_autovacuum_gives_way(
    postgres: Server, session: TargetSession, listener: Listener, application: asyncpg.Connection
) -> None:
    """It yields only to who waits longer than deadlock_timeout: below that we would starve behind it."""
    await application.execute(
        "ALTER TABLE orders SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 0,"
        " autovacuum_vacuum_scale_factor = 0); INSERT INTO orders SELECT n, 1, repeat('x', 500) FROM generate_series(100, 20000) AS n;"
        " DELETE FROM orders WHERE id >= 100"
    )
    await postgres.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    await postgres.execute("SELECT pg_reload_conf()")
    try:
        vacuuming = (
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE backend_type = 'autovacuum worker'"
            " AND relation = 'public.orders'::regclass AND mode = 'ShareUpdateExclusiveLock')"
        )
        await wait_until(application, vacuuming)
        await locked(session, listener, ADD, ADD_LOCKS)
    finally:
        await postgres.execute("ALTER SYSTEM RESET autovacuum_naptime")
        await postgres.execute("SELECT pg_reload_conf()")

    assert await application.fetchval("SELECT count(*) FROM pg_constraint WHERE conname = 'key'") == 1
    assert {blocker.application for event in listener.of(EventKind.RETRY) for blocker in event.blockers} == {"autovacuum worker"}
