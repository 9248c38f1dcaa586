"""All findings of an audit: in come the catalog and its relationships, out come findings, the worst first."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.findings.constraints import derive_constraint_findings
from holdfastd.findings.duplicates import derive_duplicate_findings, without_duplicates
from holdfastd.findings.indexes import derive_index_findings
from holdfastd.findings.intent import derive_intent_findings
from holdfastd.findings.model import Finding
from holdfastd.findings.orphans import derive_orphan_findings
from holdfastd.findings.partitions import derive_partition_findings
from holdfastd.findings.polymorphic import derive_polymorphic_findings
from holdfastd.findings.relationships import derive_relationship_findings
from holdfastd.findings.tables import derive_table_findings
from holdfastd.inference.hints.lookup import Unknown
from holdfastd.inference.model import Relationship

_FAMILIES = (
    derive_relationship_findings,
    derive_orphan_findings,
    derive_constraint_findings,
    derive_index_findings,
    derive_table_findings,
    derive_partition_findings,
    derive_polymorphic_findings,
)


def derive_findings(catalog: Catalog, relationships: Sequence[Relationship], unknown: Sequence[Unknown] = ()) -> tuple[Finding, ...]:
    """Return the findings, the worst first, then by id; a key that only repeats another is a finding once, as a duplicate.

    `unknown` is what applications name and the database does not have.
    """
    standing = [each for each in without_duplicates(catalog, relationships) if each.declared or _is_ours(catalog, each)]
    found = derive_duplicate_findings(catalog) + derive_intent_findings(unknown)
    found += [finding for family in _FAMILIES for finding in family(catalog, standing)]
    worst: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda finding: (-finding.severity, finding.id)):
        worst.setdefault(finding.id, finding)
    return tuple(worst.values())


def _is_ours(catalog: Catalog, relationship: Relationship) -> bool:
    """Tell whether a key could be declared here: what a partition's columns imply, its root's do, and an extension's table is not ours."""
    return not catalog.tables[relationship.referencing.table].only_referenced
