"""Strategy: hop from one distinct value to the next through the index, and probe each once. Needs few distinct values. Pure."""

from holdfastd.evidence.counting.comparisons import has_values_of_one_fate
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.counting.parts import WHOLE, Part, parts_by_histogram
from holdfastd.evidence.statements import from_only, key_match
from holdfastd.names import identifier

_SETTINGS = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}
#: How the scan counts its steps; no column of a target is called so.
_NUMBER = '"number of this hop"'
#: The scan gives up at this many times the values it expected, and not below so many.
_PATIENCE = 4
_LEAST_STEPS = 1_000
#: ANALYZE looks at 30,000 rows by default. More distinct values than a third of that are an extrapolation, which was seen to be seven
#: times too low on a column where few values have most of the rows.
_SEEN, _UNSEEN_TIMES = 10_000, 8


def count_by_hops(subject: Subject) -> Count | None:
    """Return the count by distinct values; None when the referencing column has no index in its own order, or unknown values."""
    own = subject.referencing_statistics
    if not subject.is_plain or not own.ordered_indexes or not subject.referenced_statistics.ordered_indexes or not own.distinct:
        return None
    if not has_values_of_one_fate(subject):
        return None
    expected = own.distinct if own.distinct <= _SEEN else min(own.distinct * _UNSEEN_TIMES, own.values)
    cost, most = expected * COST.step / 1000, int(max(own.distinct * _PATIENCE, _LEAST_STEPS))
    return Count(
        strategy=Strategy.LOOSE_SCAN,
        sql=_sql(subject, WHOLE, most=most),
        settings=_SETTINGS,
        cost=cost,
        part_sqls=tuple(_sql(subject, part, most=most) for part in parts_by_histogram(subject, cost)),
        why=f"the column is indexed and holds about {own.distinct:.0f} distinct values",
    )


def _sql(subject: Subject, part: Part, *, most: int) -> str:
    """Return the SELECT: find the values, keep those without a referenced row, count the rows of each."""
    column = identifier(subject.column.name)
    own = from_only(subject.referencing_table)
    match = key_match(subject.catalog, subject.referencing, subject.referenced, subject.operators, referencing_alias="hop")
    number = f"""CASE WHEN (SELECT pg_catalog.max(hop.{_NUMBER}) FROM hop WHERE hop.{column} IS NOT NULL) > {most} THEN NULL ELSE (
    SELECT coalesce(pg_catalog.sum(missing.rows), 0)
    FROM hop
    CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS rows FROM {own} AS same WHERE same.{column} = hop.{column}) AS missing
    WHERE hop.{column} IS NOT NULL
      AND NOT EXISTS (SELECT FROM {from_only(subject.referenced_table)} AS referenced WHERE {match})
)::pg_catalog.int8 END"""
    return f"""
WITH RECURSIVE hop ({column}, {_NUMBER}) AS (
    (
        SELECT first.{column}, 1 FROM {own} AS first
        WHERE first.{column} IS NOT NULL{part.holds(f"first.{column}")} ORDER BY first.{column} LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.{column} FROM {own} AS next
        WHERE next.{column} > hop.{column}{part.holds(f"next.{column}")} ORDER BY next.{column} LIMIT 1
    ), hop.{_NUMBER} + 1
    FROM hop
    WHERE hop.{column} IS NOT NULL AND hop.{_NUMBER} <= {most}
)
SELECT {part.guard(number)}
"""
