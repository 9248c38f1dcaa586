"""Reading statistics: in come a session and relationships, out goes what the server noted about their columns, in three queries."""

from collections import defaultdict
from collections.abc import Iterable

import asyncpg

from holdfastd.catalog.model import Catalog, Column, Table
from holdfastd.evidence.counting.model import ColumnStatistics, Statistics
from holdfastd.names import ColumnSet
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES, is_connection_lost

QUERIES = load_queries("holdfastd.evidence.counting", "statistics.sql")
_LIMIT_SECONDS = 60
_INTEGERS = frozenset({"int2", "int4", "int8"})


async def read_statistics(connection: asyncpg.Connection, catalog: Catalog, sets: Iterable[ColumnSet]) -> Statistics:
    """Return what is noted about the first column of each set; nothing when the server will not say, because counting needs none."""
    unique = dict.fromkeys(sets)
    columns = [(catalog.tables[each.table], catalog.tables[each.table].column(each.columns[0])) for each in unique]
    try:
        return await _read(connection, columns)
    except FAILURES as error:
        if is_connection_lost(error) and not isinstance(error, TimeoutError):
            raise
        return {}


async def _read(connection: asyncpg.Connection, columns: list[tuple[Table, Column]]) -> Statistics:
    oids = list({table.oid for table, _ in columns})
    names, column_names = list({table.name.name for table, _ in columns}), list({column.name for _, column in columns})
    tables = await connection.fetch(QUERIES["list_table_statistics"], oids, timeout=_LIMIT_SECONDS)
    noted = await connection.fetch(QUERIES["list_column_statistics"], names, column_names, timeout=_LIMIT_SECONDS)
    indexes = await connection.fetch(QUERIES["list_ordered_indexes"], oids, timeout=_LIMIT_SECONDS)
    by_oid = {row["oid"]: row for row in tables}
    by_name = {(row["schema"], row["name"], row["column"]): row for row in noted}
    ordered: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in indexes:
        ordered[row["relation"], row["number"]].add(row["oid"])
    return {
        (table.oid, column.number): _statistics(
            column,
            by_oid[table.oid],
            by_name.get((table.name.schema, table.name.name, column.name)),
            frozenset(ordered[table.oid, column.number]),
        )
        for table, column in columns
        if table.oid in by_oid
    }


def _statistics(column: Column, table: asyncpg.Record, noted: asyncpg.Record | None, ordered: frozenset[int]) -> ColumnStatistics:
    known = ColumnStatistics(rows=table["rows"], pages=table["pages"], visible=table["visible"], ordered_indexes=ordered)
    if noted is None:
        return known
    distinct = noted["distinct_values"]
    is_integer = column.type.base_schema == "pg_catalog" and column.type.base_name in _INTEGERS
    has_extremes = is_integer and noted["lowest"] is not None
    return ColumnStatistics(
        rows=known.rows,
        pages=known.pages,
        visible=known.visible,
        null_share=noted["null_share"],
        # Below zero it is a share of the rows.
        distinct=-distinct * max(known.rows, 0) if distinct < 0 else distinct,
        lowest=int(noted["lowest"]) if has_extremes else None,
        highest=int(noted["highest"]) if has_extremes else None,
        buckets=noted["buckets"],
        ordered_indexes=known.ordered_indexes,
    )
