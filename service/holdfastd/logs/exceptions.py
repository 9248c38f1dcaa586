"""Exceptions in log lines: where, what kind, and the message unless it could quote a row."""

import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

#: SQLSTATE classes whose messages speak of objects, sessions and the server. All others may quote values: data exceptions, integrity
#: violations, WITH CHECK OPTION, RAISE, functions in other languages, and whatever states an application makes up.
_QUOTES_NO_VALUES = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX")


def render_exception(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
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
