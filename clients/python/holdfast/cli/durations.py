"""Durations as people type them: in comes `90s` or `5m`, out comes a timedelta."""

import re
from datetime import timedelta

import typer

_SHAPE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
#: No more is ever meant, and moments that long ago can be told.
_LONGEST = timedelta(days=36_500)


def duration(text: str) -> timedelta:
    """Return how long `90s`, `500ms`, `5m` or `1.5h` is; typer turns the error into words."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 5m or 1h")
    length = timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    if length > _LONGEST:
        raise typer.BadParameter(f"{text!r} is longer than a hundred years")
    return length
