"""Working on jobs: claim, run, end, some at a time.

In come runners by kind of job; out go job states and events in the store. Another replica may take any job over at any time: what
is written here is fenced by the job's epoch, and a job whose end could not be written is simply worked on again.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from holdfastd.errors import Cancelled, HoldfastError, LeaseLost, Reason, Unavailable
from holdfastd.execute.failpoints import reach
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Job, JobKind, JobState, Verification
from holdfastd.jobs.observer import Nobody, Observer
from holdfastd.store import leases
from holdfastd.store.pool import Store
from holdfastd.store.signals import WORK_CHANNEL, is_set
from holdfastd.tracing import working_on

log = structlog.get_logger()

Runner = Callable[[JobContext], Awaitable[Sequence[Verification]]]

#: How long jobs may take to reach a safe point before they are cut off; being cut off is as safe as being killed.
_GRACE_SECONDS = 5.0
#: A job that ends the process it is worked on by would do so for ever, and take other jobs along.
_MOST_LOST = 20
_OPAQUE = "The service met an unexpected error; its log tells more under this job's id. Start again, or report it."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    state: JobState
    reason: str = ""
    message: str = ""
    verifications: tuple[Verification, ...] = ()


class Worker:
    """Takes jobs from the store and runs them, until told to stop."""

    def __init__(
        self,
        store: Store,
        owner: str,
        runners: Mapping[JobKind, Runner],
        *,
        ttl: timedelta = timedelta(seconds=8),
        poll: timedelta = timedelta(seconds=1.5),
        concurrency: int = 4,
        jobs_of_all: int = 0,
        observer: Observer | None = None,
    ) -> None:
        """Take the store, the name of this replica, and what to run for each kind of job.

        `concurrency`: jobs that this replica works on at a time; `jobs_of_all`: those of all replicas together, 0 for no limit.
        """
        self._store = store
        self._owner = owner
        self._runners = runners
        self._ttl = ttl
        self._poll = poll
        self._concurrency = concurrency
        self._jobs_of_all = jobs_of_all
        self._observer: Observer = observer or Nobody()
        self._running: dict[asyncio.Task[None], JobContext] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until the event is set, then give back what is not done."""
        with self._store.signals.waiting(WORK_CHANNEL) as wake:
            watcher = asyncio.create_task(_forward(stopping, wake))
            try:
                while not stopping.is_set():
                    wake.clear()
                    if self._has_room() and await self._start_one(wake):
                        continue
                    await is_set(wake, within=0 if stopping.is_set() else self._poll.total_seconds())
            finally:
                watcher.cancel()
                await self._hand_over()

    def _has_room(self) -> bool:
        """Tell whether another job may be begun. A paused one takes no room: it may stay so for days."""
        return sum(not context.paused_by for context in self._running.values()) < self._concurrency

    async def _start_one(self, wake: asyncio.Event) -> bool:
        """Claim a job and begin it; tell whether there was one."""
        claimed_at = time.monotonic()
        try:
            async with self._store.connection() as connection:
                kinds = tuple(self._runners)
                job = await leases.claim(connection, self._owner, self._ttl, kinds, jobs_of_all=self._jobs_of_all)
        except Unavailable as error:
            log.warning("jobs_not_claimed", error=error.facts.get("error", ""))
            return False
        if job is None:
            return False
        context = JobContext(self._store, job, ttl=self._ttl, claimed_at=claimed_at, observer=self._observer)
        task = asyncio.create_task(self._work(context), name=f"holdfast-{job.id}")
        self._running[task] = context
        task.add_done_callback(self._running.pop)
        task.add_done_callback(lambda _: wake.set())
        return True

    async def _hand_over(self) -> None:
        for context in self._running.values():
            context.hand_over()
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=_GRACE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _work(self, context: JobContext) -> None:
        job = context.job
        bound = log.bind(job=job.id, kind=job.kind, database=job.database, epoch=job.epoch)
        bound.info("job_taken")
        self._observer.taken(job)
        try:
            await reach("LEASE.taken")
            ending = await self._run(context)
            await reach("LEASE.worked_off")
            await context.write(
                lambda connection: leases.finish(
                    connection,
                    job,
                    ending.state,
                    error_reason=ending.reason,
                    error_message=ending.message,
                    verifications=ending.verifications,
                    progress=context.progress,
                )
            )
            await reach("LEASE.ended")
            bound.info("job_ended", state=ending.state, reason=ending.reason)
            self._observer.ended(job, ending.state, ending.reason)
        except (LeaseLost, Unavailable) as error:
            bound.info("job_left", why=str(error))
        except Exception:  # noqa: BLE001 (logged, and the lease decides)
            # Its lease runs out, and somebody works on it again.
            bound.exception("job_not_ended")
        finally:
            self._observer.left(job)
            if context.is_handed_over:
                await self._give_back(context)

    async def _give_back(self, context: JobContext) -> None:
        with contextlib.suppress(Unavailable):
            async with self._store.connection() as connection:
                await leases.give_back(connection, context.job, stays_away=context.stays_away)

    async def _run(self, context: JobContext) -> _Ending:
        """Run the job's code while its lease is kept; losing the lease stops the code wherever it is."""
        work = asyncio.create_task(self._begin(context))
        lease = asyncio.create_task(context.keep())
        clock = asyncio.create_task(context.outlive())
        tasks = (work, lease, clock)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_worked_off = work.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not is_worked_off:
            # Only losing the lease ends these two, unless they are broken; either way the job is no longer safely ours.
            for task in (clock, lease):
                if not task.cancelled():
                    task.result()
        try:
            return _Ending(state=JobState.SUCCEEDED, verifications=tuple(work.result()))
        except BaseException as error:  # noqa: BLE001 (every way in which code can fail becomes a state of the job)
            return _ending(error, context)

    async def _begin(self, context: JobContext) -> Sequence[Verification]:
        job = context.job
        is_first = job.epoch == 1
        happening = Happening(
            kind=EventKind.STARTED if is_first else EventKind.RESUMED,
            message=f"Started by {self._owner}." if is_first else f"Taken up again by {self._owner}.",
        )
        await context.record(happening, progress=replace(job.progress, waiting_for=""))
        if job.lost_workers > _MOST_LOST:
            raise _deadly(job)
        if is_first or job.kind is JobKind.AUDIT:
            # What changes a database and was begun before says, before it stops, what was done until then.
            context.raise_if_stopped()
        with working_on(job.kind, job.id, job.database, job.options.traceparent):
            return await self._runners[job.kind](context)


