"""Terminals that do not speak UTF-8: signs that they lack become what people typed before there was Unicode."""

import codecs
from typing import TextIO

_SIGNS = {
    "→": "->",
    "·": "-",
    "–": "-",
    "…": "...",
    "≈": "~",
    "×": "x",
    "✓": "+",
    "≥": ">=",
    "≤": "<=",
    # Bars and their parts.
    **dict(zip("▁▂▃▄▅▆▇█", "__--==##", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", "---####", strict=True)),
}
_ERRORS = "holdfast.plain"


def speaks_unicode(stream: TextIO) -> bool:
    """Tell whether everything can be written to a stream."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")


def make_plain(*streams: TextIO) -> None:
    """Let streams write what they can and something plain for the rest, instead of failing."""
    codecs.register_error(_ERRORS, _plain)
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not speaks_unicode(stream):
            reconfigure(errors=_ERRORS)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SIGNS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
