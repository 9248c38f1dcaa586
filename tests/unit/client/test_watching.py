"""A watch that is cut goes on where it was: every event exactly once, then the final state."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import grpc
import pytest

from holdfast import Event, Holdfast, HoldfastError, Job, Patience
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as pb
from holdfast.v1.job_service_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server
from support.scripted import Failure

EVENTS = 9
QUICK = Patience(total=5.0, silence=5.0, first_pause=0.01, longest_pause=0.05)

Cut = Callable[[grpc.aio.ServicerContext], Awaitable[None]]


class WatchedJob(JobServiceServicer):
    """A job with nine events, whose stream is cut after so many messages per connection."""

    def __init__(self, cuts: list[int], cut: Cut) -> None:
        self.cuts = list(cuts)
        self.cut = cut
        self.tokens: list[str] = []
        self.cancelled = asyncio.Event()

    async def WatchJob(self, request, context) -> AsyncIterator[pb.WatchJobResponse]:  # noqa: N802 (gRPC names it)
        self.tokens.append(request.resume_token)
        room = self.cuts.pop(0) if self.cuts else None
        messages = [*self._messages(int(request.resume_token or 0))]
        try:
            for message in messages[:room]:
                yield message
            if room is not None:
                await self.cut(context)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _messages(self, after: int) -> list[pb.WatchJobResponse]:
        def job(state: core.JobState.ValueType) -> Job:
            return Job(id="j1", state=state, kind=core.JOB_KIND_AUDIT)

        events = [
            pb.WatchJobResponse(event=Event(job_id="j1", sequence=number), resume_token=str(number))
            for number in range(after + 1, EVENTS + 1)
        ]
        return [
            pb.WatchJobResponse(snapshot=job(core.JOB_STATE_RUNNING), resume_token=str(after)),
            *events,
            pb.WatchJobResponse(heartbeat=pb.Heartbeat(), resume_token=str(EVENTS)),
            pb.WatchJobResponse(final=job(core.JOB_STATE_SUCCEEDED), resume_token=str(EVENTS)),
        ]


@asynccontextmanager
async def serving(servicer: WatchedJob) -> AsyncIterator[int]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


class Wire:
    """A TCP relay that can be torn, as networks do it: with a reset and without a word."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.tear()
            await asyncio.gather(*self._tasks)

    def tear(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [near, far]
        self._tasks += [asyncio.ensure_future(_relay(near_reader, far)), asyncio.ensure_future(_relay(far_reader, near))]


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


def failing(code: grpc.StatusCode, reason: str = "") -> Cut:
    async def cut(context: grpc.aio.ServicerContext) -> None:
        await context.abort_with_status(Failure(code=code, message="cut", reason=reason).status())

    return cut


async def ending(_: grpc.aio.ServicerContext) -> None:
    """End with OK, though no final state was sent."""


async def silent(_: grpc.aio.ServicerContext) -> None:
    await asyncio.sleep(60)


async def collect(port: int, patience: Patience = QUICK) -> list[Job | Event]:
    async with Holdfast(f"127.0.0.1:{port}", patience=patience) as client:
        return [item async for item in client.watch("j1")]


def assert_whole(items: list[Job | Event]) -> None:
    assert list(range(1, EVENTS + 1)) == [item.sequence for item in items if isinstance(item, Event)]
    assert [item.state for item in items if isinstance(item, Job)] == [core.JOB_STATE_RUNNING, core.JOB_STATE_SUCCEEDED]
    assert isinstance(items[-1], Job)


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(failing(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"), id="replica stops"),
        pytest.param(failing(grpc.StatusCode.UNAVAILABLE), id="connection lost"),
        pytest.param(failing(grpc.StatusCode.INTERNAL), id="stream reset"),
        pytest.param(failing(grpc.StatusCode.UNKNOWN), id="stream removed"),
        pytest.param(failing(grpc.StatusCode.CANCELLED), id="stream cancelled by a proxy"),
        pytest.param(ending, id="ended too early"),
    ],
)
async def test_stream_cut_twice_yields_every_event_once(cut: Cut):
    """Two cuts, one of them before the first event: nothing is missed, nothing repeated."""
    servicer = WatchedJob([5, 1], cut)
    async with serving(servicer) as port:
        items = await collect(port)

    assert_whole(items)
    assert servicer.tokens == ["", "4", "4"]


async def test_connection_torn_on_the_wire_yields_every_event_once():
    """A reset TCP connection is a cut like any other."""
    wires: list[Wire] = []

    async def tear(_: grpc.aio.ServicerContext) -> None:
        await asyncio.sleep(0.05)
        wires[0].tear()
        await asyncio.sleep(5)

    servicer = WatchedJob([3, 4], tear)
    async with serving(servicer) as port:
        wires.append(Wire(port))
        async with wires[0].laid() as relayed:
            items = await collect(relayed)

    assert_whole(items)
    assert len(servicer.tokens) == 3


async def test_stream_that_falls_silent_is_taken_up_again():
    """Without even a heartbeat the stream is dead, whatever the connection says."""
    servicer = WatchedJob([4], silent)
    async with serving(servicer) as port:
        items = await collect(port, Patience(total=5.0, silence=0.2, first_pause=0.01))

    assert_whole(items)


async def test_error_of_the_service_is_not_tried_again():
    """What carries a reason was meant."""
    servicer = WatchedJob([0, 0], failing(grpc.StatusCode.INTERNAL, "INTERNAL"))
    async with serving(servicer) as port:
        with pytest.raises(HoldfastError, match="cut") as raised:
            await collect(port)

    assert raised.value.reason == "INTERNAL"
    assert servicer.tokens == [""]


@pytest.mark.parametrize("cut", [failing(grpc.StatusCode.UNAVAILABLE), ending], ids=["unavailable", "ended too early"])
async def test_patience_ends(cut: Cut):
    """A service that answers with nothing new, again and again, is away; snapshots are not news."""
    servicer = WatchedJob([1] * 1000, cut)
    async with serving(servicer) as port:
        began = time.monotonic()
        with pytest.raises(HoldfastError) as raised:
            await collect(port, Patience(total=0.3, first_pause=0.01, longest_pause=0.02))

    assert raised.value.reason == "UNAVAILABLE"
    assert 0.3 <= time.monotonic() - began < 3


async def test_leaving_the_loop_cancels_the_stream():
    """Nobody who stops listening leaves a stream open in the service."""
    servicer = WatchedJob([4], silent)
    async with serving(servicer) as port, Holdfast(f"127.0.0.1:{port}", patience=QUICK) as client:
        async with aclosing(client.watch("j1")) as items:
            async for item in items:
                if isinstance(item, Event) and item.sequence == 2:
                    break
        await asyncio.wait_for(servicer.cancelled.wait(), 5)


async def test_cancelling_the_task_is_not_taken_for_a_cut():
    """Our own cancellation must go on."""
    servicer = WatchedJob([4], silent)
    async with serving(servicer) as port:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(collect(port), 0.3)

    assert servicer.tokens == [""]


def test_pauses_grow_to_a_bound():
    """Doubling, jittered, never longer than the bound, also after very many failures."""
    patience = Patience(first_pause=0.1, longest_pause=2.0)

    assert 0.05 <= patience.pause(0) <= 0.1
    assert 0.4 <= patience.pause(3) <= 0.8
    assert 1.0 <= patience.pause(10_000) <= 2.0


async def test_a_watch_outlives_its_token():
    """A token that was renewed is used for the rest of it; one that was not is the end."""
    lasting = {"Bearer first": 3, "Bearer second": 4}
    served: list[str] = []

    class Expiring(WatchedJob):
        async def WatchJob(self, request, context) -> AsyncIterator[pb.WatchJobResponse]:  # noqa: N802 (gRPC names it)
            served.append(dict(context.invocation_metadata())["authorization"])
            self.cuts = [lasting[served[-1]]] if served[-1] in lasting else []
            async for message in super().WatchJob(request, context):
                yield message

    tokens = iter(("first", "second", "second", "third", "third"))
    refused = failing(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    async with serving(Expiring([], refused)) as port:
        async with Holdfast(f"127.0.0.1:{port}", patience=QUICK, token=lambda: next(tokens)) as client:
            items = [item async for item in client.watch("j1")]
        async with Holdfast(f"127.0.0.1:{port}", patience=QUICK, token="first") as client:
            with pytest.raises(HoldfastError) as raised:
                [item async for item in client.watch("j1")]

    assert_whole(items)
    assert served == ["Bearer first", "Bearer second", "Bearer third", "Bearer first"]
    assert raised.value.reason == "UNAUTHENTICATED"
