"""The interceptor on a real gRPC server: names, lines, numbers and statuses, whatever a handler does."""

import asyncio
import gc
import json
import uuid

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from holdfastd import errors
from holdfastd.errors import Reason
from holdfastd.rpc.interceptor import current_principal
from support.echo import serving

CANARY = "c4n4ry-s3cret"


async def forever(_request, _context):
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


def raising(error):
    async def handler(_request, _context):
        raise error

    return handler


async def failure(call):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


def details(error):
    """Return the ErrorInfo and the BadRequest of an error; each at most once."""
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    unpacked = [(info if detail.Is(info.DESCRIPTOR) else bad, detail) for detail in status.details]
    assert all(detail.Unpack(message) for message, detail in unpacked)
    assert len({id(message) for message, _ in unpacked}) == len(unpacked)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return info, bad


def trailer(metadata, key="x-request-id"):
    return dict(metadata or ()).get(key)


async def test_a_call_is_answered_named_logged_and_counted():
    """One line and one of each number per call."""
    async with serving() as echo:
        call = echo.channel.unary_unary("/test.Echo/Unary")(b"hi", metadata=(("x-holdfast-principal", "Zo%C3%AB"),))

        assert await call == b"hi"
        request_id = trailer(await call.trailing_metadata())
        line = await echo.handled()
        assert (line["request_id"], line["principal"], line["rpc"]) == (request_id, "Zoë", "test.Echo/Unary")
        assert (line["code"], line["level"]) == ("OK", "info")
        assert 0 < line["seconds"] < 5
        assert str(uuid.UUID(request_id)) == request_id
        for name in ("started_total", "msg_received_total", "msg_sent_total", "handling_seconds_count"):
            assert echo.sample(f"grpc_server_{name}") == 1
        assert echo.sample("grpc_server_handled_total", grpc_code="OK") == 1


@pytest.mark.parametrize(
    ("stated", "is_kept"),
    [("ticket 4711/b", True), ("x" * 64, True), ("x" * 65, False), ("", False)],
)
async def test_a_usable_request_id_is_kept(stated, is_kept):
    """Callers follow their own id through our log; an unusable one is replaced, not refused."""
    async with serving() as echo:
        call = echo.channel.unary_unary("/test.Echo/Unary")(b"", metadata=(("x-request-id", stated),))
        await call

        assert (trailer(await call.trailing_metadata()) == stated) is is_kept


async def test_handlers_know_who_calls():
    """Flows write it into the audit log."""

    async def who(_request, _context):
        return current_principal().encode()

    async with serving(who) as echo:
        assert await echo.unary() == b"anonymous"
        assert await echo.unary(metadata=(("x-holdfast-principal", "ada@example.org"),)) == b"ada@example.org"
        assert await echo.unary() == b"anonymous"


@pytest.mark.parametrize("stated", ["x" * 201, "a%00b", "a%0Ab", "%ff"])
async def test_a_principal_that_cannot_be_written_down_is_refused(stated):
    """Cutting or cleaning it would write somebody else into the audit log."""
    async with serving() as echo:
        error = await failure(echo.unary(metadata=(("x-holdfast-principal", stated),)))

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert details(error)[1].field_violations[0].field == "x-holdfast-principal"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidField("policy.overrides[2].relationship_id", "no"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.NotFound("no", reason=Reason.JOB_NOT_FOUND, facts={"job_id": "7"}), grpc.StatusCode.NOT_FOUND),
        (errors.AlreadyExists("no", reason=Reason.DATABASE_EXISTS), grpc.StatusCode.ALREADY_EXISTS),
        (errors.Conflict("no", reason=Reason.DATABASE_BUSY), grpc.StatusCode.ABORTED),
        (errors.Refused("no", reason=Reason.PLAN_DRIFTED), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.Unavailable("no", reason=Reason.STORE_UNAVAILABLE), grpc.StatusCode.UNAVAILABLE),
        (errors.Pruned("no", reason=Reason.EVENTS_PRUNED), grpc.StatusCode.OUT_OF_RANGE),
        (errors.Cancelled("no"), grpc.StatusCode.CANCELLED),
    ],
)
async def test_a_domain_error_becomes_its_status(error, code):
    """Code, message, reason and facts arrive; a malformed field arrives with its path."""
    async with serving(raising(error)) as echo:
        received = await failure(echo.unary())

        info, bad = details(received)
        assert (received.code(), received.details()) == (code, "no")
        assert (info.reason, info.domain, dict(info.metadata)) == (error.reason.value, "holdfast", error.facts)
        assert [violation.field for violation in bad.field_violations] == [error.field for _ in range(1) if hasattr(error, "field")]
        line = await echo.handled()
        assert (line["code"], line["reason"]) == (code.name, error.reason.value)
        assert echo.sample("grpc_server_handled_total", grpc_code=code.name) == 1
        assert echo.sample("grpc_server_msg_sent_total") in (None, 0)
        assert not echo.lines("rpc_failed")


