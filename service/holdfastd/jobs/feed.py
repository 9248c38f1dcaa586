"""Following a job, whichever replica works on it.

In comes a job and the last sequence seen; out come the job as it stands, every later event in order, signs of life, and the job as
it ended. Events are read from the store; signals only say when to look.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from holdfastd.jobs.model import Event, Job
from holdfastd.store import jobs
from holdfastd.store.pool import Store
from holdfastd.store.signals import JOBS_CHANNEL, is_set

_PAGE = 500
_HEARTBEAT_SECONDS = 10.0
#: How often to look without a signal, while signals arrive and while they may be missed.
_LOOK_SECONDS = 5.0
_LOOK_DEAF_SECONDS = 1.0


async def watch(store: Store, job_id: str, after_sequence: int) -> AsyncIterator[Job | Event | None]:
    """Yield the job, its events after the sequence, None after silence, and the job again once it ended; NotFound when unknown."""
    sequence, last_yield = after_sequence, 0.0
    with store.signals.waiting(JOBS_CHANNEL, job_id) as changed:
        while True:
            changed.clear()
            # The job first: when it has ended by now, the events read after it are all there will be.
            job, events = await _read(store, job_id, sequence)
            if not last_yield:
                yield job
                last_yield = time.monotonic()
            for event in events:
                yield event
                sequence, last_yield = event.sequence, time.monotonic()
            if len(events) == _PAGE:
                continue
            if job.state.is_final:
                yield job
                return
            await _look_again(store, changed, last_yield)
            if time.monotonic() - last_yield >= _HEARTBEAT_SECONDS:
                yield None
                last_yield = time.monotonic()


async def _read(store: Store, job_id: str, sequence: int) -> tuple[Job, tuple[Event, ...]]:
    async with store.connection() as connection:
        job = await jobs.get(connection, job_id)
        return job, await jobs.events_after(connection, job_id, sequence, _PAGE)


async def _look_again(store: Store, changed: asyncio.Event, last_yield: float) -> None:
    longest = _LOOK_SECONDS if store.signals.listening.is_set() else _LOOK_DEAF_SECONDS
    silence = last_yield + _HEARTBEAT_SECONDS - time.monotonic()
    await is_set(changed, within=max(0.01, min(longest, silence)))
