"""Jobs are taken, run and ended; a worker that stalls or stops loses them to another."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from holdfastd.errors import Cancelled, LeaseLost, Reason, Refused, Unavailable
from holdfastd.jobs import worker as worker_module
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Job, JobKind, JobState, Progress, Verification
from holdfastd.jobs.worker import Worker
from holdfastd.store import jobs, leases
from holdfastd.store.pool import Store
from holdfastd.store.signals import WORK_CHANNEL
from support.postgres import Server
from support.proxy import proxied
from support.stored import add_audit, add_database, an_event

SHORT = timedelta(seconds=0.8)
#: So slow that only signals explain anything that happens within a test.
NEVER = timedelta(minutes=5)

Code = Callable[[JobContext], Awaitable[Sequence[Verification]]]


@asynccontextmanager
async def working(
    store: Store, code: Code, *, owner: str = "w", ttl: timedelta = timedelta(seconds=8), poll: timedelta = NEVER
) -> AsyncIterator[asyncio.Event]:
    """A worker at work; the event stops it, as does leaving the block."""
    stopping = asyncio.Event()
    worker = Worker(store, owner, dict.fromkeys(JobKind, code), ttl=ttl, poll=poll)
    task = asyncio.create_task(worker.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await task


async def ended(store: Store, job: Job, *, within: float = 15) -> Job:
    """The job once it ended."""
    return await _once(store, job, lambda now: now.state.is_final, within)


async def begun(store: Store, job: Job) -> Job:
    """The job once a worker has it."""
    return await _once(store, job, lambda now: now.state is JobState.RUNNING, 5)


async def _once(store: Store, job: Job, is_so: Callable[[Job], bool], within: float) -> Job:
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(Unavailable):
                if is_so(now := await current(store, job)):
                    return now
            await asyncio.sleep(0.02)


async def current(store: Store, job: Job) -> Job:
    async with store.connection() as connection:
        return await jobs.get(connection, job.id)


async def kinds(store: Store, job: Job) -> list[EventKind]:
    async with store.connection() as connection:
        return [event.happening.kind for event in await jobs.events_after(connection, job.id, 0, 1000)]


@pytest.fixture
async def queued(store: Store) -> Job:
    """A job that waits."""
    await asyncio.wait_for(store.signals.listening.wait(), timeout=5)
    return await add_audit(store, await add_database(store))


async def nothing(_: JobContext) -> Sequence[Verification]:
    return ()


async def until_stopped(context: JobContext) -> Sequence[Verification]:
    while True:
        context.raise_if_stopped()
        await asyncio.sleep(0.01)


async def test_job_runs_to_its_end(store: Store, queued: Job) -> None:
    verification = Verification(
        relationship_id="r",
        orphan_rows_before=1,
        orphan_rows_after=0,
        backed_up_rows=1,
        constraint_name="fk",
        declared=True,
        validated=True,
    )

    async def code(context: JobContext) -> Sequence[Verification]:
        await context.record(an_event(), progress=Progress(activity="step", done=1, total=1))
        return [verification]

    async with working(store, code):
        job = await ended(store, queued)

    assert (job.state, job.verifications, job.epoch) == (JobState.SUCCEEDED, (verification,), 1)
    assert job.progress == Progress(activity="step", done=1, total=1)
    assert await kinds(store, job) == [EventKind.STARTED, EventKind.STEP_DONE, EventKind.ENDED]


async def test_new_job_is_heard_of_at_once(store: Store, queued: Job) -> None:
    """Without waiting for the next poll, which never comes here."""
    async with working(store, nothing):
        await ended(store, queued)
        async with store.connection() as connection:
            database = await connection.fetchrow("SELECT id, name FROM databases")
            second = await jobs.enqueue(
                connection, kind=JobKind.APPLICATION, database=database["name"], database_id=database["id"], principal="ann"
            )

        assert (await ended(store, second, within=3)).state is JobState.SUCCEEDED


SECRET = "Key (email)=(ann@example.org) is not present"
BROKEN = (JobState.FAILED, Reason.INTERNAL)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Cancelled(), JobState.CANCELLED, ""),
        (Refused("The plan drifted.", reason=Reason.PLAN_DRIFTED), JobState.FAILED, Reason.PLAN_DRIFTED),
        (ExceptionGroup("", [Refused("No.", reason=Reason.PLAN_DRIFTED)]), JobState.FAILED, Reason.PLAN_DRIFTED),
        (ExceptionGroup("", [ValueError(SECRET), Cancelled()]), JobState.CANCELLED, ""),
        (ValueError(SECRET), *BROKEN),
        (asyncio.CancelledError(), *BROKEN),
        (TimeoutError(SECRET), *BROKEN),
    ],
    ids=repr,
)
async def test_error_decides_the_end(store: Store, queued: Job, error: BaseException, state: JobState, reason: str) -> None:
    """Errors made for callers are told; the text of any other stays out of the store."""

    async def code(_: JobContext) -> Sequence[Verification]:
        raise error

    async with working(store, code):
        job = await ended(store, queued)

    assert (job.state, job.error_reason) == (state, reason)
    assert SECRET not in job.error_message


@pytest.mark.parametrize("error", [LeaseLost(), Unavailable("gone", reason=Reason.STORE_UNAVAILABLE)], ids=repr)
async def test_lost_lease_and_lost_store_end_nothing(store: Store, queued: Job, error: Exception) -> None:
    """Somebody, perhaps we ourselves, goes on with the job when its lease is over."""

    async def code(context: JobContext) -> Sequence[Verification]:
        if context.job.epoch == 1:
            raise error
        return ()

    async with working(store, code, ttl=SHORT, poll=timedelta(seconds=0.1)):
        job = await ended(store, queued)

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 2)
    assert await kinds(store, job) == [EventKind.STARTED, EventKind.RESUMED, EventKind.ENDED]


async def test_cancelling_arrives_without_a_renewal(store: Store, queued: Job) -> None:
    async with working(store, until_stopped, ttl=NEVER):
        await begun(store, queued)
        async with store.transaction() as connection:
            await jobs.request_cancel(connection, queued.id, "ann")
        job = await ended(store, queued, within=3)

    assert job.state is JobState.CANCELLED


async def test_pausing_arrives_without_a_renewal(store: Store, queued: Job) -> None:
    pauses: list[str] = []

    async def code(context: JobContext) -> Sequence[Verification]:
        while not context.paused_by:
            await context.heard(within=5)
        pauses.append(context.paused_by)
        while context.paused_by:
            await context.heard(within=5)
        return ()

    async with working(store, code, ttl=NEVER):
        await begun(store, queued)
        async with store.transaction() as connection:
            await jobs.request_pause(connection, queued.id, "ann")
        async with asyncio.timeout(3):
            while not pauses:
                await asyncio.sleep(0.02)
        async with store.transaction() as connection:
            await jobs.request_resume(connection, queued.id, "ann")
        job = await ended(store, queued, within=3)

    assert (job.state, pauses) == (JobState.SUCCEEDED, ["ann"])


async def test_paused_job_leaves_room_for_another(store: Store, queued: Job) -> None:
    """Even where only one is worked on at a time."""

    async def code(context: JobContext) -> Sequence[Verification]:
        while context.job.id == queued.id:
            context.raise_if_stopped()
            await context.heard(within=5)
        return ()

    worker, stopping = Worker(store, "w", dict.fromkeys(JobKind, code), poll=SHORT, concurrency=1), asyncio.Event()
    working = asyncio.create_task(worker.run(stopping))
    try:
        await begun(store, queued)
        async with store.transaction() as connection:
            database = await connection.fetchrow("SELECT id, name FROM databases")
            second = await jobs.enqueue(
                connection, kind=JobKind.APPLICATION, database=database["name"], database_id=database["id"], principal="ann"
            )
        await asyncio.sleep(0.3)
        waiting = await current(store, second)
        async with store.transaction() as connection:
            await jobs.request_pause(connection, queued.id, "ann")
        done = await ended(store, second, within=5)
    finally:
        stopping.set()
        await working

    assert (waiting.state, done.state) == (JobState.QUEUED, JobState.SUCCEEDED)


async def test_job_that_ends_every_worker_fails(store: Store, queued: Job) -> None:
    """It says so, and where; it is not even begun once more."""
    async with store.transaction() as connection:
        progress = '{"activity": "Count orphan rows"}'
        await connection.execute("UPDATE jobs SET state = 'RUNNING', epoch = 20, lost_workers = 20, progress = $1", progress)
        await connection.execute("UPDATE jobs SET lease_owner = 'gone', lease_end = '-infinity'")
    begun_again = False

    async def code(_: JobContext) -> Sequence[Verification]:
        nonlocal begun_again
        begun_again = True
        return ()

    async with working(store, code):
        job = await ended(store, queued)

    assert (job.state, job.error_reason, job.epoch, begun_again) == (JobState.FAILED, Reason.INTERNAL, 21, False)
    assert job.error_message.startswith("Taken 21 times in a row by a worker that was lost before it got anything done, the last time")
    assert "Count orphan rows" in job.error_message


async def test_long_job_keeps_its_lease(store: Store, queued: Job) -> None:
    """Several times to live long, with a second worker waiting for it to slip."""

    async def code(_: JobContext) -> Sequence[Verification]:
        await asyncio.sleep(SHORT.total_seconds() * 3)
        return ()

    quick = timedelta(seconds=0.05)
    async with working(store, code, ttl=SHORT, poll=quick), working(store, code, owner="other", ttl=SHORT, poll=quick):
        job = await ended(store, queued)

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 1)


async def test_stalled_worker_is_fenced(store: Store, queued: Job, database: str) -> None:
    """It wakes up after a takeover, believes the job its own, and writes nothing: not an event, not the end."""
    other_store = await Store.open(database)
    taken_over, refusals = asyncio.Event(), []

    async def stall(context: JobContext) -> Sequence[Verification]:
        await taken_over.wait()
        try:
            context.raise_if_stopped()
        except LeaseLost as error:
            refusals.append(error)
        context._deadline += 3600
        try:
            await context.record(an_event("from the past"))
        except LeaseLost as error:
            refusals.append(error)
        return ()

    async def succeed(_: JobContext) -> Sequence[Verification]:
        taken_over.set()
        await asyncio.sleep(0.3)
        return ()

    # The stalled worker's renewals never arrive, and its own clock says nothing, as if its process were stopped.
    async def keep(_: JobContext) -> None:
        await asyncio.Event().wait()

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(JobContext, "keep", keep)
            patch.setattr(JobContext, "outlive", keep)
            async with working(store, stall, owner="stalled", ttl=SHORT):
                await begun(store, queued)
                async with working(other_store, succeed, owner="successor", ttl=SHORT, poll=timedelta(seconds=0.1)):
                    job = await ended(store, queued)
    finally:
        await other_store.close()

    assert len(refusals) == 2
    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 2)
    assert await kinds(store, job) == [EventKind.STARTED, EventKind.RESUMED, EventKind.ENDED]


async def test_losing_the_lease_stops_the_code_wherever_it_is(store: Store, queued: Job) -> None:
    stopped = asyncio.Event()

    async def code(context: JobContext) -> Sequence[Verification]:
        if context.job.epoch > 1:
            return ()
        async with store.connection() as connection:
            await connection.execute("UPDATE jobs SET epoch = epoch + 1, lease_end = '-infinity'")
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return ()

    async with working(store, code, ttl=SHORT, poll=timedelta(seconds=0.1)):
        await asyncio.wait_for(stopped.wait(), timeout=5)

        assert (await ended(store, queued)).epoch == 3


async def test_graceful_stop_hands_over_at_once(store: Store, queued: Job) -> None:
    """The next worker goes on without waiting for the lease to run out."""
    async with working(store, until_stopped, owner="first", ttl=NEVER):
        await begun(store, queued)
    left = await current(store, queued)
    async with working(store, nothing, owner="second", ttl=NEVER):
        job = await ended(store, queued, within=3)

    assert (left.state, job.state, job.epoch) == (JobState.RUNNING, JobState.SUCCEEDED, 2)


async def test_code_that_reaches_no_safe_point_is_cut_off(store: Store, queued: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long statement does not hold up the stop."""
    monkeypatch.setattr(worker_module, "_GRACE_SECONDS", 0.1)

    async def code(context: JobContext) -> Sequence[Verification]:
        if context.job.epoch == 1:
            await asyncio.sleep(60)
        return ()

    async with asyncio.timeout(10):
        async with working(store, code, ttl=NEVER):
            await begun(store, queued)
        async with working(store, code, ttl=NEVER):
            job = await ended(store, queued, within=3)

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 2)


