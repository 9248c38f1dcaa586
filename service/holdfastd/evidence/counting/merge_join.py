"""Strategy: walk two indexes side by side and never touch the tables. Needs both indexes and well-vacuumed tables. Pure."""

from holdfastd.evidence.counting.comparisons import share_an_order
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.counting.parts import WHOLE, Part, parts_by_histogram
from holdfastd.evidence.statements import REFERENCED, REFERENCING, all_not_null, from_only, key_match
from holdfastd.names import identifier

_SETTINGS = {"enable_hashjoin": "off", "enable_nestloop": "off", "enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}


def count_by_merge(subject: Subject) -> Count | None:
    """Return the count by merging both indexes; None when there are not two in one order."""
    own, other = subject.referencing_statistics, subject.referenced_statistics
    if not share_an_order(subject) or not own.ordered_indexes or not other.ordered_indexes:
        return None
    entries = own.values * COST.merge + max(other.rows, 0) * COST.merge
    visits = own.values * (1 - own.visible) * COST.merge_invisible + max(other.rows, 0) * (1 - other.visible) * COST.merge_invisible
    cost = (entries + visits) / 1000
    return Count(
        strategy=Strategy.MERGE,
        sql=ranged_sql(subject, WHOLE),
        settings=_SETTINGS,
        cost=cost,
        part_sqls=tuple(ranged_sql(subject, part) for part in parts_by_histogram(subject, cost)),
        why=f"both columns are indexed, and {min(own.visible, other.visible):.0%} of the pages are all-visible",
    )


def ranged_sql(subject: Subject, part: Part) -> str:
    """Return the plain count, of a part of both indexes: equal values lie in one part, as both columns share their order."""
    match = key_match(subject.catalog, subject.referencing, subject.referenced, subject.operators)
    own, other = f"{REFERENCING}.{identifier(subject.column.name)}", f"{REFERENCED}.{identifier(subject.key.name)}"
    return (
        f"SELECT {part.guard('pg_catalog.count(*)')} FROM {from_only(subject.referencing_table)} AS {REFERENCING}"
        f" WHERE {all_not_null(subject.referencing)}{part.holds(own)} AND NOT EXISTS"
        f" (SELECT FROM {from_only(subject.referenced_table)} AS {REFERENCED} WHERE {match}{part.holds(other)})"
    )
