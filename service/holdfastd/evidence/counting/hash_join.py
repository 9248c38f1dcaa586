"""Strategy: hash the keys and look every row up. Needs nothing, works for every key, composite and partitioned ones included. Pure."""

from holdfastd.catalog.model import TableKind
from holdfastd.evidence.counting.comparisons import are_integers
from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.statements import REFERENCING, count_orphans_sql

#: A hash table in many small batches stays in the processor's cache: 1 MB measured faster than any larger amount, up to 256 MB.
_SMALL = {"work_mem": "1MB", "hash_mem_multiplier": "1"}


def count_by_hash(subject: Subject) -> Count:
    """Return the plain count. Always possible."""
    sql = count_orphans_sql(subject.catalog, subject.referencing, subject.referenced, subject.operators)
    own, other = subject.referencing_statistics, subject.referenced_statistics
    build = max(other.rows, 0) * COST.build / 1000
    settings = dict(_SMALL)
    if min(own.visible, other.visible) < COST.well_visible:
        # The planner believes in index-only scans that must visit the table for every row: four times slower, measured.
        settings["enable_mergejoin"] = "off"
    is_chunkable = subject.referencing_table.kind in {TableKind.TABLE, TableKind.PARTITIONED}
    return Count(
        strategy=Strategy.HASH,
        sql=sql,
        settings=settings,
        cost=build + (max(own.rows, 0) * COST.scan + own.values * _probe(subject)) / 1000,
        repeated=build,
        part_sql=f"{sql} AND {in_blocks()}" if is_chunkable else "",
        why="no other strategy fits these columns, or promises to be faster",
    )


def in_blocks() -> str:
    """Return the condition that a row of the referencing table lies in the blocks from $1 to below $2."""
    ctid = f"{REFERENCING}.ctid"
    return f"{ctid} >= $1::pg_catalog.text::pg_catalog.tid AND {ctid} < $2::pg_catalog.text::pg_catalog.tid"


def _probe(subject: Subject) -> float:
    if subject.referenced_statistics.rows <= COST.small_rows:
        return COST.probe_small
    return COST.probe_integer if are_integers(subject) else COST.probe_other
