"""Logging, set up once: structlog as JSON lines or for a terminal, the standard library's records routed through it.

Event names are past tense and listed here. No line holds a row value, a DSN or a password: secrets are cut out last, whoever
wrote them.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from holdfastd.config.model import LogFormat

#: Every event name, and what it tells.
EVENTS: Mapping[str, str] = {
    "rpc_handled": "one line per call, whatever came of it",
    "rpc_failed": "a fault of ours, with its traceback; the caller got the request id",
    "server_ready": "calls are taken from here on; listen and http are the actual addresses",
    "server_stopping": "no new work; streams end, jobs are given back",
    "server_stopped": "nothing is left running",
    "stop_step_failed": "one part of stopping went wrong; the others went on",
    "job_taken": "this replica works on a job",
    "job_ended": "a job reached its final state, which is in the line",
    "job_left": "the job is another replica's now, or the store is gone",
    "job_broke": "a fault of ours ended a job, with its traceback",
    "job_not_ended": "the end of a job could not be written; somebody works on it again",
    "jobs_not_claimed": "the store did not answer; asked again soon",
    "store_initialised": "the embedded store was made",
    "store_started": "the embedded store's server was started",
    "store_joined": "the embedded store's server ran already",
    "store_stopped": "the embedded store's server was stopped",
    "store_left_running": "another process still uses the embedded store",
    "store_died": "the embedded store's server ended by itself",
    "store_not_started": "the embedded store's server could not be started again",
    "store_signals_lost": "the connection for signals was lost; until it is back, changes are noticed by looking",
    "metrics_not_refreshed": "dashboards show the numbers of the last refresh until the store answers again",
}

REDACTED = "[redacted]"

_SECRET_KEYS = frozenset({"dsn", "password", "passwd", "token", "authorization", "secret", "secret_key", "store_url"})
_SECRET_TEXTS = (
    (re.compile(r"(postgres(?:ql)?://)[^\s\"']*@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"((?:password|passwd|sslpassword)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&\"']+)", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"(authorization\s*[:=]\s*(?:bearer\s+|basic\s+)?)[^\s\"',]+", re.IGNORECASE), rf"\1{REDACTED}"),
)

# SQLSTATE classes whose messages quote values: data exceptions, integrity violations, WITH CHECK OPTION, RAISE.
_QUOTES_VALUES = ("22", "23", "44", "P0")

Event = MutableMapping[str, Any]


def set_up(log_format: LogFormat, stream: TextIO = sys.stdout) -> None:
    """Send all logging to the stream in the given format. Call once."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        render_exception,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(sort_keys=False)
    if log_format is LogFormat.CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # It tells of every start and stop what server_ready and server_stopped tell.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def redact(_logger: Any, _name: str, event: Event) -> Event:
    """Cut secrets out of an event, by the names of its keys and by what its texts look like; the time, level and name come first."""
    ordered = {key: event[key] for key in ("timestamp", "level", "event") if key in event} | dict(event)
    return {key: REDACTED if key.lower() in _SECRET_KEYS else _clean(value) for key, value in ordered.items()}


def render_exception(_logger: Any, _name: str, event: Event) -> Event:
    """Replace the exception of an event by text."""
    raised = event.pop("exc_info", None)
    if isinstance(raised, tuple):
        raised = raised[1]
    elif raised and not isinstance(raised, BaseException):
        raised = sys.exc_info()[1]
    if isinstance(raised, BaseException):
        event["exception"] = describe(raised)
    return event


def describe(error: BaseException) -> str:
    """Return an exception and its causes as text: where, what kind, and its message unless that could quote a row."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 5:  # noqa: PLR2004 (longer chains tell nothing new)
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{_headline(current)}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\ncaused by\n".join(parts)


def _headline(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return f"{name}: {error}"
    # The first argument is PostgreSQL's message; str() would add its DETAIL, which quotes rows.
    message = "" if state.startswith(_QUOTES_VALUES) or not error.args else f": {error.args[0]}"
    return f"{name} (SQLSTATE {state}){message}"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXTS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: REDACTED if str(key).lower() in _SECRET_KEYS else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
