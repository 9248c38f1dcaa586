"""Which tables a cleanup batch locks, statement by statement, also those that only its keys look into. Pure.

Rows that are read FOR UPDATE take ROW SHARE, changed ones ROW EXCLUSIVE; a key that checks takes ROW SHARE on the table where it looks,
one that acts takes ROW EXCLUSIVE. A table that no row leads to is not locked after all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.edges import KeyName
from holdfastd.plan.model import LockLevel, TableLock

_LEVELS = tuple(LockLevel)
_ACTING = (OnDelete.CASCADE, OnDelete.SET_NULL, OnDelete.SET_DEFAULT)


def reading(*tables: TableName, locked: TableName | None = None) -> tuple[TableLock, ...]:
    """Return the locks of reading tables, the rows of one of them FOR UPDATE."""
    locks = [TableLock(table=table, level=LockLevel.ACCESS_SHARE) for table in tables]
    return strongest([*locks, *([TableLock(table=locked, level=LockLevel.ROW_SHARE)] if locked else [])])


def deleting(tables: Sequence[TableName], changed: Mapping[TableName, Collection[str]], edges: Sequence[Edge]) -> tuple[TableLock, ...]:
    """Return the locks of deleting rows of the first table, and what keys delete and set NULL (`changed`) along with them."""
    deleted = _deleted(tables[0], edges)
    locks = [TableLock(table=table, level=LockLevel.ROW_EXCLUSIVE) for table in tables]
    for edge in edges:
        if edge.referenced.table in deleted:
            level = LockLevel.ROW_EXCLUSIVE if edge.on_delete in _ACTING else LockLevel.ROW_SHARE
            locks.append(TableLock(table=edge.referencing.table, level=level))
    return strongest([*locks, *_following(changed, edges)])


def changing(
    catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, values: Mapping[str, str], edges: Iterable[Edge]
) -> tuple[TableLock, ...]:
    """Return the locks of giving rows other values: keys make sure that the new ones are there, and that nobody needs the old."""
    declared = [(key.referencing.columns, key.referenced.table) for key in catalog.tables[referencing.table].foreign_keys if key.enforced]
    looked_into = [
        TableLock(table=table, level=LockLevel.ROW_SHARE)
        for columns, table in ((referencing.columns, referenced.table), *declared)
        if any(values.get(column, "NULL") != "NULL" for column in columns)
    ]
    own = TableLock(table=referencing.table, level=LockLevel.ROW_EXCLUSIVE)
    return strongest([own, *looked_into, *_following({referencing.table: values}, edges)])


def _following(changed: Mapping[TableName, Collection[str]], edges: Iterable[Edge]) -> Iterator[TableLock]:
    """Yield the locks of keys that look for rows which reference a changed value."""
    for edge in edges:
        if set(changed.get(edge.referenced.table, ())).intersection(edge.referenced.columns):
            yield TableLock(table=edge.referencing.table, level=LockLevel.ROW_SHARE)


def _deleted(start: TableName, edges: Sequence[Edge]) -> list[TableName]:
    """Return the tables whose rows are deleted: the first, and those that cascades reach from there."""
    found = [start]
    for table in found:
        found += [
            edge.referencing.table
            for edge in edges
            if edge.on_delete is OnDelete.CASCADE and edge.referenced.table == table and edge.referencing.table not in found
        ]
    return found


def restoring(
    catalog: Catalog,
    tables: Sequence[TableName],
    changed: Mapping[TableName, Collection[str]],
    dropped: frozenset[KeyName],
    *,
    deletes: bool,
) -> tuple[TableLock, ...]:
    """Return the locks of putting rows back: turning triggers off and on keeps writers out for the batch.

    `deletes`: rows were deleted, so that all keys that stay are checked; otherwise only those of columns that change back.
    """
    locks = []
    for name in tables:
        table = catalog.tables[name]
        is_fired = any(trigger.enabled for trigger in table.triggers)
        locks.append(TableLock(table=name, level=LockLevel.SHARE_ROW_EXCLUSIVE if is_fired else LockLevel.ROW_EXCLUSIVE))
        for key in table.foreign_keys:
            concerned = deletes or set(changed.get(name, ())).intersection(key.referencing.columns)
            if key.enforced and concerned and (name, key.name) not in dropped:
                locks.append(TableLock(table=key.referenced.table, level=LockLevel.ROW_SHARE))
    return strongest(locks)


def strongest(locks: Iterable[TableLock]) -> tuple[TableLock, ...]:
    """Return one lock per table, the strongest."""
    found: dict[TableName, LockLevel] = {}
    for lock in locks:
        found[lock.table] = max(found.get(lock.table, lock.level), lock.level, key=_LEVELS.index)
    return tuple(TableLock(table=table, level=level) for table, level in found.items())
