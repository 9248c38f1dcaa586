"""Reading statistics: in come a session and relationships, out goes what the server noted about their columns, in one query."""

from collections.abc import Iterable

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.counting.model import ColumnStatistics, Statistics
from holdfastd.names import ColumnSet
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES, is_connection_lost

QUERIES = load_queries("holdfastd.evidence.counting", "statistics.sql")
_LIMIT_SECONDS = 60


async def read_statistics(connection: asyncpg.Connection, catalog: Catalog, sets: Iterable[ColumnSet]) -> Statistics:
    """Return what is noted about the first column of each set; nothing when the server will not say, because counting needs none."""
    wanted = {(catalog.tables[columns.table].oid, catalog.tables[columns.table].column(columns.columns[0]).number) for columns in sets}
    oids, numbers = [oid for oid, _ in wanted], [number for _, number in wanted]
    try:
        rows = await connection.fetch(QUERIES["list_column_statistics"], oids, numbers, timeout=_LIMIT_SECONDS)
    except FAILURES as error:
        if is_connection_lost(error) and not isinstance(error, TimeoutError):
            raise
        return {}
    return {(row["relation"], row["number"]): _statistics(row) for row in rows}


def _statistics(row: asyncpg.Record) -> ColumnStatistics:
    return ColumnStatistics(
        rows=row["rows"],
        pages=row["pages"],
        visible=row["visible"],
        null_share=row["null_share"],
        distinct=row["distinct_values"],
        lowest=row["lowest"],
        highest=row["highest"],
        ordered_indexes=frozenset(row["ordered_indexes"]),
    )