async def test_some_jobs_run_at_a_time(store: Store, queued: Job) -> None:
    """Four at once, the fifth when one of them ends."""
    running, most = 0, 0

    async def code(_: JobContext) -> Sequence[Verification]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        return ()

    async with store.connection() as connection:
        database = await connection.fetchrow("SELECT id, name FROM databases")
        await connection.execute("UPDATE databases SET max_running_jobs = 10")
        waiting = [
            await jobs.enqueue(connection, kind=JobKind.AUDIT, database=database["name"], database_id=database["id"], principal="ann")
            for _ in range(8)
        ]
    async with working(store, code):
        for job in (queued, *waiting):
            await ended(store, job)

    assert most == 4


async def test_quick_progress_is_left_out_but_its_last_is_kept(store: Store, queued: Job) -> None:
    async def code(context: JobContext) -> Sequence[Verification]:
        for done in range(1, 51):
            await context.record(Happening(kind=EventKind.PROGRESS, message="row"), progress=Progress(done=done, total=50))
        return ()

    async with working(store, code):
        job = await ended(store, queued)

    assert job.progress.done == 50
    assert 1 <= (await kinds(store, job)).count(EventKind.PROGRESS) < 25


async def test_work_survives_a_short_absence_of_the_store(store: Store, queued: Job) -> None:
    """Every connection is cut in the middle; the job neither fails nor begins again."""

    async def code(context: JobContext) -> Sequence[Verification]:
        async with store.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await context.record(an_event())
        return ()

    async with working(store, code, poll=timedelta(seconds=0.2)):
        job = await ended(store, queued)

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 1)
    assert await kinds(store, job) == [EventKind.STARTED, EventKind.STEP_DONE, EventKind.ENDED]


