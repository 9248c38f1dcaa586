"""A job belongs to one worker at a time; whoever lost it writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holdfastd.errors import LeaseLost
from holdfastd.jobs.model import EventKind, Job, JobKind, JobState, Progress, Verification
from holdfastd.store import audits, jobs, leases
from holdfastd.store.pool import Store
from support.stored import add_audit, add_database, add_job, an_event

LONG = timedelta(minutes=1)
EXPIRED = timedelta(seconds=-1)


async def _claim(store: Store, owner: str = "w", ttl: timedelta = LONG) -> Job:
    async with store.transaction() as connection:
        job = await leases.claim(connection, owner, ttl)
    assert job is not None
    return job


async def test_job_is_claimed_by_one(store: Store) -> None:
    """Ten workers, six jobs: each job is taken once."""
    databases = [await add_database(store, f"shop-{number}", oid=number) for number in range(1, 4)]
    queued = [(await add_audit(store, database)).id for database in databases for _ in range(2)]

    async def claim() -> str | None:
        async with store.transaction() as connection:
            job = await leases.claim(connection, "w", LONG)
        return None if job is None else job.id

    claimed = await asyncio.gather(*(claim() for _ in range(10)))

    assert sorted(job_id for job_id in claimed if job_id) == queued


async def test_held_job_is_not_taken(store: Store) -> None:
    await add_audit(store, await add_database(store))
    await _claim(store)
    async with store.transaction() as connection:
        assert await leases.claim(connection, "other", LONG) is None


async def test_only_wanted_kinds_are_taken(store: Store) -> None:
    await add_audit(store, await add_database(store))
    async with store.transaction() as connection:
        assert await leases.claim(connection, "w", LONG, [JobKind.ROLLBACK]) is None


async def test_expired_lease_is_taken_over_under_the_next_epoch(store: Store) -> None:
    await add_audit(store, await add_database(store))
    stalled = await _claim(store, "stalled", EXPIRED)
    successor = await _claim(store, "successor")

    assert (stalled.epoch, successor.epoch, successor.id) == (1, 2, stalled.id)
    assert successor.start_time == stalled.start_time


Write = Callable[[Any, Job], Awaitable[object]]
WRITES: dict[str, Write] = {
    "renew": lambda connection, job: leases.renew(connection, job, LONG),
    "hold": leases.hold,
    "append": lambda connection, job: leases.append_event(connection, job, an_event()),
    "finish": lambda connection, job: leases.finish(connection, job, JobState.FAILED),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_stalled_worker_is_refused(store: Store, write: Write) -> None:
    """After a takeover no write of the earlier epoch changes anything."""
    await add_audit(store, await add_database(store))
    stalled = await _claim(store, "stalled", EXPIRED)
    successor = await _claim(store, "successor")

    with pytest.raises(LeaseLost):
        async with store.transaction() as connection:
            await write(connection, stalled)
    async with store.connection() as connection:
        assert await jobs.get(connection, successor.id) == successor
        assert await jobs.events_after(connection, successor.id, 0, 10) == ()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_ended_job_takes_no_writes(store: Store, write: Write) -> None:
    await add_audit(store, await add_database(store))
    job = await _claim(store)
    async with store.transaction() as connection:
        await leases.finish(connection, job, JobState.SUCCEEDED)

    with pytest.raises(LeaseLost):
        async with store.transaction() as connection:
            await write(connection, job)


async def test_stalled_worker_cannot_give_back_what_is_not_its_own(store: Store) -> None:
    await add_audit(store, await add_database(store))
    stalled = await _claim(store, "stalled", EXPIRED)
    await _claim(store, "successor")
    async with store.transaction() as connection:
        await leases.give_back(connection, stalled)

        assert await leases.claim(connection, "third", LONG) is None


async def test_job_given_back_is_taken_at_once(store: Store) -> None:
    await add_audit(store, await add_database(store))
    job = await _claim(store)
    async with store.transaction() as connection:
        await leases.give_back(connection, job)

    assert (await _claim(store, "next")).epoch == 2


async def test_held_transaction_keeps_the_successor_away(store: Store) -> None:
    """Between `hold` and commit nobody takes the job, even when the lease runs out meanwhile."""
    await add_audit(store, await add_database(store))
    job = await _claim(store, ttl=EXPIRED)
    async with store.transaction() as connection:
        await leases.hold(connection, job)
        async with store.transaction() as other:
            assert await leases.claim(other, "successor", LONG) is None

    assert (await _claim(store, "successor")).epoch == 2


async def test_renewal_tells_what_is_asked_for(store: Store) -> None:
    await add_audit(store, await add_database(store))
    job = await _claim(store)
    async with store.transaction() as connection:
        before = await leases.renew(connection, job, LONG)
        await jobs.request_pause(connection, job.id, "ann")
        paused = await leases.renew(connection, job, LONG)
        await jobs.request_cancel(connection, job.id, "ann")
        cancelled = await leases.renew(connection, job, LONG)

    assert (before, paused, cancelled) == (leases.Asked(), leases.Asked(paused_by="ann"), leases.Asked(cancel=True, paused_by="ann"))


async def _take_over(store: Store, times: int) -> Job:
    """Lose so many workers over the job, and return it in the hands of the next."""
    for _ in range(times):
        await _claim(store, "lost", EXPIRED)
    return await _claim(store)


async def test_lost_workers_are_counted_until_something_is_done(store: Store) -> None:
    """Beginning a step is not getting it done."""
    database = await add_database(store)
    async with store.transaction() as connection:
        await add_job(connection, database)
    job = await _take_over(store, 3)
    async with store.transaction() as connection:
        begun = an_event(kind=EventKind.STEP_STARTED)
        await leases.append_event(connection, job, begun, Progress(done=1, total=2))
        counted = (await jobs.get(connection, job.id)).lost_workers
        await leases.append_event(connection, job, an_event(), Progress(done=2, total=2))
        after = (await jobs.get(connection, job.id)).lost_workers

    assert (job.lost_workers, counted, after) == (3, 3, 0)


async def test_what_an_audit_did_does_not_last(store: Store) -> None:
    """Its successor begins again, so a count that ends every process is met for ever."""
    await add_audit(store, await add_database(store))
    job = await _take_over(store, 3)
    async with store.transaction() as connection:
        await leases.append_event(connection, job, an_event(), Progress(done=1, total=2))
        after = (await jobs.get(connection, job.id)).lost_workers

    assert after == 3


async def test_giving_back_and_pausing_lose_nobody(store: Store) -> None:
    await add_audit(store, await add_database(store))
    job = await _claim(store)
    async with store.transaction() as connection:
        await leases.give_back(connection, job)
    given_back = await _claim(store, "w", EXPIRED)
    async with store.transaction() as connection:
        await jobs.request_pause(connection, job.id, "ann")
    paused = await _claim(store)

    assert (given_back.lost_workers, paused.lost_workers, paused.epoch, paused.paused_by) == (0, 0, 3, "ann")


async def test_a_worker_that_gives_back_ends_the_row_of_lost_ones(store: Store) -> None:
    """The next one takes over from nobody: neither counted as a takeover nor nearer to the end of the job."""
    await add_audit(store, await add_database(store))
    job = await _take_over(store, 3)
    async with store.transaction() as connection:
        await leases.give_back(connection, job)

    assert (job.lost_workers, (await _claim(store)).lost_workers) == (3, 0)


async def test_job_passed_on_is_left_to_others_for_a_while(store: Store) -> None:
    """Whoever cannot reach its database stays away from it first, and goes on when nobody else took it."""
    await add_audit(store, await add_database(store))
    job = await _claim(store, "far")
    async with store.transaction() as connection:
        await leases.give_back(connection, job, stays_away=LONG)
        kept_away = await leases.claim(connection, "far", LONG)
        taken = await leases.claim(connection, "near", LONG)
        assert taken is not None
        await leases.give_back(connection, taken, stays_away=timedelta(microseconds=1))
        again = await leases.claim(connection, "near", LONG)
        assert again is not None
        await leases.append_event(connection, replace(again, kind=JobKind.APPLICATION), an_event(), Progress(done=1))
        got_on = await jobs.get(connection, job.id)

    assert kept_away is None
    assert (taken.passed_on, taken.lost_workers, again.passed_on, got_on.passed_on) == (1, 0, 2, 0)


async def test_paused_job_is_not_begun(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        job = await add_job(connection, database)
        paused = await jobs.request_pause(connection, job.id, "ann")
        claimed = await leases.claim(connection, "w", LONG)
        await jobs.request_resume(connection, job.id, "bob")

    assert claimed is None
    assert (paused.pause_requested, paused.progress.waiting_for) == (True, "paused by ann")
    resumed = await _claim(store)
    assert (resumed.id, resumed.pause_requested, resumed.progress.waiting_for) == (job.id, False, "")


async def test_sequences_have_no_gaps_under_concurrency(store: Store) -> None:
    """Events of the worker and of others, some rolled back: 1, 2, 3 … and every watcher may rely on it."""
    await add_audit(store, await add_database(store))
    job = await _claim(store)

    async def append(number: int) -> None:
        async with store.transaction() as connection:
            await leases.append_event(connection, job, an_event(str(number)))
            if number % 3 == 0:
                raise RuntimeError

    async def cancel() -> None:
        async with store.transaction() as connection:
            await jobs.request_cancel(connection, job.id, "ann")

    await asyncio.gather(*(append(number) for number in range(30)), cancel(), return_exceptions=True)
    async with store.connection() as connection:
        events = await jobs.events_after(connection, job.id, 0, 100)

    assert [event.sequence for event in events] == list(range(1, 22))
    assert len({event.happening.message for event in events}) == 21


async def test_end_is_one_with_its_event(store: Store) -> None:
    database = await add_database(store)
    async with store.transaction() as connection:
        await add_job(connection, database)
    job = await _claim(store)
    verification = Verification(
        relationship_id="r",
        orphan_rows_before=8,
        orphan_rows_after=0,
        backed_up_rows=8,
        constraint_name="fk",
        declared=True,
        validated=True,
    )
    progress = Progress(activity="verify", done=9, total=9)
    async with store.transaction() as connection:
        await leases.append_event(connection, job, an_event(), Progress(activity="verify", done=1, total=9))
        await leases.finish(
            connection,
            job,
            JobState.FAILED,
            error_reason="STEP_FAILED",
            error_message="No\0thing.",
            verifications=[verification],
            progress=progress,
        )
        ended = await jobs.get(connection, job.id)
        last = (await jobs.events_after(connection, job.id, 1, 10))[-1]

    assert (ended.state, ended.error_reason, ended.progress) == (JobState.FAILED, "STEP_FAILED", progress)
    assert ended.verifications == (verification,)
    assert ended.end_time is not None
    assert (last.sequence, last.happening.kind) == (2, EventKind.ENDED)
    assert ended.error_message in last.happening.message


async def test_audit_ends_with_its_job(store: Store) -> None:
    queued = await add_audit(store, await add_database(store))
    job = await _claim(store)
    async with store.transaction() as connection:
        await leases.finish(connection, job, JobState.CANCELLED)
        record = await audits.get(connection, queued.audit_id)

    assert record.state is JobState.CANCELLED
    assert record.end_time is not None
