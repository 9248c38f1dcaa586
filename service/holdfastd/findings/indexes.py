"""Findings about indexes: referencing columns that no usable index serves."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.findings import messages
from holdfastd.findings.about import about
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship, Tier


def derive_index_findings(_catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per declared or plannable relationship without an index; a doubtful one asks for no index yet."""
    return [
        about(relationship, FindingKind.UNINDEXED_KEY, Severity.WARN, messages.unindexed_key(relationship))
        for relationship in relationships
        if not relationship.indexed and relationship.tier is not Tier.REVIEW
    ]
