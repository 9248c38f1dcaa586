"""Traces, where an endpoint is configured: calls, jobs and statements become spans, sent by OTLP over gRPC.

The only module that knows OpenTelemetry, which need not be installed: everything here does nothing until `set_up` was called.
No span holds a DSN, a parameter or a row value. The store's statements are ours and told as text; those for targets hold names of
other people's tables, so their first words are told.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

log = structlog.get_logger()

#: How long the last spans may take to be sent when the service stops.
_LAST_SECONDS = 1.5
_LONGEST_TEXT = 1000
_FIRST_WORDS = re.compile(r"(?:\s|--[^\n]*\n)*((?:CREATE|ALTER|DROP|LOCK|INSERT|DELETE)\s+\w+|\w+)", re.IGNORECASE)


class NotInstalled(Exception):
    """The packages are missing; the message is the sentence to print."""


class Side(StrEnum):
    """Whom a statement is sent to."""

    STORE = "store"
    TARGET = "target"


class CallSpan:
    """One call. Without tracing it is nothing, at no cost."""

    def __init__(self, span: "Span | None" = None) -> None:
        """Take the span."""
        self._span = span

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty when nothing is traced."""
        return "" if self._span is None else f"{self._span.get_span_context().trace_id:032x}"

    def end(self, code: str, reason: str) -> None:
        """End the span with the status of the call, and the reason of its error."""
        if self._span is None:
            return
        self._span.set_attribute("rpc.response.status_code", code)
        if code != "OK":
            self._span.set_attribute("error.type", reason or code)
            _mark_failed(self._span)
        self._span.end()


class _Tracing:
    """What there is once it was set up."""

    def __init__(self, endpoint: str, version: str) -> None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (only where asked for)
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult  # noqa: PLC0415

        class Sender(OTLPSpanExporter):
            """Says once that nothing arrives, until something does; the original says it every other second."""

            is_failing = False

            def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
                """Send spans."""
                result = super().export(spans)
                is_failing = result is not SpanExportResult.SUCCESS
                if is_failing and not self.is_failing:
                    log.warning("traces_not_sent", endpoint=endpoint)
                self.is_failing = is_failing
                return result

        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": "holdfastd", "service.version": version})
        self.provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(Sender(endpoint=endpoint, timeout=5)))
        self.tracer: Tracer = self.provider.get_tracer("holdfastd", version)


_tracing: _Tracing | None = None


def set_up(endpoint: str, version: str) -> None:
    """Send spans to an endpoint such as `http://127.0.0.1:4317` from now on; NotInstalled when the packages are missing."""
    global _tracing  # noqa: PLW0603 (spans are the process's, as its log is)
    try:
        _tracing = _Tracing(endpoint, version)
    except ImportError:
        message = "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; install holdfastd[tracing], or unset it."
        raise NotInstalled(message) from None


async def shut_down() -> None:
    """Send what is left, for a moment at most, and trace nothing any more."""
    global _tracing
    if _tracing is None:
        return
    provider, _tracing = _tracing.provider, None
    # A thread of our own: the loop would wait for one of its pool, however long an endpoint that is away takes.
    sender = threading.Thread(target=provider.shutdown, daemon=True)
    sender.start()
    end = time.monotonic() + _LAST_SECONDS
    while sender.is_alive() and time.monotonic() < end:
        await asyncio.sleep(0.02)


def begin_call(rpc: str, metadata: Iterable[tuple[str, str | bytes]]) -> CallSpan:
    """Begin the span of a call, which goes on with its caller's trace; what this task does from here on belongs to it."""
    if _tracing is None:
        return CallSpan()
    from opentelemetry import context, trace  # noqa: PLC0415

    service, _, method = rpc.rpartition("/")
    parent = _extract({key: value for key, value in metadata if isinstance(value, str)})
    attributes = {"rpc.system.name": "grpc", "rpc.service": service, "rpc.method": method}
    span = _tracing.tracer.start_span(rpc, context=parent, kind=trace.SpanKind.SERVER, attributes=attributes)
    # Never detached: every call has a task of its own.
    context.attach(trace.set_span_in_context(span))
    return CallSpan(span)


@contextmanager
def working_on(kind: str, job_id: str, database: str, asked_by: str) -> Iterator[None]:
    """Surround the work on a job by a trace of its own, linked to the call that asked for it (`asked_by`: its traceparent)."""
    if _tracing is None:
        yield
        return
    from opentelemetry import context, trace  # noqa: PLC0415

    attributes = {"holdfast.job": job_id, "holdfast.database": database}
    name = f"job {kind}"
    with _tracing.tracer.start_as_current_span(
        name,
        context=context.Context(),
        attributes=attributes,
        links=_links(asked_by),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            # Messages of the driver quote rows.
            span.set_attribute("error.type", str(getattr(error, "reason", "")) or type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def traceparent() -> str:
    """Return the current span as W3C's `traceparent`; empty when nothing is traced."""
    if _tracing is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def watch(connection: Any, side: Side) -> None:
    """Make a span of every statement that a session of the driver is sent within a call or a job."""
    if _tracing is not None:
        connection.add_query_logger(lambda record: _told(record, side))


def _told(record: Any, side: Side) -> None:
    """Make the span of a statement that has just ended. The driver calls in the context of whoever sent it."""
    from opentelemetry import trace  # noqa: PLC0415

    within = trace.get_current_span()
    if _tracing is None or not within.get_span_context().is_valid:
        return
    end = time.time_ns()
    start = end - int(record.elapsed * 1e9)
    # What a call began for everybody, and what goes on without it, is not the call's.
    if start > (getattr(within, "end_time", None) or end):
        return
    span = _tracing.tracer.start_span(
        f"{side} {_operation(record.query)}",
        kind=trace.SpanKind.CLIENT,
        start_time=start,
        attributes=_attributes(record.query, side),
    )
    if record.exception is not None:
        span.set_attribute("error.type", getattr(record.exception, "sqlstate", None) or type(record.exception).__name__)
        _mark_failed(span)
    span.end(end)


def _attributes(query: str, side: Side) -> Mapping[str, str]:
    attributes = {"db.system.name": "postgresql", "db.operation.name": _operation(query), "holdfast.side": side.value}
    if side is Side.STORE:
        attributes["db.query.text"] = " ".join(query.split())[:_LONGEST_TEXT]
    return attributes


def _operation(query: str) -> str:
    found = _FIRST_WORDS.match(query)
    return " ".join(found[1].upper().split()) if found else "?"


def _mark_failed(span: "Span") -> None:
    from opentelemetry import trace  # noqa: PLC0415

    span.set_status(trace.StatusCode.ERROR)


def _extract(headers: Mapping[str, str]) -> Any:
    from opentelemetry import context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract(headers, context=context.Context())


def _links(asked_by: str) -> "list[Link]":
    from opentelemetry import trace  # noqa: PLC0415

    asking: SpanContext = trace.get_current_span(_extract({"traceparent": asked_by})).get_span_context()
    return [trace.Link(asking)] if asking.is_valid else []
