"""What was read from one source, and how it is gathered: relationships with their places, and what could not be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.v1.audit_service_pb2 import IntendedRelationship
from holdfast.v1.core_pb2 import ON_DELETE_UNSPECIFIED, ColumnSet, OnDelete

#: What the service takes in one audit, into one key, as one name, and as one place.
MOST = 20_000
MOST_COLUMNS = 32
MOST_NAME_BYTES = 255
MOST_PLACE_BYTES = 500


class IntentError(ValueError):
    """A source cannot be read at all, in one sentence."""


class Unread(NamedTuple):
    """Something in a source that says nothing certain about a relationship."""

    #: Such as `schema.rb:12`.
    origin: str
    reason: str


class Columns(NamedTuple):
    """Columns as an application names them. An empty schema: the only table of that name; no columns: the primary key."""

    schema: str
    table: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one source declares."""

    #: The kind and the place, such as `prisma:schema.prisma`.
    source: str
    relationships: tuple[IntendedRelationship, ...]
    unread: tuple[Unread, ...] = ()


def place(path: str, line: int = 0) -> str:
    """Return where something is declared, as one line of what can be printed."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in path)
    shown = shown.encode()[-MOST_PLACE_BYTES:].decode(errors="ignore")
    return f"{shown}:{line}" if line else shown


def action(word: str) -> OnDelete.ValueType:
    """Return the action that a word means, such as `SetNull`, `SET NULL` or `set null`; unspecified for what is none."""
    squeezed = "".join(letter for letter in word.upper() if letter.isalpha())
    known = {name.removeprefix("ON_DELETE_").replace("_", ""): value for name, value in OnDelete.items()}
    return known.get(squeezed, ON_DELETE_UNSPECIFIED)


@dataclass(slots=True)
class Draft:
    """Gathers relationships. What is declared twice counts once: at its first place, with the first action that is stated."""

    _found: dict[tuple[Columns, Columns], IntendedRelationship] = field(default_factory=dict)
    _unread: dict[Unread, None] = field(default_factory=dict)

    def add(self, referencing: Columns, referenced: Columns, origin: str, on_delete: OnDelete.ValueType = ON_DELETE_UNSPECIFIED) -> None:
        """Take a relationship; what the service would refuse is noted instead."""
        why = _why_not(referencing, referenced)
        known = self._found.get((referencing, referenced))
        if why:
            self.skip(origin, why)
        elif known is not None:
            known.on_delete = known.on_delete or on_delete
        elif len(self._found) >= MOST:
            self.skip(origin, f"only the first {MOST} relationships are read")
        else:
            self._found[referencing, referenced] = IntendedRelationship(
                referencing=_message(referencing), referenced=_message(referenced), on_delete=on_delete, origin=origin
            )

    def skip(self, origin: str, reason: str) -> None:
        """Note what could not be read."""
        if len(self._unread) < MOST:
            self._unread[Unread(origin, reason)] = None

    def finish(self, source: str) -> Intent:
        """Return what was gathered."""
        return Intent(source=source, relationships=tuple(self._found.values()), unread=tuple(self._unread))


def _message(columns: Columns) -> ColumnSet:
    return ColumnSet(schema=columns.schema, table=columns.table, columns=columns.columns)


def _why_not(referencing: Columns, referenced: Columns) -> str:
    if not referencing.columns:
        return "the relationship names no columns"
    if referenced.columns and len(referenced.columns) != len(referencing.columns):
        return "it pairs unlike numbers of columns"
    if max(map(len, (referencing.columns, referenced.columns))) > MOST_COLUMNS:
        return f"no key has more than {MOST_COLUMNS} columns"
    if any(len(set(each.columns)) != len(each.columns) for each in (referencing, referenced)):
        return "it names a column twice"
    names = (*_names(referencing), *_names(referenced))
    needed = (referencing.table, referenced.table, *referencing.columns, *referenced.columns)
    if not all(name.strip() for name in needed) or any(_is_odd(name) for name in names):
        return "a name in it is empty, too long, or none that PostgreSQL could hold"
    return ""


def _names(columns: Columns) -> Iterable[str]:
    return columns.schema, columns.table, *columns.columns


def _is_odd(name: str) -> bool:
    try:
        return len(name.encode()) > MOST_NAME_BYTES or "\0" in name
    except UnicodeEncodeError:
        return True


def split_name(name: str) -> tuple[str, str]:
    """Return schema and table of `schema.table`, with or without quotes around each; an empty schema for `table`."""
    bare = name.replace('"."', ".").strip('"') if '"' in name else name
    schema, _, table = bare.rpartition(".")
    return schema, table


def merged(intents: Sequence[Intent]) -> list[IntendedRelationship]:
    """Return the relationships of all sources, in order."""
    return [each for intent in intents for each in intent.relationships]
