"""Strategy: look every row up in the index of the key. Needs few rows that reference many. Pure."""

from holdfastd.evidence.counting.comparisons import share_an_order
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.hash_join import in_blocks
from holdfastd.evidence.counting.merge_join import ranged_sql
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.counting.parts import parts_by_histogram
from holdfastd.evidence.statements import count_orphans_sql

_SETTINGS = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_material": "off", "enable_memoize": "off"}
#: Rows in the order of their index hit the same pages of the key's index again and again.
_IN_ORDER = {**_SETTINGS, "enable_seqscan": "off", "enable_bitmapscan": "off"}


def count_by_probes(subject: Subject) -> Count | None:
    """Return the count by index probes; None when the key has no index that its operator can surely use."""
    own, other = subject.referencing_statistics, subject.referenced_statistics
    if not share_an_order(subject) or not other.ordered_indexes or own.rows < 1:
        return None
    in_order = bool(own.ordered_indexes) and own.visible >= COST.well_visible
    visit = COST.merge_invisible * (1 - other.visible)
    probe = COST.probe_in_order if in_order else COST.probe_index
    sql = count_orphans_sql(subject.catalog, subject.referencing, subject.referenced, subject.operators)
    cost = (own.rows * COST.scan + own.values * (probe + visit)) / 1000
    return Count(
        strategy=Strategy.PROBES,
        sql=sql,
        settings=_IN_ORDER if in_order else _SETTINGS,
        cost=cost,
        part_sql="" if in_order else f"{sql} AND {in_blocks()}",
        part_sqls=tuple(ranged_sql(subject, part) for part in parts_by_histogram(subject, cost)) if in_order else (),
        why=f"about {own.values:.0f} rows to look up among {max(other.rows, 0):.0f}",
    )
