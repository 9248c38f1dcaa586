"""Strategy: walk the referenced integers and look into the gaps between them through the index of the referencing column.

Rows that lie in no gap are never read, so that a dense key costs one pass over its own index whatever the referencing table holds.
Pure.
"""

from holdfastd.evidence.counting.comparisons import are_integers
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import ColumnStatistics, Count, Strategy, Subject
from holdfastd.evidence.counting.parts import WHOLE, Part, parts_by_numbers
from holdfastd.evidence.statements import from_only
from holdfastd.names import identifier

_SETTINGS = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
#: The walk gives up at this many times the gaps it expected, and not below so many.
_PATIENCE = 4
_LEAST_GAPS = 10_000
#: Numbers of a block, and of a piece of a block that is not whole. Counting whole ones is a third of the work of walking them.
_BLOCK = 2048
_PIECE = 64
GREATEST = 9_223_372_036_854_775_807


def count_by_gaps(subject: Subject) -> Count | None:
    """Return the count of rows in gaps; None unless integers are compared and the referencing column is indexed."""
    own, other = subject.referencing_statistics, subject.referenced_statistics
    if not are_integers(subject) or not own.ordered_indexes or not other.ordered_indexes:
        return None
    gaps = expected_gaps(other)
    if gaps is None:
        return None
    keys = max(other.rows, 0) * (COST.walk_key + (1 - other.visible) * COST.walk_invisible)
    keys += min(gaps * _BLOCK, max(other.rows, 0)) * COST.walk_key + min(gaps * _PIECE, max(other.rows, 0)) * COST.walk_inside
    blocks = max(other.rows, 0) / _BLOCK + gaps
    cost = (keys + gaps * COST.walk_gap) / 1000
    most, most_blocks = int(max(gaps * _PATIENCE, _LEAST_GAPS)), int(max(blocks * _PATIENCE, _LEAST_GAPS))
    parts = parts_by_numbers(other.lowest, other.highest, cost) if other.lowest is not None and other.highest is not None else ()
    return Count(
        strategy=Strategy.GAP_WALK,
        sql=_sql(subject, WHOLE, most=most, most_blocks=most_blocks),
        settings=_SETTINGS,
        cost=cost,
        part_sqls=tuple(_sql(subject, part, most=most, most_blocks=most_blocks) for part in parts),
        why=f"the column is indexed and its {max(other.rows, 0):.0f} referenced numbers leave at most {gaps:.0f} gaps",
    )


def expected_gaps(keys: ColumnStatistics) -> float | None:
    """Return how many gaps there can be between noted integers; None when their extremes were not noted."""
    if keys.lowest is None or keys.highest is None or keys.rows < 0:
        return None
    missing = max(keys.highest - keys.lowest + 1 - keys.rows, 0)
    return min(missing, keys.rows) + 1


def _sql(subject: Subject, part: Part, *, most: int, most_blocks: int) -> str:
    """Return the SELECT: rows within gaps, below the lowest key, above the highest, and all rows when there is no key."""
    column = f"referencing.{identifier(subject.column.name)}"
    rows = f"FROM {from_only(subject.referencing_table)} AS referencing WHERE {column} IS NOT NULL{part.holds(column)}"
    return f"""{_stretches(subject, part, most_blocks=most_blocks)}{_gaps(subject, part, most=most)}
SELECT CASE WHEN (SELECT pg_catalog.count(*) FROM stretch) <= {most_blocks} AND (SELECT pg_catalog.count(*) FROM gap) <= {most} THEN (
    (SELECT coalesce(pg_catalog.sum(inside.rows), 0)
     FROM gap
     CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS rows {rows} AND {column} >= gap.first AND {column} <= gap.last) AS inside)
    + (SELECT pg_catalog.count(*) {rows} AND {column} < (SELECT lowest FROM extreme))
    + (SELECT pg_catalog.count(*) {rows} AND {column} > (SELECT highest FROM extreme))
    + CASE WHEN (SELECT lowest FROM extreme) IS NULL THEN (SELECT pg_catalog.count(*) {rows}) ELSE 0 END
)::pg_catalog.int8 END
"""


