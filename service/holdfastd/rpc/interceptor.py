"""Everything that all calls share, in one wrap: request id, principal, log line, metrics, deadline, and errors becoming statuses.

Handlers stay three lines: they raise domain errors and know nothing of gRPC.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import structlog

from holdfastd.errors import HoldfastError, Reason, Unavailable
from holdfastd.metrics import RpcMetrics
from holdfastd.rpc import metadata
from holdfastd.rpc.status import DETAILS, REQUEST_ID, TookTooLong, code_of, status_of

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

#: What a unary call may take when its caller sets no deadline.
UNARY_SECONDS = 300.0

#: Health and reflection answer for themselves: they are called every few seconds and must work when nothing else does.
_OWN_ACCOUNT = "/grpc."

_principal: ContextVar[str] = ContextVar("principal", default=metadata.ANONYMOUS)


def current_principal() -> str:
    """Return who made the call that runs in this task."""
    return _principal.get()


@dataclass(slots=True, kw_only=True)
class _Call:
    kind: str
    service: str
    method: str
    request_id: str
    started: float
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler once and remembers the wrap."""

    def __init__(self, metrics: RpcMetrics, *, unary_seconds: float = UNARY_SECONDS) -> None:
        """Take where to count, and the deadline of unary calls that have none."""
        self._metrics = metrics
        self._unary_seconds = unary_seconds
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[_Request, _Response] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[_Request, _Response] | None":
        """Return the handler, wrapped unless it keeps its own account; None for unknown methods."""
        method: str = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(_OWN_ACCOUNT):
            return handler
        self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, path: str, handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        codec = {"request_deserializer": handler.request_deserializer, "response_serializer": handler.response_serializer}
        if handler.request_streaming:
            message = f"{path} streams requests; the interceptor knows no such method yet"
            raise TypeError(message)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(path, handler.unary_stream), **codec)
        return grpc.unary_unary_rpc_method_handler(self._unary(path, handler.unary_unary), **codec)

    def _unary(self, path: str, handler: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def unary(request: Any, context: Context) -> Any:
            async with self._observed("unary", path, context) as call, _deadline(context, self._unary_seconds):
                response = await handler(request, context)
                self._metrics.sent(call.kind, call.service, call.method)
                return response

        return unary

    def _stream(self, path: str, handler: Callable[[Any, Context], AsyncIterator[Any]]) -> Any:
        # A coroutine that writes, not a generator: a cancelled call then always unwinds here, in its own task, and not
        # whenever the garbage collector finds the generator. The handler's generator is iterated, so its errors are met, too.
        async def stream(request: Any, context: Context) -> None:
            async with self._observed("server_stream", path, context) as call, aclosing(handler(request, context)) as responses:  # type: ignore[type-var]  # typed as an iterator by the generated stubs
                async for response in responses:
                    await context.write(response)
                    self._metrics.sent(call.kind, call.service, call.method)

        return stream

    @asynccontextmanager
    async def _observed(self, kind: str, path: str, context: Context) -> AsyncIterator[_Call]:
        """Surround one call: name it, count it, log it, and turn its error into a status."""
        call = self._begin(kind, path, context)
        try:
            _principal.set(metadata.principal(_metadata(context)))
            structlog.contextvars.bind_contextvars(principal=current_principal())
            yield call
        except grpc.aio.AbortError:
            call.code = context.code() or grpc.StatusCode.UNKNOWN
            raise
        except asyncio.CancelledError:
            # ServicerContext.cancelled() stays False on a cancelled call (grpcio 1.85); the task knows who was meant.
            if _is_cancelled_from_outside():
                call.code = grpc.StatusCode.DEADLINE_EXCEEDED if context.time_remaining() == 0 else grpc.StatusCode.CANCELLED
                raise
            # Raised by our own doing. Without a status the caller would wait until its deadline.
            await self._fail(call, context, Unavailable("The call was interrupted; try again.", reason=Reason.SHUTTING_DOWN))
        except Exception as error:  # noqa: BLE001 (here is where every error ends)
            await self._fail(call, context, error)
        finally:
            self._end(call)

    def _begin(self, kind: str, path: str, context: Context) -> _Call:
        _, service, method = path.split("/")
        request_id = metadata.request_id(_metadata(context))
        call = _Call(kind=kind, service=service, method=method, request_id=request_id, started=time.perf_counter())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, rpc=f"{service}/{method}")
        # Trailing only: initial metadata sent early would commit the call, and gRPC no longer retries a committed one.
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        self._metrics.began(kind, service, method)
        return call

    async def _fail(self, call: _Call, context: Context, error: Exception) -> None:
        call.code = code_of(error)
        call.reason = error.reason if isinstance(error, HoldfastError) else Reason.INTERNAL
        if call.code is grpc.StatusCode.INTERNAL:
            log.error("rpc_failed", exc_info=error)
        status = status_of(error, call.request_id)
        trailing = ((REQUEST_ID, call.request_id), (DETAILS, status.SerializeToString()))
        await context.abort(call.code, status.message, trailing)

    def _end(self, call: _Call) -> None:
        seconds = time.perf_counter() - call.started
        self._metrics.ended(call.kind, call.service, call.method, call.code.name, seconds)
        facts = {"reason": str(call.reason)} if call.reason else {}
        log.info("rpc_handled", code=call.code.name, seconds=round(seconds, 6), **facts)


@asynccontextmanager
async def _deadline(context: Context, seconds: float) -> AsyncIterator[None]:
    """Give a call without a deadline one; gRPC cancels the others itself."""
    if context.time_remaining() is not None:
        yield
        return
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise TookTooLong(seconds) from None
        raise


def _metadata(context: Context) -> metadata.Metadata:
    return context.invocation_metadata() or ()


def _is_cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
