"""Following a job, whichever replica works on it.

In comes a job and the last sequence seen; out come the job as it stands, every later event in order, signs of life, and the job as
it ended. All who watch one job on a replica share one tail; a watch is a position in it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass

from holdfastd.jobs.model import Event, Job
from holdfastd.jobs.tail import Tail
from holdfastd.store.pool import Store

_HEARTBEAT_SECONDS = 10.0


@dataclass(slots=True)
class _Watched:
    tail: Tail
    task: asyncio.Task[None]
    watchers: int = 0


class Feed:
    """The jobs that are watched on this replica."""

    def __init__(self) -> None:
        """Begin with none."""
        self._watched: dict[str, _Watched] = {}

    async def watch(
        self, store: Store, stopping: asyncio.Event, job_id: str, after_sequence: int
    ) -> AsyncIterator[Job | tuple[Event, ...] | None]:
        """Yield the job, its events after the sequence some at a time, None after silence, and the job again once it ended.

        NotFound when the job is unknown, Pruned when events are gone or never were, Unavailable when this replica stops or the store is
        away.
        """
        sequence = after_sequence
        async with self._tail(store, stopping, job_id) as tail:
            yield await tail.snapshot()
            if sequence > tail.last:
                await tail.check_reached(sequence)
            while True:
                events = tail.after(sequence)
                if not events and sequence < tail.last:
                    events = await tail.history(sequence)
                if events:
                    yield events
                    sequence = events[-1].sequence
                elif (job := tail.ended(sequence)) is not None:
                    yield job
                    return
                elif not await tail.told(within=_HEARTBEAT_SECONDS):
                    yield None

    @asynccontextmanager
    async def _tail(self, store: Store, stopping: asyncio.Event, job_id: str) -> AsyncIterator[Tail]:
        """Lend the tail of a job: begun by the first who watches, ended with the last."""
        watched = self._watched.get(job_id)
        # Whoever does not read may hold a tail that failed long ago.
        if watched is None or watched.tail.failure is not None:
            tail = Tail(store, job_id, stopping)
            # Not in the context of whoever happens to be first: the tail outlives that call, and is no part of its log lines and trace.
            task = asyncio.create_task(tail.run(), name=f"holdfast-tail-{job_id}", context=Context())
            watched = self._watched[job_id] = _Watched(tail, task)
        watched.watchers += 1
        try:
            yield watched.tail
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                if self._watched.get(job_id) is watched:
                    del self._watched[job_id]
                watched.task.cancel()
                await asyncio.wait({watched.task})
