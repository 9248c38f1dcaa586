"""Defaults as PostgreSQL prints them, and the names it gives unasked: which defaults are plain values, which take the next number. Pure."""

import re

from holdfastd.catalog.model import OwnedSequence, SequenceOptions
from holdfastd.catalog.outline import ColumnOutline
from holdfastd.names import MAX_NAME_BYTES, TableName

#: With an optional cast behind, which repeats the column's type.
_STRING = re.compile(r"'((?:[^']|'')*)'(?:::[^'()]+(?:\([\d,]+\))?)?\Z")
_NUMBER = re.compile(r"\(?'?(-?\d+(?:\.\d+)?)'?\)?(?:::[a-z ]+(?:\([\d,]+\))?)?\Z")
_NEXT = re.compile(r"nextval\('((?:[^']|'')+)'::regclass\)\Z")
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
#: Larger integers are not exact as JavaScript's numbers.
SAFE_INTEGER = 2**53 - 1


def string_of(default: str) -> str | None:
    """Return the text of a string literal; None for anything else, and for text with a backslash, which has two readings."""
    match = _STRING.match(default)
    return None if match is None or "\\" in default else match[1].replace("''", "'")


def number_of(default: str) -> str | None:
    """Return a number as written; None for anything else."""
    match = _NUMBER.match(default)
    return match[1] if match else None


def is_serial(table: TableName, column: ColumnOutline) -> bool:
    """Tell whether a column is what `serial` makes, its sequence's name and options included."""
    if (
        column.default is None
        or column.identity
        or column.type not in _LARGEST
        or not column.not_null
        or _NEXT.match(column.default) is None
    ):
        return False
    name = sequence_name(table, column.name)
    if column.sequence is None:
        # Of audits that did not read sequences: the name tells.
        return bool(name) and (_NEXT.match(column.default) or [""] * 2)[1].rpartition(".")[2].strip('"') == name
    owned = column.sequence
    usual = SequenceOptions(maximum=_LARGEST[column.type])
    return (owned.schema, owned.name, owned.options) == (table.schema, name, usual) and is_next_of_own(column)


def is_next_of_own(column: ColumnOutline) -> bool:
    """Tell whether the default takes the next number of the sequence that the column owns."""
    match = _NEXT.match(column.default or "")
    return match is not None and column.sequence is not None and match[1].rstrip('"').endswith(column.sequence.name.replace('"', '""'))


def sequence_name(table: TableName, column: str) -> str:
    """Return the name that PostgreSQL gives to the sequence of a column; empty where it would have to cut it."""
    name = f"{table.name}_{column}_seq"
    return name if len(name.encode()) <= MAX_NAME_BYTES else ""


def key_name(table: str) -> str:
    """Return the name that PostgreSQL gives to the primary key of a table."""
    suffix = "_pkey"
    return table.encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix


def changed_options(sequence: OwnedSequence | None, type_name: str) -> dict[str, int | bool]:
    """Return the options of a sequence that are not the usual ones of a type."""
    if sequence is None:
        return {}
    usual = SequenceOptions(maximum=_LARGEST.get(type_name, 2**63 - 1))
    pairs = {name: (getattr(sequence.options, name), getattr(usual, name)) for name in SequenceOptions.__slots__}
    return {name: value for name, (value, default) in pairs.items() if value != default}