def _stretches(subject: Subject, part: Part, *, most_blocks: int) -> str:
    """Return the head of the WITH clause: blocks that begin at a key and end some numbers later, and how many keys each holds.

    No sum or difference can overflow: where one could, a greater or a smaller key is there. The highest key ends the last stretch.
    """
    key = f"referenced.{identifier(subject.key.name)}"
    keys = f"FROM {from_only(subject.referenced_table)} AS referenced WHERE {key} IS NOT NULL{part.holds(key)}"
    end = f"CASE WHEN block.lowest > {GREATEST - _BLOCK} THEN {GREATEST} ELSE block.lowest + {_BLOCK - 1} END"
    return f"""
WITH RECURSIVE extreme AS MATERIALIZED (
    SELECT (SELECT {key}::pg_catalog.int8 {keys} ORDER BY {key} LIMIT 1) AS lowest,
           (SELECT {key}::pg_catalog.int8 {keys} ORDER BY {key} DESC LIMIT 1) AS highest
),
block (lowest, number) AS (
    SELECT extreme.lowest, 1 FROM extreme WHERE extreme.lowest IS NOT NULL
    UNION ALL
    SELECT following.lowest, block.number + 1
    FROM block
    CROSS JOIN LATERAL (SELECT {key}::pg_catalog.int8 AS lowest {keys} AND {key} > {end} ORDER BY {key} LIMIT 1) AS following
    WHERE block.number <= {most_blocks}
),
bounds AS (
    SELECT block.lowest, least({end}, (SELECT highest FROM extreme)) AS highest,
           pg_catalog.lead(block.lowest) OVER (ORDER BY block.number) AS following
    FROM block
),
stretch AS MATERIALIZED (
    SELECT bounds.*, (SELECT pg_catalog.count(*) {keys} AND {key} >= bounds.lowest AND {key} <= bounds.highest) AS keys FROM bounds
),
"""


def _gaps(subject: Subject, part: Part, *, most: int) -> str:
    """Return its tail: what lies between two blocks, and the gaps in those pieces of blocks that are not whole."""
    key = f"referenced.{identifier(subject.key.name)}"
    keys = f"FROM {from_only(subject.referenced_table)} AS referenced WHERE {key} IS NOT NULL{part.holds(key)}"
    return f"""
piece AS MATERIALIZED (
    SELECT part.lowest, part.highest
    FROM stretch
    CROSS JOIN LATERAL (
        SELECT start AS lowest, CASE WHEN stretch.highest - start < {_PIECE} THEN stretch.highest ELSE start + {_PIECE - 1} END AS highest
        FROM pg_catalog.generate_series(stretch.lowest, stretch.highest, {_PIECE}) AS start
    ) AS part
    WHERE stretch.keys <= stretch.highest - stretch.lowest
      AND (SELECT pg_catalog.count(*) {keys} AND {key} >= part.lowest AND {key} <= part.highest) <= part.highest - part.lowest
),
missing AS (
    SELECT stretch.highest + 1 AS first, stretch.following - 1 AS last FROM stretch WHERE stretch.following IS NOT NULL
    UNION ALL
    SELECT coalesce(pg_catalog.lag(inside.key + 1) OVER (PARTITION BY piece.lowest ORDER BY inside.key), piece.lowest),
           CASE WHEN inside.key > piece.lowest THEN inside.key - 1 END
    FROM piece
    CROSS JOIN LATERAL (SELECT {key}::pg_catalog.int8 AS key {keys} AND {key} >= piece.lowest AND {key} <= piece.highest) AS inside
    UNION ALL
    SELECT coalesce((
        SELECT {key}::pg_catalog.int8 + 1 {keys} AND {key} >= piece.lowest AND {key} <= piece.highest ORDER BY {key} DESC LIMIT 1
    ), piece.lowest), piece.highest
    FROM piece WHERE piece.highest < {GREATEST}
),
gap AS MATERIALIZED (
    SELECT missing.first, missing.last FROM missing WHERE missing.first <= missing.last LIMIT {most + 1}
)"""
