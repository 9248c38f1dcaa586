"""Logging, set up once: structlog as JSON lines or for a terminal, the standard library's records routed through it.

Event names are past tense and listed here. No line holds a row value, a DSN or a password: secrets are cut out last, whoever
wrote them.
"""

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import structlog

from holdfastd.config.model import LogFormat

log = structlog.get_logger()

#: Every event name, and what it tells.
EVENTS: Mapping[str, str] = {
    "crashed": "a fault of ours ended the process, a thread or a finaliser, with its traceback",
    "rpc_handled": "one line per call, whatever came of it",
    "rpc_failed": "a fault of ours, with its traceback; the caller got the request id",
    "access_file_read": "who may call what changed; it is in force from here on",
    "access_file_rejected": "the changed access file cannot be meant; the one before stays in force",
    "issuer_keys_read": "an issuer of OIDC tokens has other keys than before",
    "issuer_keys_not_read": "an issuer did not tell its keys; tokens are checked with those known so far",
    "certificate_read": "new connections get the new certificate",
    "certificate_expired": "the certificate at the start is none that callers believe; jobs and schedules run all the same",
    "certificate_rejected": "the changed certificate cannot be used; the one before stays in force",
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
    "store_pruned": "what need not be kept any longer was deleted; rows by what they were",
    "store_not_pruned": "keeping house did not work; tried again some minutes later",
    "audit_log_appended": "an entry was committed; its sequence and hash, kept elsewhere, prove later that nobody changed the log",
    "audit_log_rewritten": "the store's audit log is shorter than it was, or another: its owner changed it, or restored a backup",
    "schedule_started": "an audit was queued because it was due",
    "schedule_missed": "audits that were due did not take place, and why the last of them did not",
    "schedules_not_read": "the store did not answer; what is due meanwhile is started late, or counted as missed",
    "store_initialised": "the embedded store was made",
    "store_started": "the embedded store's server was started",
    "store_joined": "the embedded store's server ran already",
    "store_stopped": "the embedded store's server was stopped",
    "store_left_running": "another process still uses the embedded store",
    "store_migration_waits": "a transaction keeps tables of the store locked, which a newer version is to change; tried again",
    "store_died": "the embedded store's server ended by itself",
    "store_not_started": "the embedded store's server could not be started again",
    "store_signals_lost": "the connection for signals was lost; until it is back, changes are noticed by looking",
    "traces_not_sent": "the endpoint for traces took none; told once, until it takes some",
    "metrics_not_refreshed": "dashboards show the numbers of the last refresh until the store answers again",
}

REDACTED = "[redacted]"

