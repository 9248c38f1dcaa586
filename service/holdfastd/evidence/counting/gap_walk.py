"""Strategy: walk the referenced integers and look into the gaps between them through the index of the referencing column.

Rows that lie in no gap are never read, so that a dense key costs one pass over its own index whatever the referencing table holds.
Pure.
"""

from holdfastd.evidence.counting.comparisons import are_integers
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import ColumnStatistics, Count, Strategy, Subject
from holdfastd.evidence.statements import from_only
from holdfastd.names import identifier

_SETTINGS = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
#: The walk gives up at this many times the gaps it expected, and not below so many.
_PATIENCE = 4
_LEAST_GAPS = 10_000
#: Keys of a block that is walked because something in it is missing; the SQL shifts by as many bits.
_BLOCK_BITS = 10
_BLOCK = 2**_BLOCK_BITS


def count_by_gaps(subject: Subject) -> Count | None:
    """Return the count of rows in gaps; None unless integers are compared and the referencing column is indexed."""
    own, other = subject.referencing_statistics, subject.referenced_statistics
    if not are_integers(subject) or not own.ordered_indexes or not other.ordered_indexes:
        return None
    gaps = expected_gaps(other)
    if gaps is None:
        return None
    keys = max(other.rows, 0) * (COST.walk_key + (1 - other.visible) * COST.walk_invisible)
    keys += min(gaps * _BLOCK, max(other.rows, 0)) * COST.walk_inside
    return Count(
        strategy=Strategy.GAP_WALK,
        sql=_sql(subject, most=int(max(gaps * _PATIENCE, _LEAST_GAPS))),
        settings=_SETTINGS,
        cost=(keys + gaps * COST.walk_gap) / 1000,
        why=f"the column is indexed and its {max(other.rows, 0):.0f} referenced numbers leave at most {gaps:.0f} gaps",
    )


def expected_gaps(keys: ColumnStatistics) -> float | None:
    """Return how many gaps there can be between noted integers; None when their extremes were not noted."""
    if keys.lowest is None or keys.highest is None or keys.rows < 0:
        return None
    missing = max(keys.highest - keys.lowest + 1 - keys.rows, 0)
    return min(missing, keys.rows) + 1


def _sql(subject: Subject, *, most: int) -> str:
    """Return the SELECT: rows within gaps, below the lowest key, above the highest, and all rows when there is no key."""
    rows = f"FROM {from_only(subject.referencing_table)} AS referencing"
    column = f"referencing.{identifier(subject.column.name)}"
    key = f"referenced.{identifier(subject.key.name)}"
    keys = f"FROM {from_only(subject.referenced_table)} AS referenced WHERE {key} IS NOT NULL"
    # Blocks of numbers are only counted; those that hold fewer keys than their extremes allow are walked key by key.
    # `lower + 1` cannot overflow: a greater key follows. Of the first key it is null, which is no gap.
    return f"""
WITH block AS MATERIALIZED (
    SELECT pg_catalog.count(*) AS keys, pg_catalog.min({key})::pg_catalog.int8 AS lowest, pg_catalog.max({key})::pg_catalog.int8 AS highest
    {keys}
    GROUP BY {key} >> {_BLOCK_BITS}
),
neighbour AS (
    SELECT pg_catalog.lag(block.highest) OVER (ORDER BY block.lowest) AS lower, block.lowest AS upper FROM block
    UNION ALL
    SELECT inside.lower, inside.upper
    FROM block
    CROSS JOIN LATERAL (
        SELECT pg_catalog.lag({key}::pg_catalog.int8) OVER (ORDER BY {key}) AS lower, {key}::pg_catalog.int8 AS upper
        {keys} AND {key} >= block.lowest AND {key} <= block.highest
    ) AS inside
    WHERE block.keys <= block.highest - block.lowest
),
gap AS MATERIALIZED (
    SELECT neighbour.lower, neighbour.upper FROM neighbour WHERE neighbour.lower + 1 < neighbour.upper LIMIT {most + 1}
),
extreme AS MATERIALIZED (
    SELECT pg_catalog.min(block.lowest) AS lowest, pg_catalog.max(block.highest) AS highest FROM block
)
SELECT CASE WHEN (SELECT pg_catalog.count(*) FROM gap) <= {most} THEN (
    (SELECT coalesce(pg_catalog.sum(inside.rows), 0)
     FROM gap
     CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS rows {rows} WHERE {column} > gap.lower AND {column} < gap.upper) AS inside)
    + (SELECT pg_catalog.count(*) {rows} WHERE {column} < (SELECT lowest FROM extreme))
    + (SELECT pg_catalog.count(*) {rows} WHERE {column} > (SELECT highest FROM extreme))
    + CASE WHEN (SELECT lowest FROM extreme) IS NULL THEN (SELECT pg_catalog.count(*) {rows} WHERE {column} IS NOT NULL) ELSE 0 END
)::pg_catalog.int8 END
"""
