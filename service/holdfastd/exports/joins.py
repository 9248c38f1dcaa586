"""Foreign keys as fields on both of their tables, named for people. Pure.

In come tables and the names of their columns in a program; out goes one join per key, with names that neither a column nor another
join of the same table has.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.outline import KeyOutline, TableOutline
from holdfastd.exports.spelling import Namespace, camel
from holdfastd.inference.naming.words import one_of
from holdfastd.names import TableName

_KEY_ENDING = re.compile(r"(?<=[a-z0-9])(?:_?(?:id|uuid|guid|fk)|I[Dd]|Uuid|UUID)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A foreign key between two tables."""

    key: KeyOutline
    #: Field of the referencing table: `customer`.
    forward: str
    #: Field of the referenced table: `orders`.
    backward: str
    #: No two rows reference the same row.
    is_one: bool
    #: Where several keys join the same two tables, or a table itself; empty otherwise.
    name: str


def build_joins(tables: Sequence[TableOutline], columns: Mapping[TableName, Mapping[str, str]], *, only_ascii: bool) -> tuple[Join, ...]:
    """Return a join per foreign key between these tables. `columns`: the field of every column."""
    fields = {name: Namespace(taken.values()) for name, taken in columns.items()}
    known = {table.name: table for table in tables}
    keys = [key for table in tables for key in table.foreign_keys if key.referenced.table in known]
    pairs = Counter(_pair(key) for key in keys)
    joins = []
    for key in keys:
        referencing, referenced = key.referencing.table, key.referenced.table
        is_alone = pairs[_pair(key)] == 1 and referencing != referenced
        forward = fields[referencing].take(_forward(key, columns[referencing], only_ascii=only_ascii))
        is_one = _is_unique(known[referencing], key.referencing.columns)
        plain = camel(one_of(referencing.name) if is_one else referencing.name, fallback="rows", only_ascii=only_ascii)
        one = camel(one_of(referenced.name), fallback="row", only_ascii=only_ascii)
        is_named_so = forward in {one, f"{one}Row"}
        # A user's `reports`, and besides the `reportsReviewedBy` that user.
        told = plain if is_alone or is_named_so else plain + forward[0].upper() + forward[1:]
        name = "" if is_alone else f"{camel(referencing.name, fallback='rows', only_ascii=only_ascii)}_{forward}"
        joins.append(Join(key=key, forward=forward, backward=fields[referenced].take(told), is_one=is_one, name=name))
    return tuple(joins)


def _pair(key: KeyOutline) -> frozenset[TableName]:
    return frozenset((key.referencing.table, key.referenced.table))


def _forward(key: KeyOutline, columns: Mapping[str, str], *, only_ascii: bool) -> str:
    # Of several columns the last is the one that tells: those before are shared, as a tenant's.
    stem = camel(_KEY_ENDING.sub("", key.referencing.columns[-1]), fallback="row", only_ascii=only_ascii)
    if stem not in columns.values():
        return stem
    referenced = camel(one_of(key.referenced.table.name), fallback="row", only_ascii=only_ascii)
    return f"{stem}Row" if stem == referenced else stem + referenced[0].upper() + referenced[1:]


def _is_unique(table: TableOutline, columns: tuple[str, ...]) -> bool:
    return any(
        index.is_unique and index.is_usable and index.predicate is None and None not in index.columns and set(index.columns) == set(columns)
        for index in table.indexes
    )
