"""Strategy: walk two indexes side by side and never touch the tables. Needs both indexes and well-vacuumed tables. Pure."""

from holdfastd.evidence.counting.comparisons import share_an_order
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.statements import count_orphans_sql

_SETTINGS = {"enable_hashjoin": "off", "enable_nestloop": "off", "enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}


def count_by_merge(subject: Subject) -> Count | None:
    """Return the count by merging both indexes; None when there are not two in one order."""
    own, other = subject.referencing_statistics, subject.referenced_statistics
    if not share_an_order(subject) or not own.ordered_indexes or not other.ordered_indexes:
        return None
    entries = own.values * COST.merge + max(other.rows, 0) * COST.merge
    visits = own.values * (1 - own.visible) * COST.merge_invisible + max(other.rows, 0) * (1 - other.visible) * COST.merge_invisible
    return Count(
        strategy=Strategy.MERGE,
        sql=count_orphans_sql(subject.catalog, subject.referencing, subject.referenced, subject.operators),
        settings=_SETTINGS,
        cost=(entries + visits) / 1000,
        why=f"both columns are indexed, and {min(own.visible, other.visible):.0%} of the pages are all-visible",
    )
