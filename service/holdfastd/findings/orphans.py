"""Findings about rows: orphan rows, and rows that could not be counted."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.findings import messages
from holdfastd.findings.about import about
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship, Tier


def derive_orphan_findings(_catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per relationship with orphan rows, or with rows that nobody could count."""
    findings = []
    for relationship in relationships:
        count = relationship.orphan_rows
        if count.is_known and count.value:
            findings.append(_orphan_rows(relationship))
        elif not count.is_known and count.reason and not relationship.obstacle:
            # An obstacle is a finding of its own, and the reason why nothing was counted.
            findings.append(about(relationship, FindingKind.NOT_AUDITABLE, Severity.WARN, messages.not_auditable(relationship)))
    return findings


def _orphan_rows(relationship: Relationship) -> Finding:
    # Rows that match nothing may as well say that a doubtful relationship is none.
    is_certain = relationship.tier is not Tier.REVIEW
    severity = Severity.ERROR if is_certain else Severity.INFO
    return about(relationship, FindingKind.ORPHAN_ROWS, severity, messages.orphan_rows(relationship, is_certain=is_certain))