#: Keys under which nothing is shown, whatever may stand before them.
_SECRET_KEY = re.compile(
    r"(?:passw(?:or)?ds?|passphrase|(?:^|[_-])(?:dsn|tokens?|authorization|secrets?|secret_keys?|private_key|credentials?|api_key|store_url))$",
    re.IGNORECASE,
)
_QUOTED = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
_SECRET_TEXTS = (
    # Passwords in DSNs may hold anything, so everything up to the last @ goes.
    (re.compile(r"(postgres(?:ql)?://)[^\s\"']*@", re.IGNORECASE), rf"\1{REDACTED}@"),
    # From the beginning of a word only: from each of its letters would take seconds in a long one.
    (re.compile(r"(?<![a-z0-9+.-])([a-z0-9+.-]+://)[^\s\"'/@]+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"((?:passw(?:or)?d|token|secret|api_?key)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&\"']+)", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"([\"'](?:\w*password|passwd|dsn|\w*token|\w*secret)[\"']\s*:\s*b?)" + _QUOTED, re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"(authorization\W{1,4}(?:bearer\s+|basic\s+)?)[^\s\"',]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # JSON web tokens, tokens of ours, Fernet keys, private keys: known by their looks.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), REDACTED),
    (re.compile(r"\b(?:holdfast|hf)_[A-Za-z0-9_-]{40,}"), REDACTED),
    (re.compile(r"(?<![\w/+=-])[A-Za-z0-9_-]{43}=(?![\w=])"), REDACTED),
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END|\Z)", re.DOTALL), rf"\1{REDACTED}"),
)

#: One of these is, in lower case, in every text that one of the patterns would change: most have none, and there is a line per call.
_MARKS = ("=", "@", "'", '"', "authorization", "bearer", "basic", "eyj", "holdfast_", "hf_", "-----begin")

#: SQLSTATE classes whose messages speak of objects, sessions and the server. All others may quote values: data exceptions, integrity
#: violations, WITH CHECK OPTION, RAISE, functions in other languages, and whatever states an application makes up.
_QUOTES_NO_VALUES = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX")

Event = MutableMapping[str, Any]


def set_up(log_format: LogFormat, stream: TextIO = sys.stdout) -> None:
    """Send all logging to the stream in the given format. Call once."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        render_exception,
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    if log_format is LogFormat.CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    # Our own lines do not pass through the standard library: there is one per call, and it would cost three times as much.
    _output.stream = stream
    structlog.configure(
        processors=[*shared, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _output,
        cache_logger_on_first_use=True,
    )
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


def catch_crashes() -> None:
    """Send what ends this process, or a thread of it, through the log, too. Python would print it as it is."""
    sys.excepthook = lambda _, error, __: _tell_crash(error)
    sys.unraisablehook = lambda ignored: _tell_crash(ignored.exc_value)
    threading.excepthook = lambda crash: _tell_crash(crash.exc_value)
    # A record that cannot be formatted would be printed with everything that it was given.
    logging.raiseExceptions = False


def _tell_crash(error: BaseException | None) -> None:
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        log.critical("crashed", exc_info=error)


class _Output:
    """Writes lines; loggers keep it, so the stream can be another one later."""

    stream: TextIO = sys.stdout

    def msg(self, line: str) -> None:
        """Write a line at once."""
        self.stream.write(f"{line}\n")
        self.stream.flush()

    debug = info = warning = error = critical = exception = msg


_output = _Output()
#: Made once: json.dumps would make one for every line.
_encoder = json.JSONEncoder(default=repr)


def _json(event: Event, **_: Any) -> str:
    return _encoder.encode(event)


def redact(_logger: Any, _name: str, event: Event) -> Event:
    """Cut secrets out of an event, by the names of its keys and by what its texts look like; the time, level and name come first."""
    ordered = {key: event[key] for key in ("timestamp", "level", "event") if key in event} | dict(event)
    return _clean_mapping(ordered)


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
        if isinstance(current, BaseExceptionGroup):
            # What went wrong is in there: the group's own message only counts.
            parts += [f"one of them:\n{describe(each)}" for each in current.exceptions[:3]]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\ncaused by\n".join(parts)


def _headline(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        # The driver's own complaints about a value that it was to send quote it.
        is_about_value = isinstance(error, ValueError) and type(error).__module__.startswith("asyncpg")
        return name if is_about_value else f"{name}: {error}"
    # The first argument is PostgreSQL's message; str() would add its DETAIL, which quotes rows.
    message = f": {error.args[0]}" if state.startswith(_QUOTES_NO_VALUES) and error.args else ""
    return f"{name} (SQLSTATE {state}){message}"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _clean_mapping(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    # The renderer would print anything else by its repr, after this.
    return _clean_text(repr(value))


def _clean_text(text: str) -> str:
    if not any(map(text.lower().__contains__, _MARKS)):
        return text
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _clean_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    known = {key: _clean_key(str(key)) for key in value}
    return {name: REDACTED if is_secret else _clean(value[key]) for key, (name, is_secret) in known.items()}


@lru_cache(maxsize=256)
def _clean_key(key: str) -> tuple[str, bool]:
    """Return a key without secrets, and whether nothing under it may be shown."""
    return str(_clean(key)), bool(_SECRET_KEY.search(key))
