"""The end of one job's events, read once for all who watch the job on this replica.

In come signals that something happened; out come the job as it stands and its latest events, kept by their sequence. Whoever falls
behind what is kept reads from the store, so a slow watcher costs a position and nothing else.
"""

import asyncio
import time

from holdfastd.errors import Pruned, Reason, Unavailable
from holdfastd.jobs.model import Event, Job
from holdfastd.store import jobs
from holdfastd.store.pool import Store
from holdfastd.store.signals import JOBS_CHANNEL, is_set

#: Events kept for those who keep up, and events read at once by those who do not.
_KEPT = 1000
_PAGE = 200
#: How often to look without a signal, while signals arrive and while they may be missed.
_LOOK_SECONDS = 5.0
_LOOK_DEAF_SECONDS = 1.0
#: How long the store may be away before watchers are told.
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.5


class Tail:
    """Follows one job until it ends, this replica stops, or nobody can be told anything more."""

    def __init__(self, store: Store, job_id: str, stopping: asyncio.Event) -> None:
        """Take what to read from, and what ends every watch of this replica."""
        self._store = store
        self._job_id = job_id
        self._stopping = stopping
        self._kept: dict[int, Event] = {}
        self._job: Job | None = None
        #: Set to look at once.
        self._wanted = asyncio.Event()
        self._begun = self._finished = 0
        #: Each is set once and replaced: after every look, and whenever watchers have something to tell.
        self._looked = asyncio.Event()
        self._told = asyncio.Event()
        self.failure: Exception | None = None
        #: The sequence of the last event; all up to it can be had.
        self.last = 0

    async def run(self) -> None:
        """Follow the job. What goes wrong is raised by whoever watches."""
        stop = asyncio.create_task(self._stopping.wait())
        try:
            with self._store.signals.waiting(JOBS_CHANNEL, self._job_id) as self._wanted:
                stop.add_done_callback(lambda _: self._wanted.set())
                await self._follow()
        except Exception as error:  # noqa: BLE001 (told to those who can tell a caller)
            self.failure = error
            self._tell()
        finally:
            stop.cancel()

    async def snapshot(self) -> Job:
        """Return the job as it stands now, not as it stood when somebody else looked."""
        number = self._begun + 1
        self._wanted.set()
        while self._job is None or (self._finished < number and not self._is_over):
            self._raise_failure()
            await self._looked.wait()
        return self._job

    def ended(self, sequence: int) -> Job | None:
        """Return the job when it has ended and nothing comes after the sequence."""
        return self._job if self._is_over and sequence >= self.last else None

    def after(self, sequence: int) -> tuple[Event, ...]:
        """Return events after a sequence, if they are kept, but not so many that a slow watcher holds much; raises what ended the tail."""
        self._raise_failure()
        events: list[Event] = []
        while len(events) < _PAGE and (event := self._kept.get(sequence + 1 + len(events))) is not None:
            events.append(event)
        return tuple(events)

    async def history(self, sequence: int) -> tuple[Event, ...]:
        """Return a page of events after a sequence from the store; Pruned or NotFound when they are no longer kept."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self._raise_failure()
            try:
                return await self._read_history(sequence)
            except Unavailable:
                if time.monotonic() > patience:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def check_reached(self, sequence: int) -> None:
        """Raise Pruned when there is no such event yet: whoever heard of it heard of it from a store that has lost it since."""
        async with self._store.connection() as connection:
            if sequence <= await jobs.last_sequence(connection, self._job_id):
                return
        message = (
            f"The resume token is ahead of the events of job {self._job_id}: the store was put back from a backup, or failed over."
            " Watch the job without a token."
        )
        raise Pruned(message, reason=Reason.EVENTS_PRUNED, facts={"job": self._job_id})

    async def told(self, *, within: float) -> bool:
        """Wait for news; False when there are none in time."""
        return await is_set(self._told, within=within)

    @property
    def _is_over(self) -> bool:
        return self._job is not None and self._job.state.is_final

    def _raise_failure(self) -> None:
        if self.failure is not None:
            # Raised by many: without this, each would add its own traceback.
            raise self.failure.with_traceback(None)

    async def _follow(self) -> None:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self._is_over:
            if self._stopping.is_set():
                raise Unavailable("This replica is stopping; reconnect with the resume token.", reason=Reason.SHUTTING_DOWN)
            self._wanted.clear()
            try:
                is_all = await self._look()
            except Unavailable:
                # The first who ask are told at once; those who watch need not know of a store that comes back.
                if self._job is None or time.monotonic() > patience:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            patience = time.monotonic() + _PATIENCE_SECONDS
            if is_all and not self._is_over:
                await is_set(self._wanted, within=_LOOK_SECONDS if self._store.signals.listening.is_set() else _LOOK_DEAF_SECONDS)

    async def _look(self) -> bool:
        """Read what is new; tell whether that is all."""
        self._begun += 1
        number = self._begun
        async with self._store.connection() as connection:
            # The job first: when it has ended by now, the events read after it are all there will be.
            job = await jobs.get(connection, self._job_id)
            head = await jobs.last_sequence(connection, self._job_id) if self._job is None else self.last
            events = await jobs.events_after(connection, self._job_id, self.last or max(0, head - _KEPT), _KEPT)
        is_all = len(events) < _KEPT or self._job is None
        for event in events:
            self._keep(event)
        self.last = max(self.last, head)
        if is_all:
            self._job = job
        if events or self._is_over:
            self._tell()
        self._finished = number
        self._looked = _replaced(self._looked)
        return is_all

    def _keep(self, event: Event) -> None:
        self._kept[event.sequence] = event
        self._kept.pop(event.sequence - _KEPT, None)
        self.last = event.sequence

    def _tell(self) -> None:
        self._told = _replaced(self._told)
        if self.failure is not None:
            self._looked = _replaced(self._looked)

    async def _read_history(self, sequence: int) -> tuple[Event, ...]:
        async with self._store.connection() as connection:
            events = await jobs.events_after(connection, self._job_id, sequence, _PAGE)
            if events and events[0].sequence == sequence + 1:
                return events
            await jobs.get(connection, self._job_id)
        message = f"The events of job {self._job_id} after the resume token are no longer kept; watch it without a token, or read the job."
        raise Pruned(message, reason=Reason.EVENTS_PRUNED, facts={"job": self._job_id})


def _replaced(event: asyncio.Event) -> asyncio.Event:
    event.set()
    return asyncio.Event()
