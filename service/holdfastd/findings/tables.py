"""Findings about tables: no primary key."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, Index, Table, TableKind
from holdfastd.catalog.operators import is_referenceable
from holdfastd.findings.about import about_table
from holdfastd.findings.messages import tables as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.inference.naming.learn import is_bookkeeping


def derive_table_findings(catalog: Catalog, _relationships: Sequence[Relationship]) -> list[Finding]:
    """Return findings about tables, but for foreign ones, which cannot have a primary key, and those that tools or people left."""
    return [
        _without_primary_key(table)
        for table in catalog.tables.values()
        if table.columns
        and not table.primary_key
        and table.kind is not TableKind.FOREIGN
        and not table.only_referenced
        and not is_bookkeeping(table.name)
    ]


def _without_primary_key(table: Table) -> Finding:
    """Return a warning, or a hint where a unique index does all that a primary key would do but carry its name."""
    index = next((index for index in sorted(table.indexes, key=lambda index: index.oid) if _could_be_primary(table, index)), None)
    if index is None:
        return about_table(table.name, FindingKind.NO_PRIMARY_KEY, Severity.WARN, messages.no_primary_key(table))
    return about_table(table.name, FindingKind.NO_PRIMARY_KEY, Severity.INFO, messages.unnamed_primary_key(table, index))


def _could_be_primary(table: Table, index: Index) -> bool:
    return is_referenceable(index) and all(table.column(name).not_null for name in index.columns if name is not None)
