"""The store is kept small while replicas work."""

import asyncio
from datetime import timedelta

import pytest

from holdfastd.errors import Pruned, Reason
from holdfastd.jobs.feed import Feed
from holdfastd.jobs.housekeeper import Housekeeper
from holdfastd.jobs.model import JobState
from holdfastd.store import leases
from holdfastd.store.pool import Store
from support.stored import add_audit, add_database, add_job, an_event

DAY = timedelta(days=1)


async def test_house_is_kept_until_told_to_stop(store: Store) -> None:
    """Old requests, events and audits go, more of them than one batch holds; who watches what is gone is told so."""
    database = await add_database(store)
    async with store.transaction() as connection:
        change = await add_job(connection, database)
        claimed = await leases.claim(connection, "w", DAY)
        assert claimed is not None
        await leases.append_event(connection, claimed, an_event())
        await connection.execute(
            "INSERT INTO events (job_id, sequence, document) SELECT $1, n, '{}' FROM generate_series(2, 2500) AS n", claimed.id
        )
        await connection.execute("UPDATE jobs SET last_sequence = 2500 WHERE id = $1", claimed.id)
        await leases.finish(connection, claimed, JobState.FAILED)
    for _ in range(7):
        await add_audit(store, database)
    async with store.connection() as connection:
        await connection.execute("UPDATE jobs SET state = 'FAILED', end_time = now() WHERE state = 'QUEUED'")
        await connection.execute("UPDATE jobs SET end_time = end_time - interval '2 days'")
        await connection.execute(
            "INSERT INTO requests (principal, method, request_id, digest, create_time)"
            " SELECT 'ann', 'StartAudit', n::text, 'd', now() - interval '31 days' FROM generate_series(1, 1500) AS n"
        )
    stopping = asyncio.Event()
    keeping = asyncio.create_task(Housekeeper(store, jobs=DAY, orphan_counts_kept=DAY).run(stopping))
    try:
        async with asyncio.timeout(20):
            while await _left(store) != (0, 0, 1):
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await keeping

    with pytest.raises(Pruned) as pruned:
        async for _ in Feed().watch(store, asyncio.Event(), change.id, 0):
            pass
    assert pruned.value.reason is Reason.EVENTS_PRUNED


async def _left(store: Store) -> tuple[int, ...]:
    """How many requests, events and jobs there are."""
    async with store.connection() as connection:
        return tuple([await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("requests", "events", "jobs")])


async def test_store_that_is_away_ends_nothing(store: Store) -> None:
    """House is kept again when it is back."""
    housekeeper = Housekeeper(store, jobs=DAY, orphan_counts_kept=DAY, every=timedelta(seconds=0.1))
    stopping = asyncio.Event()
    keeping = asyncio.create_task(housekeeper.run(stopping))
    try:
        async with store.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute(
                "INSERT INTO requests (principal, method, request_id, digest, create_time) VALUES ('a', 'b', 'c', 'd', '2020-01-01')"
            )
        async with asyncio.timeout(10):
            while (await _left(store))[0]:
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await keeping
