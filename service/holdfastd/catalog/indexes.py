"""Which index serves a foreign key's lookup of referencing rows: in come a table and columns, out goes an index or None. Pure.

PostgreSQL looks the rows up by all columns at once, so the columns must be the first key columns in any order; included columns are
not searched, a partial index serves only if its predicate follows from the columns being non-null, and BRIN, GiST and the like do not
find single keys at a price that a deletion could pay.
"""

import re

from holdfastd.catalog.model import Index, Table

_HASH = "hash"
_BTREE = "btree"
_NOT_NULL = r'\((?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_]*)) IS NOT NULL\)'
#: What pg_get_expr prints for one such test, and for several.
_PREDICATE = re.compile(rf"{_NOT_NULL}|\({_NOT_NULL}(?: AND {_NOT_NULL})+\)")


def serving_index(table: Table, columns: tuple[str, ...]) -> Index | None:
    """Return the index that serves lookups by these columns, the narrowest first; None when there is none."""
    serving = [index for index in table.indexes if _serves(index, columns)]
    return min(serving, key=lambda index: (len(index.key_columns), index.predicate is not None, index.name), default=None)


def _serves(index: Index, columns: tuple[str, ...]) -> bool:
    if not index.is_usable or not _is_implied(index.predicate, columns):
        return False
    if index.method == _HASH:
        return index.columns == columns
    return index.method == _BTREE and set(index.columns[: len(columns)]) == set(columns)


def _is_implied(predicate: str | None, columns: tuple[str, ...]) -> bool:
    """Tell whether rows with non-null columns are always in the index."""
    if predicate is None:
        return True
    if not _PREDICATE.fullmatch(predicate):
        return False
    tested = {quoted.replace('""', '"') or plain for quoted, plain in re.findall(_NOT_NULL, predicate)}
    return tested <= set(columns)
