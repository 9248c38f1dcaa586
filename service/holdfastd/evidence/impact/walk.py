"""Following a deletion from row to row without deleting. Reads only, in one snapshot.

Level by level, as PostgreSQL does: the addresses of newly deleted rows are sent back to find what references them. What a key does
about rows that go along anyway is decided at the end, when it is known which do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.errors import InvalidField, NotFound, Reason
from holdfastd.evidence.addresses import Addresses
from holdfastd.evidence.impact.arms import find_doubts
from holdfastd.evidence.impact.model import Arm, Impact, ImpactAction, Impacts
from holdfastd.evidence.statements import from_only, key_match
from holdfastd.names import TableName, identifier

#: Addresses in one parameter, and rows in one answer.
_AT_ONCE = 10_000
_SECONDS = 30
_ACTIONS: Mapping[OnDelete | None, ImpactAction] = {
    OnDelete.CASCADE: ImpactAction.DELETE,
    OnDelete.SET_NULL: ImpactAction.SET_NULL,
    OnDelete.SET_DEFAULT: ImpactAction.SET_DEFAULT,
    OnDelete.NO_ACTION: ImpactAction.BLOCK,
    OnDelete.RESTRICT: ImpactAction.BLOCK,
    None: ImpactAction.ORPHAN,
}


@dataclass(slots=True)
class _Reached:
    """Rows that one arm reaches, and that no arm before it deleted."""

    arm: Arm
    depth: int
    rows: Addresses = field(default_factory=Addresses)
    is_complete: bool = True


@dataclass(slots=True)
class _Walk:
    connection: asyncpg.Connection
    catalog: Catalog
    arms: Mapping[TableName, Sequence[Arm]]
    most_rows: int
    deleted: dict[TableName, Addresses] = field(default_factory=dict)
    reached: dict[Arm, _Reached] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many more rows may be followed."""
        rows = sum(map(len, self.deleted.values()))
        return self.most_rows - rows - sum(len(each.rows) for each in self.reached.values() if each.arm.on_delete is not OnDelete.CASCADE)


async def measure_impact(
    connection: asyncpg.Connection,
    catalog: Catalog,
    table: TableName,
    key: tuple[str, ...],
    arms: Mapping[TableName, Sequence[Arm]],
    *,
    most_rows: int,
    sample_size: int,
) -> Impacts:
    """Return what deleting the row of a table with that primary key would do. NotFound without such a row, InvalidField for no such key."""
    walk = _Walk(connection, catalog, arms, most_rows)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
        start = await _find(connection, catalog, table, key)
        walk.deleted = {leaf: Addresses(rows) for leaf, rows in start.items()}
        # A copy: what is deleted grows.
        first = {leaf: Addresses(rows) for leaf, rows in start.items()}
        await _follow(walk, [(leaf, rows, 0) for leaf, rows in first.items()])
        samples = _Samples(connection, catalog, sample_size)
        impacts = [await _of_start(samples, table, first)]
        impacts += [impact for each in walk.reached.values() if (impact := await _impact(walk, samples, each, first)) is not None]
    return Impacts(impacts=_together(impacts), unknown=tuple(dict.fromkeys(_unknown(walk))))


async def _find(connection: asyncpg.Connection, catalog: Catalog, table: TableName, key: tuple[str, ...]) -> dict[TableName, list[str]]:
    """Return the address of the row, by the leaf table that holds it."""
    columns = catalog.tables[table].primary_key
    if len(key) != len(columns):
        wanted = ", ".join(columns) if columns else "none, so its rows cannot be named"
        raise InvalidField("key", f"key has {len(key)} values, and the primary key of {table} is: {wanted}.")
    types = [catalog.tables[table].column(name).type.formatted for name in columns]
    for leaf in catalog.leaves(table):
        equal = " AND ".join(
            f"wanted.{identifier(name)} = ${number}::text::{formatted}"
            for number, (name, formatted) in enumerate(zip(columns, types, strict=True), start=1)
        )
        query = f"SELECT wanted.ctid::text FROM {from_only(catalog.tables[leaf])} AS wanted WHERE {equal}"
        try:
            found = await connection.fetchval(query, *key)
        except asyncpg.DataError:
            raise InvalidField("key", f"key does not fit the primary key of {table}: {', '.join(types)}.") from None
        if found is not None:
            return {leaf: [found]}
    message = f"{table} has no row with that key; check the values."
    raise NotFound(message, reason=Reason.ROW_NOT_FOUND, facts={"table": str(table)})


async def _follow(walk: _Walk, levels: list[tuple[TableName, Addresses, int]]) -> None:
    """Follow newly deleted rows until nothing new is met, or too much."""
    for table, rows, depth in levels:
        for arm in walk.arms.get(table, ()):
            reached = walk.reached.setdefault(arm, _Reached(arm, depth + 1))
            if not arm.indexed:
                reached.is_complete = False
                continue
            found = await _dependents(walk, arm, rows, reached)
            if arm.on_delete is not OnDelete.CASCADE:
                reached.rows.update(found)
                continue
            known = walk.deleted.setdefault(arm.referencing.table, Addresses())
            new = found - known
            known.update(new)
            reached.rows.update(new)
            if new:
                levels.append((arm.referencing.table, new, depth + 1))


