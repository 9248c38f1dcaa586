"""Text of a database as Prisma's language: strings, comments and aligned blocks that hold any name inertly. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence

#: A field: name, type, attributes; or a line of its own kind.
Line = tuple[str, str, str] | str


def string(text: str) -> str:
    """Return text as a string literal; what cannot be seen is escaped."""
    return "".join(character if character.isprintable() else _escaped(character) for character in json.dumps(text, ensure_ascii=False))


def comment(text: str, mark: str = "//") -> str:
    """Return text as one line of comment; `///` documents what follows."""
    return f"{mark} " + "".join(character if character.isprintable() else " " for character in text).strip()


def listed(names: Iterable[str]) -> str:
    """Return names as a list."""
    return f"[{', '.join(names)}]"


def aligned(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of a block as `prisma format` lays them out: fields in columns, whatever comments stand between."""
    fields = [line for line in lines if isinstance(line, tuple)]
    names, types = (max((len(field[place]) for field in fields), default=0) for place in (0, 1))
    for line in lines:
        if isinstance(line, str):
            yield f"  {line}".rstrip()
        else:
            name, type_, attributes = line
            yield f"  {name:{names}} {type_:{types}} {attributes}".rstrip()


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