@pytest.mark.parametrize("steps", range(6))
async def test_keeping_ends_when_told_though_a_signal_arrives(store: Store, queued: Job, steps: int) -> None:
    """Whatever the order in which the loop wakes tasks. asyncio.wait_for of Python 3.11 swallows a cancellation in such a moment."""
    async with store.transaction() as connection:
        job = await leases.claim(connection, "w", NEVER)
    assert job is not None
    context = JobContext(store, job, ttl=NEVER, claimed_at=time.monotonic())
    keeping = asyncio.create_task(context.keep())
    await asyncio.sleep(0.2)
    store.signals._receive(None, 0, WORK_CHANNEL, job.id)
    for _ in range(steps):
        await asyncio.sleep(0)
    keeping.cancel()
    done, _ = await asyncio.wait({keeping}, timeout=2)

    assert done


async def test_worker_cut_off_from_the_store_stops_by_its_own_clock(store: Store, queued: Job, postgres: Server, database: str) -> None:
    """When nothing is heard of the store any more, not even that the connection is gone, its code is stopped after one time to live."""
    at_work, stopped = asyncio.Event(), asyncio.Event()

    async def code(context: JobContext) -> Sequence[Verification]:
        if context.job.epoch > 1:
            return ()
        at_work.set()
        try:
            await asyncio.sleep(60)
        finally:
            assert not context.is_held
            stopped.set()
        return ()

    async with proxied(postgres.port) as proxy:
        far = await Store.open(database.replace(str(postgres.port), str(proxy.port)))
        try:
            async with working(far, code, ttl=timedelta(seconds=1.5), poll=SHORT):
                await asyncio.wait_for(at_work.wait(), timeout=5)
                proxy.is_silent = True
                # Long before the driver gives up a query or a connection.
                await asyncio.wait_for(stopped.wait(), timeout=4)
                async with working(store, code, owner="successor", ttl=SHORT, poll=SHORT):
                    job = await ended(store, queued)
                proxy.heal()
        finally:
            proxy.heal()
            await far.close()

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 2)
    assert await kinds(store, job) == [EventKind.STARTED, EventKind.RESUMED, EventKind.ENDED]


