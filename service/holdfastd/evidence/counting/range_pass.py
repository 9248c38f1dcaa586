"""Strategy: turn dense referenced integers into a few ranges and test every row against what they leave open.

Needs no index on the referencing side, and tests several keys of one table in one pass. Pure.
"""

import math
from collections.abc import Sequence

from holdfastd.evidence.counting.comparisons import are_integers
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.gap_walk import GREATEST, expected_gaps
from holdfastd.evidence.counting.hash_join import in_blocks
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.statements import from_only
from holdfastd.names import identifier

_SETTINGS = {"work_mem": "4MB"}
#: A range takes 17 bytes of one value in memory: beyond this many the value weighs more than it saves.
_MOST_GAPS = 1_000_000


def count_by_ranges(subjects: Sequence[Subject]) -> Count | None:
    """Return the count of all subjects, relationships of one table, in one pass; None unless all compare integers of known extent."""
    if not all(are_integers(subject) for subject in subjects):
        return None
    gaps = [expected_gaps(subject.referenced_statistics) for subject in subjects]
    known = [count for count in gaps if count is not None and count <= _MOST_GAPS]
    if len(known) < len(gaps):
        return None
    build = sum(max(subject.referenced_statistics.rows, 0) * COST.range_key for subject in subjects)
    tests = sum(
        subject.referencing_statistics.values * (COST.range_row + COST.range_halving * math.log2(count + 1))
        for subject, count in zip(subjects, known, strict=True)
    )
    rows = max(subjects[0].referencing_statistics.rows, 0)
    sql = _sql(subjects)
    return Count(
        strategy=Strategy.RANGES,
        sql=sql,
        settings=_SETTINGS,
        cost=(build + rows * COST.scan + tests) / 1000,
        repeated=build / 1000,
        part_sql=f"{sql} WHERE {in_blocks()}",
        why=f"the referenced numbers leave at most {sum(known):.0f} gaps"
        + (f", and {len(subjects)} keys of the table share the pass" if len(subjects) > 1 else ""),
    )


def _sql(subjects: Sequence[Subject]) -> str:
    """Return the SELECT: per subject the values that no referenced row has, as one multirange, and the rows whose value is among them."""
    vacant = ",\n".join(f"vacant_{number} AS MATERIALIZED ({_vacant_values(subject)})" for number, subject in enumerate(subjects))
    counted = ",\n".join(
        "pg_catalog.count(*) FILTER (WHERE"
        f" referencing.{identifier(subject.column.name)}::pg_catalog.int8 <@ (SELECT vacant FROM vacant_{number}))"
        for number, subject in enumerate(subjects)
    )
    return f"WITH {vacant}\nSELECT {counted}\nFROM {from_only(subjects[0].referencing_table)} AS referencing"


def _vacant_values(subject: Subject) -> str:
    """Return the SELECT of the integers that no referenced row has.

    Upper bounds are exclusive and the range above the greatest key is left out when that is the greatest bigint, because a range that
    ends or begins beyond it cannot be written. Without any key both ends are null: everything is open.
    """
    key = f"referenced.{identifier(subject.key.name)}::pg_catalog.int8"
    return f"""
    SELECT coalesce(pg_catalog.range_agg(pg_catalog.int8range(previous + 1, value)) FILTER (WHERE previous + 1 < value), '{{}}')
        + pg_catalog.int8multirange(pg_catalog.int8range(NULL, pg_catalog.min(value)))
        + CASE WHEN pg_catalog.max(value) = {GREATEST} THEN '{{}}'::pg_catalog.int8multirange
               ELSE pg_catalog.int8multirange(pg_catalog.int8range(pg_catalog.max(value) + 1, NULL)) END AS vacant
    FROM (
        SELECT {key} AS value, pg_catalog.lag({key}) OVER (ORDER BY referenced.{identifier(subject.key.name)}) AS previous
        FROM {from_only(subject.referenced_table)} AS referenced
        WHERE referenced.{identifier(subject.key.name)} IS NOT NULL
    ) AS neighbour
    """
