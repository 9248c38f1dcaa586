"""Snapshots of a real store: what is read, what is not read again, what vanishes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from holdfastd.inference.model import Tier
from holdfastd.jobs.model import EventKind, JobKind, JobState, Progress
from holdfastd.metrics.snapshot import Snapshot, SnapshotReader
from holdfastd.store import audit_log, audits, databases, jobs, leases
from holdfastd.store.model import DatabaseRecord
from holdfastd.store.pool import Store
from support.stored import MOMENT, SUMMARY, a_relationship, add_audit, add_database, add_job, an_event

TTL = timedelta(minutes=5)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """An open store in an empty database."""
    store = await Store.open(database)
    yield store
    await store.close()


async def _audit(store: Store, database: DatabaseRecord, *orphans: int, state: JobState = JobState.SUCCEEDED) -> None:
    await add_audit(store, database)
    found = [a_relationship(f"column_{number}", orphans=rows) for number, rows in enumerate(orphans)]
    async with store.transaction() as connection:
        job = await leases.claim(connection, "w", TTL)
        assert job is not None
        await audits.save_result(connection, job.audit_id, relationships=found, findings=(), summary=SUMMARY, end_time=MOMENT)
        await leases.finish(connection, job, state)


def _rows(snapshot: Snapshot) -> dict[str, list[int] | None]:
    return {one.database: sorted(one.audit.orphan_rows.values()) if one.audit else None for one in snapshot.databases}


async def test_every_database_shows_its_newest_audit(store: Store) -> None:
    """The newest that succeeded; a database without one is there without numbers, and a removed one is not there."""
    shop, new = await add_database(store), await add_database(store, "new", oid=6)
    await _audit(store, shop, 1)
    reader = SnapshotReader(store, 1000)

    first = await reader.read()
    await _audit(store, shop, 2, 3)
    await _audit(store, shop, 9, state=JobState.FAILED)
    second = await reader.read()
    async with store.transaction() as connection:
        await databases.remove(connection, new.name)
    third = await reader.read()

    assert _rows(first) == {"shop": [1], "new": None}
    assert _rows(second) == {"shop": [2, 3], "new": None}
    assert _rows(third) == {"shop": [2, 3]}
    assert second.databases[1].audit is not None
    assert second.databases[1].audit.candidates == {Tier.PLAN: 2, Tier.REVIEW: 0}
    assert 0 < first.time < second.time


async def test_what_was_read_is_not_read_again(store: Store) -> None:
    """With hundreds of databases, only those with a newer audit are read; shown by taking away what would be read."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    await _audit(store, shop, 1)
    await _audit(store, other, 2)
    reader = SnapshotReader(store, 1000)
    await reader.read()
    async with store.connection() as connection:
        await connection.execute("DELETE FROM audit_relationships")

    assert _rows(await reader.read()) == {"other": [2], "shop": [1]}
    await _audit(store, shop, 3)
    assert _rows(await reader.read()) == {"other": [2], "shop": [3]}
    assert _rows(await SnapshotReader(store, 1000).read()) == {"other": [], "shop": [3]}


async def test_relationships_beyond_the_limit_are_told(store: Store) -> None:
    await _audit(store, await add_database(store), 1, 5, 3)

    [shop] = (await SnapshotReader(store, 2).read()).databases

    assert shop.audit is not None
    assert (sorted(shop.audit.orphan_rows.values()), shop.audit.dropped) == ([3, 5], 1)


async def test_the_queue_is_told(store: Store) -> None:
    """What is queued and since when, what is paused, what runs and does not move, what failed last."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    still = await add_database(store, "still", oid=7)
    await _audit(store, shop, 1, state=JobState.FAILED)
    async with store.transaction() as connection:
        await add_job(connection, still)
        held = await leases.claim(connection, "w", TTL)
        assert held is not None
        await jobs.request_pause(connection, held.id, "ann")
        await leases.append_event(connection, held, an_event(kind=EventKind.HELD_BACK), Progress(waiting_for="paused by ann"))
        await add_job(connection, shop)
        running = await leases.claim(connection, "w", TTL)
        assert running is not None
        await leases.append_event(connection, running, an_event(kind=EventKind.LOCK_WAIT), Progress(waiting_for="a lock"))
        paused = await add_job(connection, other)
        await jobs.request_pause(connection, paused.id, "ann")
    queued = await add_audit(store, other)

    snapshot = await SnapshotReader(store, 0).read()

    told = {(one.database, one.kind, one.state): (one.jobs, one.paused, one.held_back, one.oldest) for one in snapshot.open_jobs}
    assert told == {
        ("shop", JobKind.APPLICATION, JobState.RUNNING): (1, 0, 1, None),
        ("still", JobKind.APPLICATION, JobState.RUNNING): (1, 1, 0, None),
        ("other", JobKind.APPLICATION, JobState.QUEUED): (1, 1, 0, None),
        ("other", JobKind.AUDIT, JobState.QUEUED): (1, 0, 0, queued.create_time),
    }
    assert [(one.database, one.kind, one.state, one.jobs) for one in snapshot.ended_jobs] == [("shop", JobKind.AUDIT, JobState.FAILED, 1)]


async def test_missed_audits_are_told(store: Store) -> None:
    """Of databases with a schedule; the others have nothing to miss."""
    shop = await add_database(store)
    await add_database(store, "other", oid=6)
    schedule = """
        INSERT INTO schedules (database_id, every, due_time, next_time, missed_runs, principal)
        VALUES ($1, '1 day', now(), now(), 3, 'ann')
    """
    async with store.connection() as connection:
        await connection.execute(schedule, shop.id)

    snapshot = await SnapshotReader(store, 0).read()

    assert {one.database: one.missed_runs for one in snapshot.databases} == {"shop": 3, "other": None}


async def test_the_head_of_the_audit_log_is_told(store: Store) -> None:
    reader = SnapshotReader(store, 0)
    empty = await reader.read()
    async with store.transaction() as connection:
        entry = await audit_log.append(connection, principal="ann", action="plan.approve")
    after = await reader.read()

    assert empty.log_head is None
    assert after.log_head is not None
    assert (after.log_head.sequence, after.log_head.hash) == (1, entry.hash)


async def test_a_job_that_nobody_goes_on_with_waits_like_a_queued_one(store: Store) -> None:
    """Its replica is gone and all others are busy: half an application must not wait unseen because it counts as running."""
    shop = await add_database(store)
    async with store.transaction() as connection:
        await add_job(connection, shop)
        job = await leases.claim(connection, "lost", TTL)
        assert job is not None
    [before] = (await SnapshotReader(store, 0).read()).open_jobs
    async with store.transaction() as connection:
        await leases.give_back(connection, job)
    [after] = (await SnapshotReader(store, 0).read()).open_jobs

    assert (before.state, before.oldest) == (JobState.RUNNING, None)
    assert after.state is JobState.RUNNING
    assert after.oldest is not None
    assert after.oldest > job.create_time
