"""Findings about what is declared: keys that are not validated, not enforced or disabled, and tables without a primary key."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.findings import messages
from holdfastd.findings.about import about, about_table
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.inference.naming import is_bookkeeping


def derive_constraint_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return findings about declared keys and tables."""
    keys = {(key.referencing.table, key.name): key for key in catalog.foreign_keys}
    findings = []
    for relationship in relationships:
        if relationship.declared:
            findings += _of_key(relationship, keys.get((relationship.referencing.table, relationship.constraint_name)))
    return findings + _without_primary_key(catalog)


def _of_key(relationship: Relationship, key: ForeignKey | None) -> list[Finding]:
    if not relationship.enforced:
        return [about(relationship, FindingKind.NOT_ENFORCED_KEY, Severity.WARN, messages.not_enforced_key(relationship))]
    findings = []
    if key is not None and not key.triggers_enabled:
        # Worse than NOT ENFORCED, because the catalog calls the key valid.
        findings.append(about(relationship, FindingKind.NOT_ENFORCED_KEY, Severity.ERROR, messages.disabled_key(relationship)))
    if not relationship.validated:
        findings.append(about(relationship, FindingKind.NOT_VALIDATED_KEY, Severity.WARN, messages.not_validated_key(relationship)))
    return findings


def _without_primary_key(catalog: Catalog) -> list[Finding]:
    """Return the tables without a primary key, but for foreign tables, which cannot have one, and tables that tools or people left."""
    return [
        about_table(table.name, FindingKind.NO_PRIMARY_KEY, Severity.WARN, messages.no_primary_key(table))
        for table in catalog.tables.values()
        if table.kind is not TableKind.FOREIGN and not table.primary_key and not is_bookkeeping(table.name)
    ]
