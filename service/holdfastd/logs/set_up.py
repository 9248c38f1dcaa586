"""Logging, set up once: structlog as JSON lines or for a terminal, the standard library's records routed through it.

No line holds a row value, a DSN or a password. Event names are in events.py.
"""

import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from holdfastd.config.model import LogFormat
from holdfastd.logs.exceptions import render_exception
from holdfastd.logs.redaction import redact

log = structlog.get_logger()


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


def _json(event: MutableMapping[str, Any], **_: Any) -> str:
    return _encoder.encode(event)
