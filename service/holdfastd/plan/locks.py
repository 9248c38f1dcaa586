"""The locks that a statement takes beyond the tables it names: PostgreSQL locks the partitions of a table with it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.plan.model import LockLevel, Statement, Step, TableLock

#: Weaker ones let readers and writers through, on partitions or not: naming them would only make a plan longer.
_TOLD = (LockLevel.SHARE, LockLevel.SHARE_ROW_EXCLUSIVE, LockLevel.EXCLUSIVE, LockLevel.ACCESS_EXCLUSIVE)


def with_partitions(catalog: Catalog, step: Step) -> Step:
    """Return the step whose statements name the locks on partitions, too."""
    return replace(step, statements=_all(catalog, step.statements), undo=_all(catalog, step.undo))


def _all(catalog: Catalog, statements: Iterable[Statement]) -> tuple[Statement, ...]:
    return tuple(replace(statement, locks=tuple(dict.fromkeys(_spread(catalog, statement.locks)))) for statement in statements)


def _spread(catalog: Catalog, locks: Iterable[TableLock]) -> Iterator[TableLock]:
    for lock in locks:
        yield lock
        if lock.level in _TOLD:
            yield from (replace(lock, table=each) for each in catalog.partitions_below(lock.table))
