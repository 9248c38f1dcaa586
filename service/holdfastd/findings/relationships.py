"""Findings about relationships that no foreign key declares: undeclared, of unequal types, or with nothing unique to reference."""

from collections import defaultdict
from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, Index, Table
from holdfastd.catalog.operators import referenced_key
from holdfastd.findings.about import about
from holdfastd.findings.messages import relationships as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.plannable import is_foreign
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.relationships import PLANNED_FROM
from holdfastd.names import ColumnSet


def derive_relationship_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return findings about undeclared relationships; with a foreign table there is nothing to declare."""
    findings = []
    not_unique: dict[ColumnSet, list[Relationship]] = defaultdict(list)
    for relationship in relationships:
        if relationship.declared or is_foreign(catalog, relationship):
            continue
        referenced = relationship.referenced
        if not relationship.obstacle:
            findings += _undeclared(catalog, relationship)
        elif referenced_key(catalog.tables[referenced.table], referenced.columns) is None:
            not_unique[referenced].append(relationship)
        else:
            words = messages.type_mismatch(catalog, relationship)
            findings.append(about(relationship, FindingKind.TYPE_MISMATCH, _severity(relationship), words))
    return findings + [_not_unique(catalog, group) for group in not_unique.values()]


def _undeclared(catalog: Catalog, relationship: Relationship) -> list[Finding]:
    """Return the finding about a key that is missing, wholly or on the root only; some partitions without it are another finding."""
    kind = FindingKind.UNDECLARED_KEY
    partitions = catalog.tables[relationship.referencing.table].partitions
    declaring = sum(any(key.referencing.columns == relationship.referencing.columns for key in each.foreign_keys) for each in partitions)
    if declaring and declaring == len(partitions):
        return [about(relationship, kind, Severity.INFO, messages.undeclared_on_root(catalog, relationship, declaring))]
    if declaring:
        return []
    severity = Severity.WARN if relationship.tier is Tier.PLAN else Severity.INFO
    return [about(relationship, kind, severity, messages.undeclared_key(catalog, relationship))]


def _not_unique(catalog: Catalog, group: Sequence[Relationship]) -> Finding:
    """One index is missing, however many relationships want it: the surest of them carries the finding."""
    surest = min(group, key=lambda relationship: (-relationship.confidence, relationship.id))
    referenced = catalog.tables[surest.referenced.table]
    words = messages.referenced_not_unique(surest, referenced, len(group) - 1, _almost_unique(referenced, surest.referenced.columns))
    return about(surest, FindingKind.REFERENCED_NOT_UNIQUE, _severity(surest), words)


def _almost_unique(table: Table, columns: tuple[str, ...]) -> Index | None:
    """Return the unique index on the columns that a foreign key cannot use; None when there is none."""
    return next((index for index in table.indexes if index.is_unique and set(index.columns) == set(columns)), None)


def _severity(relationship: Relationship) -> Severity:
    return Severity.WARN if relationship.confidence >= PLANNED_FROM else Severity.INFO
