"""Following a job through broken connections: in comes a way to open the stream, out comes every message exactly once."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from grpc.aio import AioRpcError, UnaryStreamCall

from holdfast.errors import is_cut
from holdfast.v1.job_service_pb2 import WatchJobRequest, WatchJobResponse

Stream = UnaryStreamCall[WatchJobRequest, WatchJobResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to put up with a service that is away. Seconds."""

    #: Give up after so long without hearing anything new.
    total: float = 120.0
    #: A stream without even a heartbeat for so long is dead, whatever the connection says.
    silence: float = 60.0
    first_pause: float = 0.1
    longest_pause: float = 5.0

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row: doubling, with jitter, bounded."""
        longest = min(self.longest_pause, self.first_pause * 2 ** min(failures, 16))
        return random.uniform(longest / 2, longest)  # noqa: S311 (jitter, not a secret)


class StreamCut(Exception):
    """The stream ended without a word about the job's end."""


async def watch(
    open_stream: Callable[[str], Stream],
    *,
    resume_token: str = "",
    patience: Patience | None = None,
    may_go_on: Callable[[AioRpcError], bool] = is_cut,
) -> AsyncGenerator[WatchJobResponse, None]:
    """Yield the snapshot, every event once, heartbeats, and the final state, reconnecting as often as needed.

    `may_go_on` tells which errors another stream may cure.
    The last error is raised when the service stays away longer than patience allows. Snapshots of later connections are left out.
    """
    patience = patience or Patience()
    token, seen, failures, heard = resume_token, False, 0, time.monotonic()
    while True:
        call = open_stream(token)
        try:
            while True:
                message = await _read(call, patience.silence)
                token = message.resume_token or token
                payload = message.WhichOneof("payload")
                if payload == "snapshot" and seen:
                    continue
                # Only news resets the patience: a service that sends a snapshot and dies, for ever, is away.
                seen, failures, heard = True, 0, time.monotonic()
                yield message
                if payload == "final":
                    return
        except AioRpcError as error:
            if not may_go_on(error) or time.monotonic() - heard > patience.total:
                raise
        except StreamCut:
            if time.monotonic() - heard > patience.total:
                raise
        finally:
            call.cancel()
        await asyncio.sleep(patience.pause(failures))
        failures += 1


async def _read(call: Stream, silence: float) -> WatchJobResponse:
    try:
        async with asyncio.timeout(silence):
            message = await call.read()
    except TimeoutError as error:
        raise StreamCut from error
    except asyncio.CancelledError as error:
        # grpc.aio raises the same for a stream that the other side reset; only our own cancellation must go on.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise StreamCut from error
    if isinstance(message, WatchJobResponse):
        return message
    # The end of a stream that announced no final state: grpc.aio.EOF.
    raise StreamCut
