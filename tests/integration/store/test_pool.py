"""A store that is lost is told apart from SQL that is wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import pytest

from holdfastd.errors import Reason, Unavailable
from holdfastd.jobs.model import JobState
from holdfastd.store import audit_log, housekeeping, leases
from holdfastd.store.pool import Store
from holdfastd.store.signals import JOBS_CHANNEL
from support.postgres import Server
from support.stored import add_audit, add_database, an_event


@pytest.fixture
async def own_server() -> AsyncIterator[Server]:
    """A server that the test may stop."""
    server = await Server().start()
    yield server
    await server.stop()


async def test_lost_connection_is_unavailable(store: Store) -> None:
    with pytest.raises(Unavailable) as refusal:
        async with store.connection() as connection:
            await connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_wrong_sql_stays_what_it_is(store: Store) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with store.transaction() as connection:
            await connection.execute("SELECT * FROM nowhere")


TROUBLES = {
    "a standby that took its place": "SET TRANSACTION READ ONLY; CREATE TABLE kept ()",
    "a full disk": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$",
    "no memory left": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'out_of_memory'; END $$",
    "a broken disk": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'io_error'; END $$",
    "an impatient setting": "SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)",
    "a deadlock": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$",
}


@pytest.mark.parametrize("statement", TROUBLES.values(), ids=TROUBLES)
async def test_trouble_of_the_server_is_unavailable(store: Store, statement: str) -> None:
    """What passes without us is no fault of the request: callers try again, and workers do."""
    with pytest.raises(Unavailable) as refusal:
        async with store.transaction() as connection:
            await connection.execute(statement)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE


async def test_connections_to_a_read_only_server_are_made_anew(store: Store) -> None:
    """The address may lead to the new primary already, while open connections still end at the old one."""
    async with store.connection() as connection:
        before = connection.get_server_pid()
    with pytest.raises(Unavailable):
        async with store.transaction() as connection:
            await connection.execute("SET TRANSACTION READ ONLY; CREATE TABLE kept ()")
    async with store.connection() as connection:
        assert connection.get_server_pid() != before


async def test_error_in_between_rolls_back(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as connection:
            await connection.execute("CREATE TABLE kept ()")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('kept')") is None


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://app:hunter2@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql://app:hunter2@127.0.0.1:port/x", "malformed; write postgresql://"),
        ("nonsense://app:hunter2@nowhere", "malformed; write postgresql://"),
    ],
)
async def test_unreachable_store_is_unavailable_and_keeps_its_secret(dsn: str, words: str) -> None:
    """What to correct is said, and nothing of the DSN."""
    with pytest.raises(Unavailable, match=words) as refusal:
        await Store.open(dsn)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    assert "hunter2" not in f"{refusal.value.message} {refusal.value.facts} {refusal.value.__cause__}"


async def test_store_is_found_again_after_a_crash(own_server: Server) -> None:
    """While it is away callers hear UNAVAILABLE; then connections and signals come back by themselves."""
    store = await Store.open(await own_server.create_database("store"))
    try:
        await own_server.halt()
        for _ in range(2):
            with pytest.raises(Unavailable):
                async with store.connection():
                    pass
        await own_server.restart()

        with store.signals.waiting(JOBS_CHANNEL, "job-1") as signal:
            await asyncio.wait_for(signal.wait(), timeout=10)
            signal.clear()
            async with store.connection() as connection:
                await connection.execute("SELECT pg_notify($1, 'job-1')", JOBS_CHANNEL)
            await asyncio.wait_for(signal.wait(), timeout=5)
    finally:
        await store.close()


async def test_signals_reach_only_those_who_wait_for_them(store: Store) -> None:
    with store.signals.waiting(JOBS_CHANNEL, "job-1") as mine, store.signals.waiting(JOBS_CHANNEL, "job-2") as other:
        await asyncio.wait_for(store.signals.listening.wait(), timeout=5)
        mine.clear()
        other.clear()
        async with store.connection() as connection:
            await connection.execute("SELECT pg_notify($1, 'job-1')", JOBS_CHANNEL)
        await asyncio.wait_for(mine.wait(), timeout=5)

        assert not other.is_set()


_LEFT = """
    SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
         + (SELECT count(*) FROM pg_listening_channels())
         + (SELECT count(*) FROM pg_cursors WHERE is_holdable)
         + (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid))
         + (SELECT count(*) FROM pg_settings WHERE source = 'session')
         + (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%')
"""


_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


async def _left_behind(store: Store) -> int:
    """What sessions of the store hold that no query of the store may leave, summed over as many as are lent at once."""
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(store.connection()) for _ in range(5)]
        return sum([await connection.fetchval(_LEFT) for connection in lent])


async def test_work_leaves_nothing_in_its_session(store: Store) -> None:
    """Connections go back as they are, so nothing may stay: locks, settings, channels, cursors, tables, transactions."""
    await add_audit(store, await add_database(store))
    async with store.transaction() as connection:
        job = await leases.claim(connection, "w", timedelta(minutes=1))
        assert job is not None
    async with store.transaction() as connection:
        await leases.hold(connection, job)
        await leases.append_event(connection, job, an_event())
        await audit_log.append(connection, principal="ann", action="plan.approve")
    async with store.connection() as connection:
        await housekeeping.is_ours(connection)
        await leases.finish(connection, job, JobState.SUCCEEDED)

    assert await _left_behind(store) == 0


async def test_a_caller_who_leaves_in_the_middle_leaves_no_transaction(store: Store) -> None:
    """Cancelled while the store works on a statement: its transaction is undone before the connection is lent again."""
    async with store.connection() as connection:
        await connection.execute("CREATE TABLE left_behind ()")

    async def work() -> None:
        async with store.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(7), set_config('work_mem', '1MB', true)")
            await connection.execute("DROP TABLE left_behind")
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(5):
        task = asyncio.create_task(work())
        # A server that is told to stop before it has begun goes on.
        async with asyncio.timeout(10), store.connection() as connection:
            while not await connection.fetchval(_SLEEPERS):
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await _left_behind(store) == 0
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('left_behind') IS NOT NULL")


async def test_a_transaction_that_was_left_open_is_undone(store: Store) -> None:
    """Also a failed one, and one that was begun by hand."""
    for statement in ("SELECT 1", "SELECT pg_advisory_xact_lock(7)", "SELECT 1 / 0"):
        with contextlib.suppress(asyncpg.DivisionByZeroError):
            async with store.connection() as connection:
                await connection.execute("BEGIN")
                await connection.execute(statement)

    assert await _left_behind(store) == 0
