"""Everything that all calls share, in one wrap: request id, principal, log line, metrics, deadline, and errors becoming statuses.

Handlers stay three lines: they raise domain errors and know nothing of gRPC.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import structlog

from holdfastd.config.model import Limits
from holdfastd.errors import Cancelled, HoldfastError, Reason, Unavailable
from holdfastd.metrics.rpc import RpcMetrics
from holdfastd.rpc import metadata
from holdfastd.rpc.fields import is_database_name
from holdfastd.rpc.guard import Guard, Visitor
from holdfastd.rpc.limits import Places
from holdfastd.rpc.reading import check_readable, lenient
from holdfastd.rpc.status import AUDIT_HEAD, DETAILS, REQUEST_ID, TookTooLong, code_of, status_of
from holdfastd.tracing import CallSpan, begin_call

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

#: What a unary call may take when its caller sets no deadline.
UNARY_SECONDS = 300.0

#: Health and reflection answer for themselves: they are called every few seconds and must work when nothing else does.
_OWN_ACCOUNT = "/grpc."
#: Health tells nobody anything; what the service offers is told to those who may call it.
_OPEN_TO_ALL = "/grpc.health."

_principal: ContextVar[str] = ContextVar("principal", default=metadata.ANONYMOUS)


#: The databases that the call may tell of; None: all.
_visible: ContextVar[frozenset[str] | None] = ContextVar("visible", default=None)


def current_principal() -> str:
    """Return who made the call that runs in this task."""
    return _principal.get()


def current_visible() -> frozenset[str] | None:
    """Return the names of the databases that the call which runs in this task may tell of; None: all."""
    return _visible.get()


@dataclass(slots=True, kw_only=True)
class _Call:
    kind: str
    service: str
    method: str
    request_id: str
    started: float
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""
    visitor: Visitor | None = None
    span: CallSpan = field(default_factory=CallSpan)


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler once and remembers the wrap."""

    def __init__(
        self,
        metrics: RpcMetrics,
        *,
        guard: Guard | None = None,
        unary_seconds: float = UNARY_SECONDS,
        audit_head: Callable[[], str] = str,
        places: Places | None = None,
    ) -> None:
        """Take where to count, who is let in (None: everybody), the deadline of unary calls that have none, and what every answer notes.

        And how many are let in at once: as many as the configuration says when nothing is said.
        """
        self._places = places or Places(Limits())
        self._metrics = metrics
        self._audit_head = audit_head
        self._guard = guard
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
        if handler is None or method.startswith(_OPEN_TO_ALL):
            return handler
        self._wrapped[method] = self._shut(method, handler) if method.startswith(_OWN_ACCOUNT) else self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, path: str, handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        codec = {"request_deserializer": lenient(handler.request_deserializer), "response_serializer": handler.response_serializer}
        if handler.request_streaming:
            message = f"{path} streams requests; the interceptor knows no such method yet"
            raise TypeError(message)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(path, handler.unary_stream), **codec)
        return grpc.unary_unary_rpc_method_handler(self._unary(path, handler.unary_unary), **codec)

    def _shut(self, path: str, handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        """Let in whoever can be recognised; streams both ways, such as reflection."""

        async def stream(requests: Any, context: Context) -> None:
            try:
                if self._guard is not None:
                    await self._guard.recognise(context)
            except HoldfastError as error:
                log.info("rpc_handled", rpc=path.removeprefix("/"), code=code_of(error).name, reason=error.reason, peer=context.peer())
                await self._fail(_call("bidi_stream", path, context), context, error)
            async with aclosing(handler.stream_stream(requests, context)) as responses:
                async for response in responses:
                    await context.write(response)

        codec = {"request_deserializer": handler.request_deserializer, "response_serializer": handler.response_serializer}
        return grpc.stream_stream_rpc_method_handler(stream, **codec)

    def _unary(self, path: str, handler: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def unary(request: Any, context: Context) -> Any:
            async with self._observed("unary", path, context, request) as call, _deadline(context, self._unary_seconds):
                response = await handler(request, context)
                self._metrics.sent(call.kind, call.service, call.method)
                context.set_trailing_metadata(self._trailing(call))
                return response

        return unary

    def _stream(self, path: str, handler: Callable[[Any, Context], AsyncIterator[Any]]) -> Any:
        # A coroutine that writes, not a generator: a cancelled call then always unwinds here, in its own task, and not
        # whenever the garbage collector finds the generator. The handler's generator is iterated, so its errors are met, too.
        async def stream(request: Any, context: Context) -> None:
            async with (
                self._observed("server_stream", path, context, request) as call,
                self._while_allowed(call, path, context, request),
                aclosing(handler(request, context)) as responses,  # type: ignore[type-var]  # typed as an iterator by the generated stubs
            ):
                try:
                    async for response in responses:
                        await context.write(response)
                        self._metrics.sent(call.kind, call.service, call.method)
                except grpc.aio.InternalError:
                    # The connection ended in the middle of a write, which is the caller's doing and no fault of ours.
                    raise Cancelled("The caller left.") from None
                context.set_trailing_metadata(self._trailing(call))

        return stream

    @asynccontextmanager
    async def _observed(self, kind: str, path: str, context: Context, request: Any) -> AsyncIterator[_Call]:
        """Surround one call: name it, count it, log it, let it in or not, and turn its error into a status."""
        call = self._begin(kind, path, context)
        try:
            visitor = await self._recognise(call, context, request)
            with self._places.taken(kind):
                # Within: whether a call is allowed may be a question to the store.
                _visible.set(await self._guard.admit(path, request, visitor) if self._guard else None)
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
            self._end(call, context)

    async def _recognise(self, call: _Call, context: Context, request: Any) -> Visitor:
        if self._guard is None:
            visitor = Visitor(name=metadata.principal(_metadata(context)))
        else:
            visitor = await self._guard.recognise(context)
        call.visitor = visitor
        _principal.set(visitor.name)
        structlog.contextvars.bind_contextvars(principal=visitor.name, **_database(request))
        # After the name is bound: the line of a call that is refused tells whose it was.
        check_readable(request)
        return visitor

    @asynccontextmanager
    async def _while_allowed(self, call: _Call, path: str, context: Context, request: Any) -> AsyncIterator[None]:
        """End a long call as soon as its caller may no longer make it."""
        if self._guard is None or call.visitor is None or call.visitor.recognised is None:
            yield
            return
        try:
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(self._guard.until_denied(path, request, context, call.visitor))
                yield
                looking.cancel()
        except BaseExceptionGroup as raised:
            raise raised.exceptions[0] from None

    def _begin(self, kind: str, path: str, context: Context) -> _Call:
        call = _call(kind, path, context)
        request_id, service, method = call.request_id, call.service, call.method
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, rpc=f"{service}/{method}")
        call.span = begin_call(f"{service}/{method}", _metadata(context))
        if call.span.trace_id:
            structlog.contextvars.bind_contextvars(trace_id=call.span.trace_id)
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
        trailing = (*self._trailing(call), (DETAILS, status.SerializeToString()))
        await context.abort(call.code, status.message, trailing)

    def _trailing(self, call: _Call) -> tuple[tuple[str, str], ...]:
        """Return what is told last. The head of the audit log is told to those only who were let in."""
        head = self._audit_head() if call.visitor is not None else ""
        return ((REQUEST_ID, call.request_id), (AUDIT_HEAD, head)) if head else ((REQUEST_ID, call.request_id),)

    def _end(self, call: _Call, context: Context) -> None:
        seconds = time.perf_counter() - call.started
        self._metrics.ended(call.kind, call.service, call.method, call.code.name, seconds)
        facts = {"reason": str(call.reason)} if call.reason else {}
        if call.code is grpc.StatusCode.UNAUTHENTICATED:
            facts["peer"] = context.peer()
        call.span.end(call.code.name, str(call.reason))
        log.info("rpc_handled", code=call.code.name, seconds=round(seconds, 6), **facts)


def _call(kind: str, path: str, context: Context) -> _Call:
    _, service, method = path.split("/")
    request_id = metadata.request_id(_metadata(context))
    return _Call(kind=kind, service=service, method=method, request_id=request_id, started=time.perf_counter())


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


def _database(request: Any) -> dict[str, str]:
    """Return which database a call is about, where its request says so; never text of another kind."""
    named = (getattr(request, field_name, "") for field_name in ("database", "name"))
    return {"database": name} if (name := next(filter(is_database_name, named), "")) else {}


def _metadata(context: Context) -> metadata.Metadata:
    return context.invocation_metadata() or ()


def _is_cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