async def test_an_unforeseen_error_tells_the_caller_nothing_but_the_request_id():
    """Its text may hold a DSN or a row; the log holds the traceback, and not the DSN either."""
    async with serving(raising(ValueError(f"cannot parse postgresql://ada:{CANARY}@db/shop"))) as echo:
        error = await failure(echo.unary(metadata=(("x-request-id", "r-1"),)))

        info, _ = details(error)
        assert (error.code(), info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "r-1" in error.details()
        assert trailer(error.trailing_metadata()) == "r-1"
        seen = f"{error.details()} {error.debug_error_string()} {error.trailing_metadata()}"
        assert CANARY not in seen
        assert "ValueError" not in seen
        (line,) = echo.lines("rpc_failed")
        assert "ValueError: cannot parse postgresql://[redacted]@db/shop" in line["exception"]
        assert (line["request_id"], line["level"]) == ("r-1", "error")
        assert CANARY not in echo.stream.getvalue()


async def test_a_large_error_arrives():
    """Clients drop trailers above 8 kB and report RESOURCE_EXHAUSTED instead."""
    facts = {f"fact{number}": "→" * 5000 for number in range(50)}
    error = errors.Refused("drifted → " * 5000, reason=Reason.PLAN_DRIFTED, facts=facts)
    async with serving(raising(error)) as echo:
        received = await failure(echo.unary())

        assert received.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert received.details().startswith("drifted → ")
        info, _ = details(received)
        assert info.reason == "PLAN_DRIFTED"
        assert info.metadata["fact0"].startswith("→→")


async def test_an_error_with_control_characters_arrives():
    """Names in a database hold anything."""
    async with serving(raising(errors.InvalidField("a\nb", 'no "line\r\nbreak" 100 % \x07'))) as echo:
        received = await failure(echo.unary())

        assert received.details() == 'no "line\r\nbreak" 100 % \x07'
        assert details(received)[1].field_violations[0].field == "a\nb"


async def test_a_handler_that_cancels_itself_is_answered():
    """Without a status for a CancelledError of our own, the caller would wait for its deadline."""

    async def handler(_request, _context):
        task = asyncio.create_task(asyncio.sleep(10))
        task.cancel()
        await task

    async with serving(handler) as echo:
        async with asyncio.timeout(5):
            error = await failure(echo.unary(timeout=30))

        assert (error.code(), details(error)[0].reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


@pytest.mark.parametrize("is_deadline", [True, False])
async def test_a_cancelled_call_is_unwound_logged_and_counted(is_deadline):
    """Whatever the handler awaits is cancelled with it: that is how statements on a target end."""
    unwound = asyncio.Event()

    async def handler(_request, _context):
        try:
            await asyncio.sleep(30)
        finally:
            unwound.set()

    async with serving(handler) as echo:
        if is_deadline:
            assert (await failure(echo.unary(timeout=0.1))).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        else:
            call = echo.channel.unary_unary("/test.Echo/Unary")(b"")
            await asyncio.sleep(0.1)
            call.cancel()
        await asyncio.wait_for(unwound.wait(), 5)

        code = "DEADLINE_EXCEEDED" if is_deadline else "CANCELLED"
        assert (await echo.handled())["code"] == code
        assert echo.sample("grpc_server_handled_total", grpc_code=code) == 1


async def test_a_call_without_a_deadline_gets_one():
    """A forgotten call must not hold a connection for ever; a caller's own deadline is respected."""

    async def handler(_request, _context):
        await asyncio.sleep(0.3)
        return b"done"

    async with serving(handler, unary_seconds=0.05) as echo:
        error = await failure(echo.unary())

        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert details(error)[0].domain == "holdfast"
        assert await echo.unary(timeout=10) == b"done"


async def test_a_timeout_of_the_handlers_own_is_not_the_deadline():
    """Only our own deadline blames the caller for taking long."""
    async with serving(raising(TimeoutError()), unary_seconds=30) as echo:
        assert (await failure(echo.unary())).code() is grpc.StatusCode.INTERNAL


async def test_a_stream_is_logged_and_counted_at_its_end():
    """One line per call, not per message."""

    async def three(_request, _context):
        for number in range(3):
            yield bytes([number])

    async with serving(stream=three) as echo:
        assert [message async for message in echo.watch()] == [b"\0", b"\1", b"\2"]

        assert (await echo.handled())["code"] == "OK"
        assert echo.sample("grpc_server_msg_sent_total", "Stream") == 3
        assert echo.sample("grpc_server_handled_total", "Stream", grpc_code="OK") == 1


@pytest.mark.parametrize("after", [0, 2])
async def test_an_error_inside_a_stream_becomes_its_status(after):
    """Also before the first message, and after some."""

    async def failing(_request, _context):
        for _ in range(after):
            yield b"x"
        raise errors.NotFound("no job", reason=Reason.JOB_NOT_FOUND)

    async with serving(stream=failing) as echo:
        call, received = echo.watch(), []
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            received.extend([message async for message in call])

        assert details(failed.value)[0].reason == "JOB_NOT_FOUND"
        assert echo.sample("grpc_server_msg_sent_total", "Stream") in (after, None)
        assert trailer(failed.value.trailing_metadata())


async def test_a_stream_whose_caller_leaves_is_unwound_at_once():
    """Not when the garbage collector finds it: a watch holds a place in the store's signals."""
    unwound = asyncio.Event()

    async def watching(request, context):
        try:
            async for message in forever(request, context):
                yield message
        finally:
            unwound.set()

    gc.disable()
    try:
        async with serving(stream=watching) as echo:
            call = echo.watch()
            await call.read()
            call.cancel()
            await asyncio.wait_for(unwound.wait(), 5)

            assert (await echo.handled())["code"] == "CANCELLED"
    finally:
        gc.enable()


async def test_calls_do_not_see_each_others_context():
    """Two calls at once keep their own request ids in their lines."""
    both = asyncio.Barrier(2)

    async def handler(request, _context):
        await both.wait()
        structlog.get_logger().info("step_done", asked=request.decode())
        return request

    async with serving(handler) as echo:
        await asyncio.gather(*(echo.unary(name.encode(), metadata=(("x-request-id", name),)) for name in ("one", "two")))

        assert {(line["request_id"], line["asked"]) for line in echo.lines("step_done")} == {("one", "one"), ("two", "two")}


async def test_unknown_methods_are_refused_and_not_remembered():
    """A scan over invented names must not fill memory or metrics."""
    async with serving() as echo:
        error = await failure(echo.channel.unary_unary("/test.Echo/Invented")(b""))

        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "Invented" not in json.dumps([str(family) for family in echo.registry.collect()])
