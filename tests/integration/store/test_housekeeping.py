"""What is old goes; what a rollback, a comparison or a repeated request still needs stays."""

import asyncio
from datetime import timedelta

import pytest

from holdfastd.errors import NotFound, Reason
from holdfastd.jobs.model import Job, JobKind, JobState
from holdfastd.store import audits, housekeeping, jobs, leases, plans, requests
from holdfastd.store.model import DatabaseRecord
from holdfastd.store.pool import Store
from support.stored import a_plan, add_audit, add_database, add_job, an_event

KEPT = timedelta(days=90)
LONG = timedelta(minutes=1)


async def end(store: Store, job: Job, *, state: JobState = JobState.SUCCEEDED, days_ago: int = 100) -> Job:
    """Work on a job, with two events, that ended so long ago."""
    async with store.transaction() as connection:
        await connection.execute("UPDATE jobs SET state = 'RUNNING', epoch = 1 WHERE id = $1", job.id)
        claimed = await jobs.get(connection, job.id)
        await leases.append_event(connection, claimed, an_event())
        await leases.finish(connection, claimed, state)
        await connection.execute("UPDATE jobs SET end_time = end_time - $2::interval WHERE id = $1", job.id, timedelta(days=days_ago))
        return await jobs.get(connection, job.id)


async def ended_audit(store: Store, database: DatabaseRecord, *, state: JobState = JobState.SUCCEEDED, days_ago: int = 100) -> str:
    return (await end(store, await add_audit(store, database), state=state, days_ago=days_ago)).audit_id


async def prune_audits(store: Store) -> list[str]:
    """Prune, and return the audits that are left."""
    async with store.transaction() as connection:
        await housekeeping.prune_audits(connection, KEPT, 100)
        return [audit.id for audit in await audits.list_page(connection, limit=100)]


async def events(store: Store) -> int:
    async with store.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM events"))


async def test_old_audits_go_and_the_last_two_that_succeeded_stay(store: Store) -> None:
    """However old they are: one is shown, and the other is what it is compared with. Of every database."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    only = await ended_audit(store, other, days_ago=1000)
    await ended_audit(store, shop, days_ago=300)
    first, second = await ended_audit(store, shop, days_ago=200), await ended_audit(store, shop, days_ago=100)
    for state in (JobState.FAILED, JobState.CANCELLED):
        await ended_audit(store, shop, state=state)
    young = await ended_audit(store, shop, state=JobState.FAILED, days_ago=80)
    queued = await add_audit(store, shop)

    assert await prune_audits(store) == [queued.audit_id, young, second, first, only]


async def test_audit_goes_with_its_job_and_its_events(store: Store) -> None:
    """Who asks for one of them is told that there is none."""
    database = await add_database(store)
    old = await end(store, await add_audit(store, database))
    for _ in range(2):
        await ended_audit(store, database, days_ago=1)
    await prune_audits(store)

    async with store.connection() as connection:
        for attempt, reason in (
            (jobs.get(connection, old.id), Reason.JOB_NOT_FOUND),
            (audits.get(connection, old.audit_id), Reason.AUDIT_NOT_FOUND),
        ):
            with pytest.raises(NotFound) as missing:
                await attempt
            assert missing.value.reason is reason
        assert await connection.fetchval("SELECT count(*) FROM events WHERE job_id = $1", old.id) == 0


async def test_audit_of_a_plan_stays_and_so_do_all_changes(store: Store) -> None:
    """Rolling back and restoring ask for the plan, its audit, and the jobs that applied it and undid it."""
    database = await add_database(store)
    planned = await ended_audit(store, database, days_ago=900)
    async with store.transaction() as connection:
        plan = await plans.insert(connection, database_id=database.id, audit_id=planned, author="ann", plan=a_plan())
    for kind in (JobKind.APPLICATION, JobKind.ROLLBACK, JobKind.RESTORE):
        async with store.transaction() as connection:
            job = await add_job(connection, database, kind, plan_id=plan.id)
        await end(store, job, days_ago=800)
    for _ in range(2):
        await ended_audit(store, database, days_ago=1)
    left = await prune_audits(store)

    async with store.connection() as connection:
        kinds = [job.kind for job in await jobs.list_page(connection, limit=10) if job.plan_id]
        assert (await plans.get(connection, plan.id)).audit_id == planned
        assert await jobs.last_application(connection, plan.id)
    assert planned in left
    assert kinds == [JobKind.RESTORE, JobKind.ROLLBACK, JobKind.APPLICATION]


async def test_events_of_old_jobs_go_in_batches(store: Store) -> None:
    """Those of a job that goes on, or ended lately, stay; the job that they told of stays, too."""
    database = await add_database(store)
    async with store.transaction() as connection:
        change = await add_job(connection, database)
    old = await end(store, change)
    await ended_audit(store, database, days_ago=1)
    async with store.transaction() as connection:
        deleted = [await housekeeping.prune_events(connection, KEPT, 1) for _ in range(3)]
        assert await jobs.get(connection, old.id) == old
        assert await jobs.last_sequence(connection, old.id) == 2

    assert deleted == [1, 1, 0]
    assert await events(store) == 2


async def test_request_is_known_for_thirty_days(store: Store) -> None:
    """Repeated until then, it gets the answer it got; after that it is a new one."""
    key = {"principal": "ann", "method": "StartAudit"}
    async with store.transaction() as connection:
        for request_id, age in (("old", timedelta(days=31)), ("young", timedelta(days=29))):
            assert await requests.recall(connection, **key, request_id=request_id, digest="d") is None
            await requests.remember(connection, **key, request_id=request_id, answer_id="job-1")
            moved = "UPDATE requests SET create_time = create_time - $2::interval WHERE request_id = $1"
            await connection.execute(moved, request_id, age)
        deleted = await housekeeping.prune_requests(connection, 100)
        answers = [await requests.recall(connection, **key, request_id=request_id, digest="d") for request_id in ("old", "young")]

    assert (deleted, answers) == (1, [None, "job-1"])


async def test_one_replica_keeps_house_at_a_time(store: Store) -> None:
    """Nobody waits for the other, and the next may when it is done."""
    async with store.transaction() as first, store.transaction() as second:
        told = [await housekeeping.is_ours(first), await housekeeping.is_ours(second)]
    async with store.transaction() as third:
        told.append(await housekeeping.is_ours(third))

    assert told == [True, False, True]


async def test_plan_that_is_being_made_keeps_its_audit(store: Store) -> None:
    """Housekeeping that came first would take the plan along, after whoever made it was told its id."""
    database = await add_database(store)
    old = await ended_audit(store, database, days_ago=200)
    for _ in range(2):
        await ended_audit(store, database, days_ago=1)
    async with store.transaction() as connection:
        plan = await plans.insert(connection, database_id=database.id, audit_id=old, author="ann", plan=a_plan())
        pruning = asyncio.create_task(prune_audits(store))
        async with asyncio.timeout(5):
            while not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0.01)
    left = await pruning

    assert old in left
    async with store.connection() as connection:
        assert (await plans.get(connection, plan.id)).id == plan.id


async def test_plan_from_an_audit_that_goes_is_refused(store: Store) -> None:
    """Whoever plans from an audit that is deleted this very moment is told which audit is missing, not that the database is."""
    database = await add_database(store)
    with pytest.raises(NotFound) as missing:
        async with store.transaction() as connection:
            await plans.insert(connection, database_id=database.id, audit_id="audit-0", author="ann", plan=a_plan())

    assert missing.value.reason is Reason.AUDIT_NOT_FOUND
