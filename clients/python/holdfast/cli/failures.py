"""How commands fail: in comes an exception, out go one sentence on stderr and an exit code. Never a traceback, never a DSN."""

import re
import sys
from enum import IntEnum

from holdfast.errors import HoldfastError


class ExitCode(IntEnum):
    """The exit codes of `holdfast`."""

    FINE = 0
    FINDINGS = 1
    ERROR = 2
    DRIFT = 3
    #: As shells say for Ctrl-C.
    INTERRUPTED = 130


class InputError(Exception):
    """Something typed, or read from a file, cannot be meant."""

    reason = "INVALID_FIELD"


_HOW_TO_SAY_WHO = "Here: HOLDFAST_TOKEN or --token-file FILE, or --cert and --key."

_DSN = re.compile(r"(postgres(?:ql)?)://\S+", re.IGNORECASE)
_PASSWORD = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def fail(error: HoldfastError) -> ExitCode:
    """Say why a call or job failed, and return the exit code."""
    message = error.message
    if error.field and error.field not in message:
        message = f"{error.field}: {message}"
    if error.reason == "INTERNAL" and error.request_id:
        message = f"{message} (request {error.request_id})"
    if error.reason == "UNAUTHENTICATED":
        message = f"{message} {_HOW_TO_SAY_WHO}"
    say(message, error.reason)
    return ExitCode.DRIFT if error.reason == "PLAN_DRIFTED" else ExitCode.ERROR


def say(message: str, reason: str) -> None:
    """Print one sentence with its reason; messages may quote what was typed, so anything like a DSN is taken out."""
    sentence = " ".join(redact(message).split())
    sys.stderr.write(f"holdfast: {sentence} [{reason}]\n")


def redact(text: str) -> str:
    """Return the text without DSNs and passwords."""
    return _PASSWORD.sub(r"\1…", _DSN.sub(r"\1://…", text))
