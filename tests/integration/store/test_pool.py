"""A store that is lost is told apart from SQL that is wrong."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import Reason, Unavailable
from holdfastd.store.pool import Store
from holdfastd.store.signals import JOBS_CHANNEL
from support.postgres import Server


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
    "dsn",
    [
        "postgresql://app:hunter2@127.0.0.1:1/x",
        "postgresql://app:hunter2@127.0.0.1:port/x",
        "nonsense://app:hunter2@nowhere",
    ],
)
async def test_unreachable_store_is_unavailable_and_keeps_its_secret(dsn: str) -> None:
    with pytest.raises(Unavailable) as refusal:
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
