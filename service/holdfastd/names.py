"""The words for things inside a database, and the only place that quotes them.

In come names exactly as the catalog holds them; out go SQL fragments, ids of relationships, and new names that fit into 63 bytes.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

#: NAMEDATALEN - 1: PostgreSQL cuts longer names with only a NOTICE.
MAX_NAME_BYTES = 63

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table by schema and name, unquoted."""

    schema: str
    name: str

    def __str__(self) -> str:
        """`schema.name` for people and ids: quoted only where SQL would need it."""
        return f"{readable(self.schema)}.{readable(self.name)}"


@dataclass(frozen=True, slots=True, order=True)
class ColumnSet:
    """Columns of one table, in the order of the key they form; at least one."""

    table: TableName
    columns: tuple[str, ...]

    def __str__(self) -> str:
        """`schema.name(column, …)`, quoted only where SQL would need it."""
        return f"{self.table}({', '.join(readable(column) for column in self.columns)})"


def relationship_id(referencing: ColumnSet, referenced: ColumnSet) -> str:
    """Return the id of a relationship: stable within a database, readable, unambiguous for any names."""
    return f"{referencing}->{referenced}"


def readable(name: str) -> str:
    """Return a name as people write it: bare when it is plain lower case, else quoted."""
    return name if _PLAIN.match(name) else identifier(name)


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier. Quoting always is simpler than knowing every version's keywords."""
    if "\0" in name:
        message = "PostgreSQL names hold no NUL"
        raise ValueError(message)
    return '"' + name.replace('"', '""') + '"'


def qualified(table: TableName) -> str:
    """Return a table as schema-qualified SQL; search_path is empty in every session."""
    return f"{identifier(table.schema)}.{identifier(table.name)}"


def identifiers(names: Iterable[str]) -> str:
    """Return names as a comma-separated SQL list."""
    return ", ".join(identifier(name) for name in names)


def literal(text: str) -> str:
    """Return text as an SQL string literal, for statements that cannot have bind parameters.

    A backslash needs the E'' form to mean the same under either setting of standard_conforming_strings.
    """
    escaped = text.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in text else f"'{escaped}'"


def comment(text: str) -> str:
    """Return text as one SQL comment line; a newline in a name must not end the comment (CVE-2025-8715's class)."""
    return "-- " + "".join(character if character.isprintable() else " " for character in text)


def fit(*parts: str, suffix: str = "") -> str:
    """Join parts with `_` and add the suffix, cutting to 63 bytes on a character boundary with a hash so that cut names differ."""
    name = "_".join(part for part in parts if part)
    if len((name + suffix).encode()) <= MAX_NAME_BYTES:
        return name + suffix
    digest = "_" + hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    room = MAX_NAME_BYTES - len((digest + suffix).encode())
    return name.encode()[:room].decode(errors="ignore") + digest + suffix


def unused(name: str, taken: Iterable[str]) -> str:
    """Return the name, or the name with the lowest number that makes it differ from those taken; 63 bytes at most."""
    names = set(taken)
    if name not in names:
        return name
    return next(candidate for number in range(2, len(names) + 3) if (candidate := fit(name, suffix=f"_{number}")) not in names)
