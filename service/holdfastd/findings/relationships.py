"""Findings about relationships that no foreign key declares: undeclared, of unequal types, or with nothing unique to reference."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import referenced_key
from holdfastd.findings import messages
from holdfastd.findings.about import about
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.relationships import PLANNED_FROM


def derive_relationship_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per undeclared relationship."""
    return [_finding(catalog, relationship) for relationship in relationships if not relationship.declared]


def _finding(catalog: Catalog, relationship: Relationship) -> Finding:
    if not relationship.obstacle:
        severity = Severity.WARN if relationship.tier is Tier.PLAN else Severity.INFO
        return about(relationship, FindingKind.UNDECLARED_KEY, severity, messages.undeclared_key(relationship))
    severity = Severity.WARN if relationship.confidence >= PLANNED_FROM else Severity.INFO
    referenced = relationship.referenced
    if referenced_key(catalog.tables[referenced.table], referenced.columns) is None:
        return about(relationship, FindingKind.REFERENCED_NOT_UNIQUE, severity, messages.referenced_not_unique(relationship))
    return about(relationship, FindingKind.TYPE_MISMATCH, severity, messages.type_mismatch(relationship))
