"""The shape of a value instead of the value: enough to see why a key has no match (a space, another kind, nothing at all), and no more.

Not as many characters as the value has: `aaaa` and `aaaaa` would tell true from false.
"""

import re

#: As many as a UUID needs, and more than any key that people read.
SHAPE_LENGTH = 36

_PART = re.compile(r"(?P<number>\d+)(?![^\W_])|(?P<word>[^\W_]+)|(?P<kept>[-./:@_ ,])|(?P<other>.)", re.DOTALL)


def mask(value: str | None) -> str | None:
    """Return `9` for each number, `a` for each word, separators as they are, `?` for anything else. NULL stays NULL."""
    if value is None:
        return None
    shape = "".join(map(_shape, _PART.finditer(value)))
    return shape if len(shape) <= SHAPE_LENGTH else shape[:SHAPE_LENGTH] + "…"


def _shape(part: re.Match[str]) -> str:
    match part.lastgroup:
        case "number":
            return "9"
        case "word":
            return "a"
        case "kept":
            return part[0]
        case _:
            # A sign is as much a value as a digit is.
            return "-" if part[0] == "+" else "?"
