"""Text of a database as TypeScript: strings, templates and comments that hold any name inertly. Pure."""

import json
from collections.abc import Mapping


def string(text: str) -> str:
    """Return text as a string literal; what cannot be seen is escaped."""
    return _visible(json.dumps(text, ensure_ascii=False))


def sql(text: str) -> str:
    """Return SQL as drizzle's tagged template."""
    escaped = text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
    return f"sql`{_visible(escaped, kept=chr(10))}`"


def comment(text: str) -> str:
    """Return text as one line of comment."""
    return "// " + "".join(character if character.isprintable() else " " for character in text).strip()


def options(values: Mapping[str, str]) -> str:
    """Return an object literal; empty for none."""
    return "{ " + ", ".join(f"{name}: {value}" for name, value in values.items()) + " }" if values else ""


def _visible(text: str, kept: str = "") -> str:
    return "".join(character if character.isprintable() or character in kept else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
