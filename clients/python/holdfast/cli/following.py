"""Waiting for a job: in come its events, out go progress bars on a terminal, plain lines elsewhere, and the job as it ended."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from holdfast.cli.progress import Display, display_for
from holdfast.cli.session import Session
from holdfast.errors import HoldfastError
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, Event, Job

#: Seconds between looks at the job while it does not know yet how many steps there are.
_LOOK_AGAIN = 0.5


async def follow(session: Session, items: AsyncGenerator[Job | Event, None]) -> Job:
    """Show the progress of a job until its end, and return it as it ended. Ctrl-C stops following, not the job."""
    job = Job()
    looked = 0.0
    clock = asyncio.get_running_loop().time
    try:
        async with aclosing(items) as happening:
            with display_for(session.printer) as display:
                async for item in happening:
                    display.take(item)
                    if isinstance(item, Job):
                        job = item
                    elif display.wants_total and clock() - looked > _LOOK_AGAIN:
                        looked = clock()
                        await _learn_total(session, display, job)
    except asyncio.CancelledError:
        _say_detached(session, job)
        raise
    return job


async def show_end(session: Session, job: Job) -> None:
    """Print the job as it ended; HoldfastError unless it succeeded."""
    session.show(await session.client.get_job(job.id))
    raise_unless_succeeded(job)


def raise_unless_succeeded(job: Job) -> None:
    """Raise what the job failed with."""
    if job.state != JOB_STATE_SUCCEEDED:
        raise HoldfastError.from_job(job)


async def _learn_total(session: Session, display: Display, job: Job) -> None:
    display.total = (await session.client.get_job(job.id)).job.progress.total


def _say_detached(session: Session, job: Job) -> None:
    if job.id:
        session.tell(f"Detached; the job goes on. Follow it: holdfast watch {job.id} · stop it: holdfast cancel {job.id}")
