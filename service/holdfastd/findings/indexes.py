"""Findings about indexes: referencing columns that none serves, indexes that another makes superfluous, and invalid ones."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from holdfastd.catalog.indexes import prefix_index, serving_index
from holdfastd.catalog.model import Catalog, Index, Table, TableKind
from holdfastd.findings.about import about, about_part
from holdfastd.findings.messages import indexes as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.plannable import is_plannable
from holdfastd.findings.redundant import redundant_indexes
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.naming.learn import is_bookkeeping
from holdfastd.names import TableName


def derive_index_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return findings about missing indexes, then about those that are there and do no good."""
    return [*_missing(catalog, relationships), *(finding for table in catalog.tables.values() for finding in _idle(table))]


def _missing(catalog: Catalog, relationships: Sequence[Relationship]) -> Iterator[Finding]:
    """Yield one finding per columns without an index, however many keys are on them; a doubtful relationship asks for no index yet."""
    groups: dict[tuple[TableName, frozenset[str]], list[Relationship]] = defaultdict(list)
    for relationship in relationships:
        table = catalog.tables[relationship.referencing.table]
        if not relationship.indexed and relationship.tier is not Tier.REVIEW and table.kind is not TableKind.FOREIGN:
            groups[table.name, frozenset(relationship.referencing.columns)].append(relationship)
    for group in groups.values():
        yield _unindexed(catalog, group)


def _unindexed(catalog: Catalog, group: Sequence[Relationship]) -> Finding:
    first = min(group, key=lambda relationship: relationship.id)
    table, columns = catalog.tables[first.referencing.table], first.referencing.columns
    invalid = _would_serve(table, columns)
    words = messages.unindexed_key(
        first,
        table,
        targets=sorted({each.referenced.table for each in group}),
        near=messages.near_miss(prefix_index(table, columns), columns, invalid),
        invalid=invalid,
        is_planned=any(is_plannable(catalog, each) for each in group),
    )
    return about(first, FindingKind.UNINDEXED_KEY, Severity.WARN, words)


def _would_serve(table: Table, columns: tuple[str, ...]) -> Index | None:
    """Return the index that would serve the columns if it were valid."""
    unusable = tuple(replace(index, is_usable=True) for index in table.indexes if not index.is_usable)
    return serving_index(replace(table, indexes=unusable), columns) if unusable else None


def _idle(table: Table) -> Iterator[Finding]:
    """Yield the indexes of a table that are written and not read, or need not be."""
    if table.only_referenced:
        return
    for index in table.indexes:
        if not index.is_usable:
            yield about_part(table.name, index.name, FindingKind.INVALID_INDEX, Severity.WARN, messages.invalid_index(table, index))
    if is_bookkeeping(table.name):
        return
    for index, cover in redundant_indexes(table):
        words = messages.redundant_index(table, index, cover)
        yield about_part(table.name, index.name, FindingKind.REDUNDANT_INDEX, Severity.INFO, words)