def _ending(error: BaseException, context: JobContext) -> _Ending:
    """Return the end that an error means for the job; raise when it means none and somebody goes on with it."""
    causes = tuple(_leaves(error))
    for cause in causes:
        if isinstance(cause, LeaseLost) or (isinstance(cause, HoldfastError) and cause.reason is Reason.STORE_UNAVAILABLE):
            raise cause
    for cause in causes:
        if isinstance(cause, Cancelled):
            return _Ending(state=JobState.CANCELLED, message=cause.message)
    for cause in causes:
        if isinstance(cause, HoldfastError):
            return _Ending(state=JobState.FAILED, reason=cause.reason, message=cause.message)
    log.error("job_broke", job=context.job.id, kind=context.job.kind, exc_info=error)
    return _Ending(state=JobState.FAILED, reason=Reason.INTERNAL, message=_OPAQUE)


def _deadly(job: Job) -> HoldfastError:
    """Return the error for a job that ends whoever works on it."""
    during = f", the last time during: {job.progress.activity}" if job.progress.activity else ""
    message = (
        f"Taken {job.lost_workers} times in a row by a worker that was lost before it got anything done{during}. The log of the service"
        " or of its host (out of memory?) tells why. What was done stays done: cure it, then start again, or roll back an application."
    )
    return HoldfastError(message, reason=Reason.INTERNAL, facts={"lost_workers": str(job.lost_workers)})


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _forward(stopping: asyncio.Event, wake: asyncio.Event) -> None:
    await stopping.wait()
    wake.set()
