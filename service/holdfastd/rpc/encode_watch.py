"""What a watch yields to messages, each with the token that goes on after it."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from holdfast.v1 import job_service_pb2 as pb
from holdfastd.jobs.model import Event, Job
from holdfastd.rpc import encode, tokens


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
