"""A watch on the wire: messages with the tokens that go on after them, and an end when this replica stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeVar

from holdfast.v1 import job_service_pb2 as pb
from holdfastd.errors import Reason, Unavailable
from holdfastd.jobs.model import Event, Job
from holdfastd.rpc import encode, tokens

_T = TypeVar("_T")


async def encode_watch(watch: AsyncIterator[Job | Event | None], job_id: str, sequence: int) -> AsyncIterator[pb.WatchJobResponse]:
    """Yield the messages of a watch that goes on after the given sequence: the first job is the snapshot, the next the final state."""
    is_first = True
    async with aclosing(watch) as items:  # type: ignore[type-var]  # the flow is a generator; its type promises less
        async for item in items:
            match item:
                case Job():
                    response = _snapshot(item) if is_first else _final(item)
                case Event():
                    sequence = item.sequence
                    response = pb.WatchJobResponse(event=encode.event(item))
                case None:
                    response = pb.WatchJobResponse(heartbeat=pb.Heartbeat(time=encode.timestamp(datetime.now(UTC))))
            is_first = False
            response.resume_token = tokens.resume_token(job_id, sequence)
            yield response


def _snapshot(job: Job) -> pb.WatchJobResponse:
    return pb.WatchJobResponse(snapshot=encode.job(job))


def _final(job: Job) -> pb.WatchJobResponse:
    return pb.WatchJobResponse(final=encode.job(job))


async def until_stopping(items: AsyncIterator[_T], stopping: asyncio.Event) -> AsyncIterator[_T]:
    """Yield items until this replica is about to stop, then raise Unavailable; the caller goes on at another replica."""
    stop = asyncio.ensure_future(stopping.wait())
    step: asyncio.Task[_T | _End] | None = None
    try:
        while True:
            step = asyncio.create_task(_next(items))
            await asyncio.wait({stop, step}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                message = "This replica is stopping; reconnect with the resume token."
                raise Unavailable(message, reason=Reason.SHUTTING_DOWN)
            item = step.result()
            if isinstance(item, _End):
                return
            yield item
    finally:
        # The generator must be at rest before it can be closed.
        await _cancel(stop)
        if step is not None:
            await _cancel(step)


class _End:
    """There are no more items; None is one."""


async def _next(items: AsyncIterator[_T]) -> _T | _End:
    async for item in items:
        return item
    return _End()


async def _cancel(task: asyncio.Future[_T]) -> None:
    task.cancel()
    await asyncio.wait({task})
