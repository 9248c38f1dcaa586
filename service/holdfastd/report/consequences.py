"""What deleting a row of a table does once all keys are in force: through every table that cascades reach, by the schema alone. Pure."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import OnDelete
from holdfastd.names import TableName
from holdfastd.report.view import Key

_REFUSES = (OnDelete.RESTRICT, OnDelete.NO_ACTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """Of deleting a row of one table."""

    table: TableName
    #: Tables whose rows are deleted along, the nearest first, each with the key that reaches it first.
    deletes: tuple[Key, ...]
    #: Keys whose columns are set NULL or to their default, here or in a table that is reached.
    changes: tuple[Key, ...]
    #: Keys that refuse the deletion while rows reference, here or in a table that is reached.
    refusals: tuple[Key, ...]


def by_referenced(keys: Iterable[Key]) -> Mapping[TableName, Sequence[Key]]:
    """Return keys by the table they reference."""
    found: dict[TableName, list[Key]] = defaultdict(list)
    for key in keys:
        found[key.referenced.table].append(key)
    return found


def of_deleting(table: TableName, keys: Mapping[TableName, Sequence[Key]]) -> Consequences:
    """Return what deleting a row of a table does."""
    deletes: dict[TableName, Key] = {}
    changes, refusals = [], []
    waiting = deque([table])
    seen = {table}
    while waiting:
        for key in keys.get(waiting.popleft(), ()):
            if key.on_delete in _REFUSES:
                refusals.append(key)
            elif key.on_delete is not OnDelete.CASCADE:
                changes.append(key)
            else:
                reached = key.referencing.table
                deletes.setdefault(reached, key)
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
    return Consequences(table=table, deletes=tuple(deletes.values()), changes=tuple(changes), refusals=tuple(refusals))


def newly_affected(keys: Sequence[Key]) -> tuple[TableName, ...]:
    """Return the tables from which deletions start to do more than before, those with most keys first."""
    grouped = by_referenced(keys)
    starts = {key.referenced.table for key in keys if key.is_new}
    # Whatever cascades into a table whose deletions do something new does so itself.
    waiting = deque(starts)
    into = defaultdict(set)
    for key in keys:
        if key.on_delete is OnDelete.CASCADE:
            into[key.referencing.table].add(key.referenced.table)
    while waiting:
        for table in into[waiting.popleft()] - starts:
            starts.add(table)
            waiting.append(table)
    return tuple(sorted(starts, key=lambda table: (-len(grouped.get(table, ())), table)))
