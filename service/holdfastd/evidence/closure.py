"""What deleting orphan rows would take along: the closure over the keys that will be enforced. Reads only.

Level by level: the addresses of the rows of one level are sent back to find the dependents of the next. Bounded, because a plan that
takes more rows than the bound is not one to approve by default.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from holdfastd.catalog.model import Catalog, ForeignKey, OnDelete, Operator, TableKind
from holdfastd.evidence.addresses import Addresses
from holdfastd.evidence.changes import count_lost, find_move, find_published, lost
from holdfastd.evidence.comeback import TRIED_ROWS, find_failing, find_unfit
from holdfastd.evidence.hindrances import find_refused_change, find_unfollowed
from holdfastd.evidence.model import Closure, Edge
from holdfastd.evidence.statements import from_only, key_match, orphan_condition
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.changed import Change

#: Rows beyond which the closure is not followed.
MOST_ROWS = 1_000_000
#: Addresses in one parameter, and rows in one answer.
_AT_ONCE = 50_000
_GIVEN = "$1::text[]::tid[]"


@dataclass(slots=True)
class _Walk:
    """Rows met so far, by table and address."""

    connection: asyncpg.Connection
    catalog: Catalog
    edges: Sequence[Edge]
    most_rows: int
    deleted: dict[TableName, Addresses] = field(default_factory=dict)
    nulled: dict[TableName, Addresses] = field(default_factory=dict)
    #: Rows that more than one key sets NULL.
    nulled_twice: dict[TableName, Addresses] = field(default_factory=dict)
    #: The tables that hold the orphan rows: one, or the leaf partitions of one.
    starts: tuple[TableName, ...] = ()
    blocked: str = ""
    unknown: str = ""

    def closure(self) -> Closure:
        tables = dict.fromkeys((*self.deleted, *self.nulled))
        rows = {table: len(self.deleted.get(table, Addresses()) | self.nulled.get(table, Addresses())) for table in tables}
        return Closure(rows={table: count for table, count in rows.items() if count}, blocked=self.blocked, unknown=self.unknown)

    def is_full(self) -> bool:
        return sum(map(len, (*self.deleted.values(), *self.nulled.values()))) > self.most_rows


async def measure_closure(
    connection: asyncpg.Connection,
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    edges: Sequence[Edge],
    *,
    staying: Sequence[ForeignKey],
    most_rows: int = MOST_ROWS,
) -> Closure:
    """Return the rows that deleting the orphan rows of a relationship would delete or change, and what forbids it.

    `staying`: the keys that are there when rows come back. `most_rows`: rows beyond which the closure is not followed; more in the
    answer mean that it was not, and is no answer.
    """
    walk = _Walk(connection, catalog, edges, most_rows)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for leaf in catalog.leaves(referencing.table):
            condition = orphan_condition(catalog, ColumnSet(leaf, referencing.columns), referenced, operators)
            query = f"SELECT referencing.ctid::text AS address FROM {from_only(catalog.tables[leaf])} AS referencing WHERE {condition}"
            walk.deleted[leaf] = await _read(connection, query, most=most_rows)
        walk.starts = tuple(walk.deleted)
        await _follow(walk, list(walk.deleted.items()))
        if not walk.blocked:
            await _find_protected(walk)
        finders = (_find_disagreement, _find_double_update, _find_stranded, _find_refused_nulls, _find_hindrance)
        for find in (*finders, lambda walk: _find_lost(walk, staying)):
            if not walk.blocked:
                await find(walk)
    if walk.is_full():
        walk.blocked = f"deleting would take more than {most_rows} rows along"
    return walk.closure()


async def _follow(walk: _Walk, levels: list[tuple[TableName, Addresses]]) -> None:
    """Follow CASCADE and SET NULL from newly deleted rows until nothing new is met."""
    for table, addresses in levels:
        for edge in walk.edges:
            if edge.referenced.table != table or not addresses or walk.is_full():
                continue
            if walk.catalog.tables[edge.referencing.table].kind is not TableKind.TABLE:
                # Addresses do not tell the rows of one partition from another's.
                if await _dependents(walk, edge, addresses):
                    walk.blocked = f"rows of {edge.referencing.table}, which is partitioned, depend on them"
                    walk.unknown = f"what goes along with rows of {edge.referencing.table}, which is partitioned, was not followed"
                continue
            if edge.on_delete is OnDelete.CASCADE:
                known = walk.deleted.setdefault(edge.referencing.table, Addresses())
                new = await _dependents(walk, edge, addresses, most=walk.most_rows) - known
                known.update(new)
                levels.append((edge.referencing.table, new))
            elif edge.on_delete is OnDelete.SET_NULL:
                dependents = await _dependents(walk, edge, addresses, most=walk.most_rows)
                known = walk.nulled.setdefault(edge.referencing.table, Addresses())
                walk.nulled_twice.setdefault(edge.referencing.table, Addresses()).update(dependents & known)
                known.update(dependents)
                if dependents:
                    walk.blocked = walk.blocked or find_move(walk.catalog, edge.referencing.table, edge.nulled)
                if dependents and not walk.catalog.tables[edge.referencing.table].primary_key:
                    walk.blocked = f"it would set NULL in {edge.referencing.table}, which has no primary key to restore by"


async def _find_protected(walk: _Walk) -> None:
    """Look for rows whose keys forbid deleting what they reference. RESTRICT forbids it even when they would go along."""
    for edge in walk.edges:
        addresses = walk.deleted.get(edge.referenced.table, Addresses())
        if not addresses or edge.on_delete in (OnDelete.CASCADE, OnDelete.SET_NULL):
            continue
        dependents = await _dependents(walk, edge, addresses)
        # Orphan rows of different leaf partitions go one after the other, not together.
        apart = edge.referencing.table != edge.referenced.table and {edge.referencing.table, edge.referenced.table} <= set(walk.starts)
        if edge.on_delete is OnDelete.NO_ACTION and not apart:
            dependents -= walk.deleted.get(edge.referencing.table, Addresses())
        if dependents:
            walk.blocked = f"{len(dependents)} rows of {edge.referencing.table} reference them, ON DELETE {edge.on_delete}"
            return


async def _find_double_update(walk: _Walk) -> None:
    """Look for rows set NULL twice that are orphan rows of another key.

    A row that its own transaction wrote before is checked against all its keys (RI_FKey_fk_upd_check_required), also those that are
    NOT VALID and leave the row alone otherwise.
    """
    for table, addresses in walk.nulled_twice.items():
        source = f"SELECT pg_catalog.count(*) FROM {from_only(walk.catalog.tables[table])} AS referencing"
        for edge in walk.edges:
            if not addresses or edge.referencing.table != table:
                continue
            orphan = orphan_condition(walk.catalog, edge.referencing, edge.referenced, edge.operators)
            query = f"{source} WHERE referencing.ctid = ANY ($1::text[]::tid[]) AND {orphan}"
            if found := await _count(walk, query, addresses):
                walk.blocked = (
                    f"two keys would set NULL in {found} rows of {table} that are orphan rows of {edge.referencing},"
                    " which PostgreSQL refuses; clean those up first"
                )
                return


async def _find_disagreement(walk: _Walk) -> None:
    """Look for rows of which two keys on the same columns say different things: which of them acts first is not ours to say."""
    for table in walk.deleted.keys() | walk.nulled.keys():
        reached = [edge for edge in walk.edges if edge.referencing.table == table and walk.deleted.get(edge.referenced.table)]
        for one, other in itertools.combinations(reached, 2):
            same = set(one.referencing.columns) & set(other.referencing.columns)
            if same and one.on_delete is not other.on_delete and await _dependents(walk, one, walk.deleted[one.referenced.table]):
                walk.blocked = f"keys of {table} on the same columns disagree: ON DELETE {one.on_delete}, and {other.on_delete}"


async def _find_refused_nulls(walk: _Walk) -> None:
    """Look for dependents that cannot be set NULL, though a key says so."""
    for edge in walk.edges:
        deleted = walk.deleted.get(edge.referenced.table)
        if edge.on_delete is not OnDelete.SET_NULL or not deleted or walk.blocked:
            continue
        table = walk.catalog.tables[edge.referencing.table]
        change = Change(table=table, values=dict.fromkeys(edge.nulled, "NULL"), condition="referencing.ctid = ANY ($1::text[]::tid[])")
        for part in (await _dependents(walk, edge, deleted)).in_parts(_AT_ONCE):
            walk.blocked = walk.blocked or await find_refused_change(walk.connection, change, part)


async def _find_hindrance(walk: _Walk) -> None:
    for rows, deletes in ((walk.deleted, True), (walk.nulled, False)):
        for name in (name for name, addresses in rows.items() if addresses):
            table = walk.catalog.tables[name]
            walk.blocked = walk.blocked or await find_published(walk.connection, walk.catalog, table, deletes=deletes)
            for part in rows[name].in_parts(_AT_ONCE) if deletes else ():
                walk.blocked = walk.blocked or await find_unfollowed(walk.connection, walk.catalog, table, part)


async def _find_stranded(walk: _Walk) -> None:
    """Look for rows that could not come back as they are."""
    for name in walk.deleted.keys() | walk.nulled.keys():
        table = walk.catalog.tables[name]
        for part in (walk.deleted.get(name, Addresses()) | walk.nulled.get(name, Addresses())).in_parts(_AT_ONCE):
            walk.blocked = walk.blocked or await find_failing(walk.connection, table, _GIVEN, part[:TRIED_ROWS])
            walk.blocked = walk.blocked or await find_unfit(walk.connection, table, _GIVEN, part)


async def _find_lost(walk: _Walk, staying: Sequence[ForeignKey]) -> None:
    """Look for rows that are orphan rows of a key that stays: once gone, that key would not let them come back."""
    for key in staying:
        table = key.referencing.table
        addresses = walk.deleted.get(table, Addresses()) | walk.nulled.get(table, Addresses())
        if not addresses:
            continue
        query = f"{count_lost(walk.catalog, key)} AND referencing.ctid = ANY ($1::text[]::tid[])"
        if rows := await _count(walk, query, addresses):
            walk.blocked = lost(key, rows)
            return


async def _dependents(walk: _Walk, edge: Edge, addresses: Addresses, *, most: float = math.inf) -> Addresses:
    catalog = walk.catalog
    query = (
        "SELECT referencing.ctid::text AS address"
        f" FROM {from_only(catalog.tables[edge.referenced.table])} AS referenced"
        f" JOIN {from_only(catalog.tables[edge.referencing.table])} AS referencing"
        f" ON {key_match(catalog, edge.referencing, edge.referenced, edge.operators)}"
        " WHERE referenced.ctid = ANY ($1::text[]::tid[])"
    )
    found = Addresses()
    for part in addresses.in_parts(_AT_ONCE):
        found.update(await _read(walk.connection, query, part, most=most))
        if len(found) > most:
            break
    return found


async def _read(connection: asyncpg.Connection, query: str, *parameters: list[str], most: float) -> Addresses:
    """Return the addresses that a query finds, some thousands at a time: there may be very many. More than `most` are too many to go on."""
    found = Addresses()
    async for row in connection.cursor(query, *parameters, prefetch=_AT_ONCE):
        found.add(row["address"])
        if len(found) > most:
            break
    return found


async def _count(walk: _Walk, query: str, addresses: Addresses) -> int:
    return sum([await walk.connection.fetchval(query, part) for part in addresses.in_parts(_AT_ONCE)])
