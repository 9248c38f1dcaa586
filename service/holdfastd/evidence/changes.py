"""What changing orphan rows would do, and what any cleanup asks about its rows: could it move, publish or lose them? Reads only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import asyncpg

from holdfastd.catalog.model import Catalog, ForeignKey, Operator, Table
from holdfastd.evidence.comeback import TRIED_ROWS, find_failing, find_unfit
from holdfastd.evidence.hindrances import find_followers, find_forbidding, find_publication, find_refused_change
from holdfastd.evidence.model import Closure, Edge
from holdfastd.evidence.statements import count_orphans_sql, from_only, orphan_condition
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.changed import Change


async def measure_change(
    connection: asyncpg.Connection,
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    *,
    staying: Sequence[ForeignKey],
    rows: int,
    values: Mapping[str, str],
    edges: Sequence[Edge] = (),
) -> Closure:
    """Return the rows that changing the orphan rows of a relationship would change, and what forbids it.

    `values`: column -> SQL of its new value. `edges`: all keys that will be enforced by then.
    """
    found: dict[TableName, int] = {}
    blocked = ""
    leaves = catalog.leaves(referencing.table)
    for leaf in leaves:
        columns = ColumnSet(leaf, referencing.columns)
        condition = orphan_condition(catalog, columns, referenced, operators)
        if leaves != (referencing.table,):
            rows = await connection.fetchval(count_orphans_sql(catalog, columns, referenced, operators))
        if rows:
            found[leaf] = rows
            change = Change(table=catalog.tables[leaf], values=values, condition=condition)
            blocked = blocked or await _find_obstacle(connection, catalog, change, staying, edges)
    return Closure(rows=found, blocked=blocked)


async def _find_obstacle(
    connection: asyncpg.Connection, catalog: Catalog, change: Change, staying: Sequence[ForeignKey], edges: Sequence[Edge]
) -> str:
    """Look for what forbids a change of the orphan rows of one table."""
    table = change.table
    addresses = f"ARRAY(SELECT referencing.ctid FROM {from_only(table)} AS referencing WHERE {change.condition})"
    blocked = (
        find_move(catalog, table.name, change.values)
        or await find_failing(connection, table, f"{addresses.removesuffix(')')} LIMIT {TRIED_ROWS})")
        or await find_published(connection, catalog, table, deletes=False)
        or await find_refused_change(connection, change)
        or await find_followers(connection, catalog, change, edges)
        or await find_forbidding(connection, catalog, change, edges)
        or await find_unfit(connection, table, addresses)
    )
    if blocked:
        return blocked
    for key in staying:
        if key.referencing.table == table.name and change.values.keys() & set(key.referencing.columns):
            rows = await connection.fetchval(f"{count_lost(catalog, key)} AND {change.condition}")
            if rows:
                return lost(key, rows)
    return ""


def find_move(catalog: Catalog, table: TableName, changed: Iterable[str]) -> str:
    """Tell whether changing columns could move rows to another partition: they would not be found there."""
    for above in catalog.tables_above(table):
        place = catalog.tables[above].place
        moving = sorted(set(changed).intersection(place.key_columns if place is not None else ()))
        if moving:
            return f"{above} is partitioned by {', '.join(moving)}, so changing it moves rows"
    return ""


async def find_published(connection: asyncpg.Connection, catalog: Catalog, table: Table, *, deletes: bool) -> str:
    """Look for a publication of a table, or of a partitioned table that it belongs to."""
    for published in (table.name, *catalog.tables_above(table.name)):
        found = await find_publication(connection, replace(table, name=published), deletes=deletes)
        if found:
            return found
    return ""


def count_lost(catalog: Catalog, key: ForeignKey) -> str:
    """Return the SELECT of how many rows are orphan rows of a key, to be narrowed by more conditions."""
    condition = orphan_condition(catalog, key.referencing, key.referenced, key.operators)
    return f"SELECT pg_catalog.count(*) FROM {from_only(catalog.tables[key.referencing.table])} AS referencing WHERE {condition}"


def lost(key: ForeignKey, rows: int) -> str:
    """Return the words for rows that a key which stays would not let come back."""
    return f"{rows} of the rows are orphan rows of {key.name} on {key.referencing.table}, too, which stays and would not let them come back"