async def _dependents(walk: _Walk, arm: Arm, rows: Addresses, reached: _Reached) -> Addresses:
    catalog = walk.catalog
    query = (
        "SELECT referencing.ctid::text AS address"
        f" FROM {from_only(catalog.tables[arm.referenced.table])} AS referenced"
        f" JOIN {from_only(catalog.tables[arm.referencing.table])} AS referencing"
        f" ON {key_match(catalog, arm.referencing, arm.referenced, arm.operators)}"
        " WHERE referenced.ctid = ANY ($1::text[]::tid[])"
    )
    found = Addresses()
    for part in rows.in_parts(_AT_ONCE):
        async for row in walk.connection.cursor(query, part, prefetch=_AT_ONCE):
            found.add(row["address"])
            if len(found) > walk.room:
                reached.is_complete = False
                return found
    return found


def _remaining(walk: _Walk, reached: _Reached, first: Mapping[TableName, Addresses]) -> Addresses:
    """Return the rows that a key does something about: those that are deleted anyway are gone when it looks, or change for nothing."""
    table = reached.arm.referencing.table
    match reached.arm.on_delete:
        case OnDelete.CASCADE:
            return reached.rows
        case OnDelete.RESTRICT:
            # It looks at once: only what the statement itself deletes is gone by then for certain.
            return reached.rows - first.get(table, Addresses())
        case _:
            return reached.rows - walk.deleted.get(table, Addresses())


async def _impact(walk: _Walk, samples: "_Samples", reached: _Reached, first: Mapping[TableName, Addresses]) -> Impact | None:
    arm = reached.arm
    rows = _remaining(walk, reached, first)
    if not rows and reached.is_complete:
        return None
    action, reason = _ACTIONS[arm.on_delete], ""
    refused = _refusing(walk.catalog, arm)
    if action is ImpactAction.BLOCK:
        reason = f"ON DELETE {arm.on_delete}"
    elif refused and action is ImpactAction.SET_NULL:
        action, reason = ImpactAction.BLOCK, f"ON DELETE SET NULL, and {refused} is NOT NULL"
    if not arm.indexed:
        reason = f"no usable index on {arm.referencing}, so its rows were not looked for"
    return Impact(
        table=_owner(walk.catalog, arm.referencing.table),
        action=action,
        relationship_id=arm.relationship_id,
        constraint_name=arm.constraint_name,
        rows=len(rows),
        is_complete=reached.is_complete,
        depth=reached.depth,
        sample_columns=samples.columns(arm.referencing.table),
        samples=await samples.read(arm.referencing.table, rows),
        reason=reason,
    )


async def _of_start(samples: "_Samples", table: TableName, first: Mapping[TableName, Addresses]) -> Impact:
    ((leaf, rows),) = first.items()
    keys = await samples.read(leaf, rows)
    return Impact(table=table, action=ImpactAction.DELETE, rows=len(rows), sample_columns=samples.columns(leaf), samples=keys)


def _refusing(catalog: Catalog, arm: Arm) -> str:
    """Return a column that SET NULL would change and that is NOT NULL; empty when there is none."""
    table = catalog.tables[arm.referencing.table]
    return next((name for name in arm.changed if table.column(name).not_null), "")


def _owner(catalog: Catalog, leaf: TableName) -> TableName:
    return (catalog.tables_above(leaf) or (leaf,))[-1]


def _together(impacts: Sequence[Impact]) -> tuple[Impact, ...]:
    """Return the impacts of partitions as those of their tables, in the order in which they were reached."""
    found: dict[tuple[TableName, ImpactAction, str, str], Impact] = {}
    for each in impacts:
        place = (each.table, each.action, each.relationship_id, each.constraint_name)
        known = found.get(place)
        found[place] = each if known is None else _sum(known, each)
    return tuple(sorted(found.values(), key=lambda impact: (impact.depth, impact.table, impact.relationship_id)))


def _sum(one: Impact, other: Impact) -> Impact:
    return Impact(
        table=one.table,
        action=one.action,
        relationship_id=one.relationship_id,
        constraint_name=one.constraint_name,
        rows=one.rows + other.rows,
        is_complete=one.is_complete and other.is_complete,
        depth=min(one.depth, other.depth),
        sample_columns=one.sample_columns,
        samples=(*one.samples, *other.samples)[: max(len(one.samples), len(other.samples))],
        reason=one.reason or other.reason,
    )


def _unknown(walk: _Walk) -> list[str]:
    acting = [arm for arm, reached in walk.reached.items() if reached.rows]
    found = [f"{arm.referencing} has no usable index" for arm in walk.reached if not arm.indexed]
    if any(not reached.is_complete and reached.arm.indexed for reached in walk.reached.values()):
        found.append(f"more than {walk.most_rows} rows are concerned; the rest was not followed")
    for reached in walk.reached.values():
        deleted = walk.deleted.get(reached.arm.referencing.table, Addresses())
        if reached.arm.on_delete is OnDelete.RESTRICT and reached.rows & deleted:
            found.append(f"RESTRICT of {reached.arm.referencing} looks at rows that another key deletes: which comes first decides")
    return [*found, *find_doubts(walk.catalog, acting)]


class _Samples:
    """Reads the keys of some rows."""

    def __init__(self, connection: asyncpg.Connection, catalog: Catalog, size: int) -> None:
        self._connection = connection
        self._catalog = catalog
        self._size = size

    def columns(self, table: TableName) -> tuple[str, ...]:
        return self._catalog.tables[table].primary_key

    async def read(self, table: TableName, rows: Addresses) -> tuple[tuple[str | None, ...], ...]:
        if not self.columns(table) or not rows or not self._size:
            return ()
        some = next(iter(rows.in_parts(self._size)))
        shown = ", ".join(f"sampled.{identifier(name)}::text" for name in self.columns(table))
        query = f"SELECT {shown} FROM {from_only(self._catalog.tables[table])} AS sampled WHERE sampled.ctid = ANY ($1::text[]::tid[])"
        return tuple(tuple(row.values()) for row in await self._connection.fetch(query, some))
