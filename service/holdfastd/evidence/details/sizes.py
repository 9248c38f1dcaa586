"""How many rows a table has: in come a session and a table, out goes a number, exact where that is cheap."""

import asyncpg

from holdfastd.catalog.model import Table
from holdfastd.evidence.statements import from_only

#: A table up to so many bytes is counted; of a larger one the server's estimate is taken.
_CHEAP_BYTES = 64 * 1024 * 1024
_SIZE = """
SELECT coalesce(sum(pg_catalog.pg_relation_size(leaf.oid)), 0)::pg_catalog.int8 AS bytes,
       CASE WHEN bool_and(leaf.reltuples >= 0) THEN sum(leaf.reltuples)::pg_catalog.float8 END AS rows
FROM pg_catalog.pg_class AS leaf
WHERE leaf.relkind = 'r'
  AND (
      leaf.oid = $1::pg_catalog.oid
      OR leaf.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid::pg_catalog.regclass))
  )
"""


async def count_rows(connection: asyncpg.Connection, table: Table) -> float | None:
    """Return the rows of a table, its partitions' included; None when a large table was never analysed."""
    size = await connection.fetchrow(_SIZE, table.oid)
    if size["bytes"] <= _CHEAP_BYTES:
        rows: int = await connection.fetchval(f"SELECT pg_catalog.count(*) FROM {from_only(table)} AS counted")
        return rows
    estimate: float | None = size["rows"]
    return estimate


def share_of(rows: int, all_rows: float | None) -> float | None:
    """Return the share that rows are of all; never above 1, because an estimate may lag behind."""
    if all_rows is None:
        return None
    return min(rows / all_rows, 1.0) if all_rows > 0 else None
