"""May a column hold values of a key: in come two columns and the key's index, out comes how well their types agree."""

from enum import IntEnum

from holdfastd.catalog.model import Column, IndexColumn, TypeFacts
from holdfastd.catalog.operators import resolve_operator


class Fit(IntEnum):
    """How well types agree, better ones larger."""

    #: Nothing could be meant.
    NONE = 0
    #: No foreign key is possible, yet the values may be ids written in another type, such as a uuid in a varchar.
    MISMATCH = 1
    #: PostgreSQL has an operator: integer and bigint, varchar(20) and text.
    FAMILY = 2
    #: The same type with the same length.
    SAME = 3


_STRINGS = "S"
#: Types never written into keys, even where an operator exists.
_NEVER = frozenset({"bool", "boolean", "json", "jsonb", "xml", "tsvector", "float4", "float8", "real", "double precision", "interval"})
_WHOLE = frozenset({"int2", "int4", "int8", "smallint", "integer", "bigint"})


def may_hold_ids(column: Column) -> bool:
    """Tell whether a column's type can hold ids at all."""
    kind = column.type
    return kind.category not in {"B", "A", "T", "D", "G", "R"} and kind.base_name not in _NEVER and not column.generated


def fit(types: TypeFacts, referencing: Column, key: Column, entry: IndexColumn | None) -> Fit:
    """Tell how a column's type fits a key's; without an index entry (no unique index yet) the types must be equal."""
    if referencing.type.formatted == key.type.formatted and referencing.type.base_oid == key.type.base_oid:
        return Fit.SAME
    if entry is not None and resolve_operator(types, entry, referencing.type.base_oid) is not None:
        return Fit.FAMILY
    return Fit.MISMATCH if _is_rewritten(referencing, key) or _is_rewritten(key, referencing) else Fit.NONE


def _is_rewritten(text: Column, key: Column) -> bool:
    """A uuid or a whole number written as text, or a whole number in a numeric."""
    if text.type.category == _STRINGS:
        return key.type.base_name == "uuid" or key.type.base_name in _WHOLE
    return text.type.base_name == "numeric" and key.type.base_name in _WHOLE
