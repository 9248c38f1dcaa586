"""How commands fail: in comes an exception, out go one sentence on stderr and an exit code. Never a traceback, never a DSN."""

import re
import shutil
import sys
import textwrap
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


def usage(message: str, command: str) -> None:
    """Say what is wrong with what was typed, and where to read more."""
    words = message.replace("Value error, ", "").rstrip(".?")
    wrong, meant, names = words.partition(". Did you mean")
    if meant:
        say(f"{wrong}; did you mean{' or '.join(names.rsplit(', ', 1))}? See `{command} --help`.", "USAGE")
    else:
        say(f"{words}; see `{command} --help`.", "USAGE")


def say(message: str, reason: str) -> None:
    """Print one sentence with its reason; messages may quote what was typed, so anything like a DSN is taken out."""
    sentence = f"holdfast: {' '.join(redact(message).split())} [{reason}]"
    if sys.stderr.isatty():
        # Programs read a line; people read words, which a terminal would break anywhere.
        columns = shutil.get_terminal_size().columns
        sentence = textwrap.fill(sentence, columns, break_long_words=False, break_on_hyphens=False)
    sys.stderr.write(f"{sentence}\n")


def redact(text: str) -> str:
    """Return the text without DSNs and passwords."""
    return _PASSWORD.sub(r"\1…", _DSN.sub(r"\1://…", text))
