"""All findings of an audit: in come the catalog and its relationships, out come findings, the worst first."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.findings.constraints import derive_constraint_findings
from holdfastd.findings.indexes import derive_index_findings
from holdfastd.findings.model import Finding
from holdfastd.findings.orphans import derive_orphan_findings
from holdfastd.findings.relationships import derive_relationship_findings
from holdfastd.inference.model import Relationship

_FAMILIES = (derive_relationship_findings, derive_orphan_findings, derive_constraint_findings, derive_index_findings)


def derive_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> tuple[Finding, ...]:
    """Return the findings, the worst first, then by id; two keys on the same columns give each finding once, at its worst."""
    found = [finding for family in _FAMILIES for finding in family(catalog, relationships)]
    worst: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda finding: (-finding.severity, finding.id)):
        worst.setdefault(finding.id, finding)
    return tuple(worst.values())
