"""Waiting for a job: in come its events, out go progress bars on a terminal, plain lines elsewhere, and the job as it ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from holdfast.cli.progress.bars import display_for
from holdfast.cli.progress.display import Display
from holdfast.cli.session import Session
from holdfast.errors import HoldfastError
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, Event, Job

#: Seconds between two pictures, and between two questions how much there is to do, which events do not tell.
_DRAW_EVERY, _ASK_EVERY, _ASK_AT_FIRST = 0.1, 1.0, 0.3


async def follow(session: Session, items: AsyncGenerator[Job | Event, None]) -> Job:
    """Show the progress of a job until its end, and return it as it ended. Ctrl-C stops following, not the job."""
    job = Job()
    try:
        async with aclosing(items) as happening:
            with display_for(session.printer) as display:
                async with _kept_alive(session, display):
                    async for item in happening:
                        display.take(item)
                        if isinstance(item, Job):
                            job = item
    except asyncio.CancelledError:
        _say_detached(session, job)
        raise
    return job


@asynccontextmanager
async def _kept_alive(session: Session, display: Display) -> AsyncIterator[None]:
    """Draw again and again meanwhile, where the display wants that."""
    if not display.is_alive:
        yield
        return
    task = asyncio.create_task(_draw(session, display))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _draw(session: Session, display: Display) -> None:
    asked, clock = 0.0, asyncio.get_running_loop().time
    while True:
        pause = _ASK_EVERY if display.standing.total else _ASK_AT_FIRST
        if (job_id := display.standing.job.id) and clock() - asked > pause:
            asked = clock()
            # The watch goes on through broken connections, and so do we.
            with suppress(HoldfastError, TimeoutError):
                async with asyncio.timeout(_ASK_EVERY):
                    display.standing.take_progress((await session.client.get_job(job_id)).job.progress)
        display.tick()
        await asyncio.sleep(_DRAW_EVERY)


async def show_end(session: Session, job: Job) -> None:
    """Print the job as it ended; HoldfastError unless it succeeded."""
    session.show(await session.client.get_job(job.id))
    raise_unless_succeeded(job)


def raise_unless_succeeded(job: Job) -> None:
    """Raise what the job failed with."""
    if job.state != JOB_STATE_SUCCEEDED:
        raise HoldfastError.from_job(job)


def _say_detached(session: Session, job: Job) -> None:
    if job.id:
        session.tell("Detached; the job goes on.")
        session.suggest(f"holdfast watch {job.id}", when="Follow it")
        session.suggest(f"holdfast cancel {job.id}", when="Stop it")
