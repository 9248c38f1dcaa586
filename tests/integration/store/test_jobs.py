"""Jobs as their callers see them."""

import asyncio
from datetime import timedelta

import pytest

from holdfastd.errors import Conflict, NotFound, Reason, Refused
from holdfastd.jobs.model import EventKind, JobKind, JobState
from holdfastd.store import jobs, leases
from holdfastd.store.pool import Store
from support.stored import add_audit, add_database, add_job

TTL = timedelta(seconds=30)


async def _kinds(store: Store, job_id: str) -> list[tuple[int, EventKind]]:
    async with store.connection() as connection:
        return [(event.sequence, event.happening.kind) for event in await jobs.events_after(connection, job_id, 0, 100)]


async def test_one_application_per_database_wins(store: Store) -> None:
    """Of many that start at the same moment, all but one are told which job is at it."""
    database = await add_database(store)

    async def ask() -> str:
        try:
            async with store.transaction() as connection:
                return (await add_job(connection, database)).id
        except Conflict as refusal:
            return f"{refusal.reason} {refusal.facts['job_id']}"

    *refusals, winner = sorted(await asyncio.gather(*(ask() for _ in range(8))))

    assert refusals == [f"{Reason.DATABASE_BUSY} {winner}"] * 7


async def test_rollback_waits_for_the_application(store: Store) -> None:
    """Both change the database; another database is not concerned, and neither are audits."""
    database, other = await add_database(store), await add_database(store, "gas", oid=6)
    async with store.transaction() as connection:
        await add_job(connection, database, JobKind.APPLICATION)
        await add_job(connection, other, JobKind.ROLLBACK)

        with pytest.raises(Conflict):
            await add_job(connection, database, JobKind.ROLLBACK)
    await add_audit(store, database)
    await add_audit(store, database)


async def test_ended_application_makes_room(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        first = await add_job(connection, database)
        await jobs.request_cancel(connection, first.id, "ann")

        assert (await add_job(connection, database)).id != first.id


async def test_queued_job_is_cancelled_at_once(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        job = await add_job(connection, database)
        cancelled = await jobs.request_cancel(connection, job.id, "ann")
        claimed = await leases.claim(connection, "w", TTL)

    assert (cancelled.state, cancelled.cancel_requested) == (JobState.CANCELLED, True)
    assert cancelled.end_time is not None
    assert claimed is None
    assert await _kinds(store, job.id) == [(1, EventKind.ENDED)]


async def test_running_job_is_asked_once(store: Store) -> None:
    """Asking again changes nothing, and neither does asking a job that ended."""
    database = await add_database(store)
    async with store.transaction() as connection:
        await add_job(connection, database)
        job = await leases.claim(connection, "w", TTL)
        assert job is not None
        for _ in range(2):
            asked = await jobs.request_cancel(connection, job.id, "ann")
        await leases.finish(connection, job, JobState.CANCELLED)
        ended = await jobs.request_cancel(connection, job.id, "ann")

    assert (asked.state, asked.cancel_requested, ended.state) == (JobState.RUNNING, True, JobState.CANCELLED)
    assert await _kinds(store, job.id) == [(1, EventKind.CANCEL_REQUESTED), (2, EventKind.ENDED)]


async def test_pausing_and_resuming_twice_is_once(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        await add_job(connection, database)
        job = await leases.claim(connection, "w", TTL)
        assert job is not None
        for _ in range(2):
            paused = await jobs.request_pause(connection, job.id, "ann")
        for _ in range(2):
            resumed = await jobs.request_resume(connection, job.id, "bob")

    assert (paused.state, paused.pause_requested, paused.paused_by) == (JobState.RUNNING, True, "ann")
    assert (resumed.pause_requested, resumed.paused_by) == (False, "")
    assert await _kinds(store, job.id) == [(1, EventKind.PAUSE_REQUESTED), (2, EventKind.RESUME_REQUESTED)]


async def test_job_that_has_ended_is_neither_paused_nor_resumed(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        job = await add_job(connection, database)
        await jobs.request_pause(connection, job.id, "ann")
        ended = await jobs.request_cancel(connection, job.id, "ann")
    async with store.connection() as connection:
        for attempt in (jobs.request_pause(connection, job.id, "ann"), jobs.request_resume(connection, job.id, "ann")):
            with pytest.raises(Refused) as refusal:
                await attempt
            assert refusal.value.reason is Reason.JOB_STATE

    assert (ended.state, ended.pause_requested, ended.progress.waiting_for) == (JobState.CANCELLED, False, "")


async def test_pages_are_newest_first_and_filtered(store: Store) -> None:
    database = await add_database(store)
    audits = [await add_audit(store, database) for _ in range(3)]
    async with store.transaction() as connection:
        application = await add_job(connection, database)
        first = await jobs.list_page(connection, kind=JobKind.AUDIT, limit=2)
        second = await jobs.list_page(connection, kind=JobKind.AUDIT, after=first[-1].id, limit=2)
        everything = await jobs.list_page(connection, database="shop", limit=10)

    assert [job.id for job in (*first, *second)] == [job.id for job in audits[::-1]]
    assert everything[0] == application


async def test_unknown_job_is_not_found(store: Store) -> None:
    async with store.connection() as connection:
        for attempt in (
            jobs.get(connection, "job-none"),
            jobs.request_cancel(connection, "j\0b", "ann"),
            jobs.request_pause(connection, "j\0b", "ann"),
        ):
            with pytest.raises(NotFound) as missing:
                await attempt
            assert missing.value.reason is Reason.JOB_NOT_FOUND
