"""Which index serves a foreign key's lookup of referencing rows: in come a table and columns, out goes an index or None. Pure.

PostgreSQL looks the rows up by all columns at once, so the columns must be the first key columns in any order; included columns are
not searched, a partial index serves only if its predicate follows from the columns being non-null, and BRIN, GiST and the like do not
find single keys at a price that a deletion could pay. The index must compare as the key does: by its operators, and by the column's
collation.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from holdfastd.catalog.model import Index, IndexColumn, Operator, Table, TypeFacts

_HASH = "hash"
_BTREE = "btree"
_NOT_NULL = r'\((?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_]*)) IS NOT NULL\)'
#: What pg_get_expr prints for one such test, and for several.
_PREDICATE = re.compile(rf"{_NOT_NULL}|\({_NOT_NULL}(?: AND {_NOT_NULL})+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a key compares: its operator per column, referenced value on the left, and what the database knows about operators."""

    operators: tuple[Operator, ...]
    types: TypeFacts


def serving_index(table: Table, columns: tuple[str, ...], comparison: Comparison | None = None) -> Index | None:
    """Return the index that serves lookups by these columns, the narrowest first; None when there is none.

    Without a comparison the index is taken to compare as the key does, which is so unless the key casts the referencing columns.
    """
    return _narrowest(index for index in table.indexes if len(leading(index, columns, comparison)) == len(columns))


def prefix_index(table: Table, columns: tuple[str, ...], comparison: Comparison | None = None) -> Index | None:
    """Return the index that finds rows by the most of these columns, where none serves by all; what it finds is filtered row by row."""
    longest = max((len(leading(index, columns, comparison)) for index in table.indexes), default=0)
    if longest in {0, len(columns)}:
        return None
    return _narrowest(index for index in table.indexes if len(leading(index, columns, comparison)) == longest)


def leading(index: Index, columns: tuple[str, ...], comparison: Comparison | None = None) -> tuple[str, ...]:
    """Return the first key columns of an index that a lookup by these columns can use: none when it may lack rows that are looked for."""
    if not index.is_usable or index.method not in {_BTREE, _HASH} or not _is_implied(index.predicate, columns):
        return ()
    used = takewhile(lambda entry: entry.name in columns and _compares(entry, columns, comparison), index.key_columns)
    return tuple(dict.fromkeys(entry.name for entry in used if entry.name is not None))


def _narrowest(indexes: Iterable[Index]) -> Index | None:
    return min(indexes, key=lambda index: (len(index.key_columns), index.predicate is not None, index.name), default=None)


def _compares(entry: IndexColumn, columns: tuple[str, ...], comparison: Comparison | None) -> bool:
    """Tell whether an index column is searched by the operator of its column, which has the index's column on the left then."""
    if not entry.has_own_collation:
        return False
    if comparison is None or entry.name is None:
        return True
    operator = comparison.operators[columns.index(entry.name)]
    return any(
        member.left == operator.right and member.right == operator.left
        for (family, _, _), member in comparison.types.equality.items()
        if family == entry.operator_family
    )


def _is_implied(predicate: str | None, columns: tuple[str, ...]) -> bool:
    """Tell whether rows with non-null columns are always in the index."""
    if predicate is None:
        return True
    if not _PREDICATE.fullmatch(predicate):
        return False
    tested = {quoted.replace('""', '"') or plain for quoted, plain in re.findall(_NOT_NULL, predicate)}
    return tested <= set(columns)
