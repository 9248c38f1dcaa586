"""A watch on the wire: messages with the tokens that go on after them. An event becomes a message once, however many watch its job."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from holdfast.v1 import job_service_pb2 as pb
from holdfastd.jobs.model import Event, Job
from holdfastd.rpc import encode, tokens

#: Messages kept for the next watcher: a few hundred bytes each.
_KEPT = 1000


class EventMessages:
    """The messages of the events told last."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: OrderedDict[tuple[str, int], pb.WatchJobResponse] = OrderedDict()

    def of(self, event: Event) -> pb.WatchJobResponse:
        """Return the message of an event, the same for all; nobody may change it."""
        key = (event.job_id, event.sequence)
        message = self._kept.get(key)
        if message is None:
            message = pb.WatchJobResponse(event=encode.event(event), resume_token=tokens.resume_token(event.job_id, event.sequence))
            if len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
            self._kept[key] = message
        return message


async def encode_watch(
    watch: AsyncIterator[Job | tuple[Event, ...] | None], job_id: str, sequence: int, events: EventMessages
) -> AsyncGenerator[pb.WatchJobResponse, None]:
    """Yield the messages of a watch that goes on after the given sequence: the first job is the snapshot, the next the final state."""
    is_first = True
    async with aclosing(watch) as items:  # type: ignore[type-var]  # the flow is a generator; its type promises less
        async for item in items:
            match item:
                case tuple():
                    sequence = item[-1].sequence
                    # All at once, then one after another: twice as fast as in turns with writing.
                    for message in [events.of(event) for event in item]:
                        yield message
                case Job():
                    message = pb.WatchJobResponse(snapshot=encode.job(item)) if is_first else pb.WatchJobResponse(final=encode.job(item))
                    message.resume_token = tokens.resume_token(job_id, sequence)
                    is_first = False
                    yield message
                case None:
                    now = pb.Heartbeat(time=encode.timestamp(datetime.now(UTC)))
                    yield pb.WatchJobResponse(heartbeat=now, resume_token=tokens.resume_token(job_id, sequence))
