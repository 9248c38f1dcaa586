"""The methods over HTTP, in the Connect protocol: an ASGI application.

A call is read here and then takes the path of a call over gRPC: the same handlers in the interceptor's wraps. Nothing of what is
read is trusted before the wraps have seen it; what cannot be read at all is answered here.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from holdfastd.rpc.connect.answers import Answer, StreamAnswer, UnaryAnswer, plain
from holdfastd.rpc.connect.context import HttpContext
from holdfastd.rpc.connect.request import Bodies, Gone, NotACall, NotRead, Receive, Request, Scope, Send, left, read_request
from holdfastd.rpc.connect.wire import only_message
from holdfastd.rpc.handlers import Handler
from holdfastd.rpc.interceptor import Interceptor

log = structlog.get_logger()


class ConnectApp:
    """Answers POST /service/method."""

    def __init__(
        self, services: Sequence[ServiceDescriptor], handlers: Mapping[str, Handler], interceptor: Interceptor, *, max_bytes: int
    ) -> None:
        """Take the contract, the handlers by path, what wraps them, and the largest request (bytes)."""
        self._methods: dict[str, MethodDescriptor] = {
            f"/{service.full_name}/{method.name}": method for service in services for method in service.methods
        }
        self._handlers = handlers
        self._interceptor = interceptor
        self._bodies = Bodies(max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = self._methods.get(scope["path"])
        try:
            request = read_request(scope, streams=method is not None and method.server_streaming)
        except NotACall as error:
            await plain(send, error.status, error.text, error.headers)
            return
        answer: Answer = StreamAnswer(send, request.codec) if request.streams else UnaryAnswer(send, request.codec)
        if method is None:
            await answer.fail(grpc.StatusCode.UNIMPLEMENTED, "There is no such method; compare the versions of client and service.")
            return
        if request.problem:
            await answer.fail(request.problem[0], request.problem[1])
            return
        await self._call(scope["path"], method, request, answer, receive)

    async def _call(self, path: str, method: MethodDescriptor, request: Request, answer: Answer, receive: Receive) -> None:
        try:
            message = await self._read(method, request, receive)
        except NotRead as error:
            await answer.fail(error.code, error.text, closes=True)
            return
        except Gone:
            return
        context = HttpContext(request.way, request.metadata, request.seconds, answer.write)
        await _answered(self._run(path, message, context, answer), context, answer, receive)

    async def _read(self, method: MethodDescriptor, request: Request, receive: Receive) -> Any:
        async with self._bodies.read(request, receive) as body:
            data = only_message(body) if request.streams else body
            if data is None:
                raise NotRead(grpc.StatusCode.INVALID_ARGUMENT, "The body is not one uncompressed Connect frame with one message.")
            return await request.codec.read(data, GetMessageClass(method.input_type))

    async def _run(self, path: str, request: Any, context: HttpContext, answer: Answer) -> None:
        handler = await self._wrapped(path)
        try:
            if handler.response_streaming:
                await handler.unary_stream(request, context)
            else:
                await answer.write(await handler.unary_unary(request, context))
        except grpc.aio.AbortError:
            await answer.fail(context.code() or grpc.StatusCode.UNKNOWN, context.details(), context.trailing_metadata())
        else:
            await answer.end(context.trailing_metadata())

    async def _wrapped(self, path: str) -> Any:
        async def continuation(_: grpc.HandlerCallDetails) -> Handler:
            return self._handlers[path]

        return await self._interceptor.intercept_service(continuation, _Details(path))


class _Details(grpc.HandlerCallDetails):
    """What the interceptor asks of a call before it has a request."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


async def _answered(work: Coroutine[Any, Any, None], context: HttpContext, answer: Answer, receive: Receive) -> None:
    """Run a call in a task of its own until it ends, its deadline passes or its caller leaves; what is left of it is cancelled."""
    call, leaving = asyncio.create_task(work), asyncio.create_task(left(receive))
    try:
        await asyncio.wait({call, leaving}, timeout=context.time_remaining(), return_when=asyncio.FIRST_COMPLETED)
        is_late = not call.done() and not leaving.done()
    finally:
        leaving.cancel()
        call.cancel()
        await asyncio.wait({call, leaving})
    if is_late:
        await answer.fail(grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline of the call has passed; call again with more time.")
    elif not call.cancelled() and (error := call.exception()) is not None:
        log.error("rpc_failed", exc_info=error)
        await answer.fail(grpc.StatusCode.INTERNAL, "A fault of Holdfast; its log names the cause.")