async def test_worker_outlives_a_store_that_became_read_only(store: Store, queued: Job) -> None:
    """A failover that leads to the standby first: nothing can be claimed, nor renewed; once it can, work goes on."""
    turn = """
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {}', current_database()); END $$;
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    async with store.connection() as connection:
        await connection.execute(turn.format("on"))
    async with working(store, nothing, poll=timedelta(seconds=0.05)):
        async with asyncio.timeout(10):
            while not await _is_refused(store):
                await asyncio.sleep(0.02)
        async with store.connection() as connection:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute(turn.format("off"))
        job = await ended(store, queued)

    assert job.state is JobState.SUCCEEDED


async def _is_refused(store: Store) -> bool:
    """Tell whether the store takes no writes."""
    try:
        async with store.connection() as connection:
            await leases.claim(connection, "other", SHORT, [])
    except Unavailable as error:
        return error.facts["error"] == "ReadOnlySQLTransactionError"
    return False


async def test_lease_lasts_as_long_as_its_transaction(store: Store, queued: Job) -> None:
    """A store so slow that saving takes longer than a lease: nobody can take the job meanwhile, so nothing is lost, nor done again."""

    async def save(context: JobContext) -> Sequence[Verification]:
        async with context.transaction() as connection:
            await connection.execute("SELECT pg_sleep($1)", 2 * SHORT.total_seconds())
        context.raise_if_stopped()
        return ()

    async with working(store, save, ttl=SHORT, poll=timedelta(seconds=0.05)):
        job = await ended(store, queued)

    assert (job.state, job.epoch) == (JobState.SUCCEEDED, 1)
