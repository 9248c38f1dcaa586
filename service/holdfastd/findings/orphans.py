"""Findings about rows: orphan rows, and rows that could not be counted."""

from collections import defaultdict
from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.model import HIDDEN_ROWS
from holdfastd.findings.about import about, about_table
from holdfastd.findings.messages import orphans as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.plannable import declared_key, is_foreign
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import TableName


def derive_orphan_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per relationship with orphan rows, or with rows that nobody could count."""
    findings = []
    hidden: dict[TableName, list[Relationship]] = defaultdict(list)
    for relationship in relationships:
        count = relationship.orphan_rows
        if count.is_known:
            findings += [_orphan_rows(catalog, relationship)] if count.value and not _is_likelier_none(relationship) else []
        elif count.reason and not relationship.obstacle:
            # An obstacle is a finding of its own, and the reason why nothing was counted.
            table = _hiding(relationship)
            if table:
                hidden[table].append(relationship)
            else:
                findings.append(_not_auditable(catalog, relationship))
    return findings + [_rows_hidden(catalog, table, group) for table, group in hidden.items()]


def _orphan_rows(catalog: Catalog, relationship: Relationship) -> Finding:
    key = declared_key(catalog, relationship) if relationship.validated and relationship.enforced else None
    if key is not None:
        words = messages.orphans_under_valid_key(catalog, relationship, key)
        return about(relationship, FindingKind.ORPHANS_UNDER_VALID_KEY, Severity.ERROR, words)
    # Rows that match nothing may as well say that a doubtful relationship is none.
    is_certain = relationship.tier is not Tier.REVIEW
    severity = Severity.ERROR if is_certain else Severity.INFO
    return about(relationship, FindingKind.ORPHAN_ROWS, severity, messages.orphan_rows(catalog, relationship, is_certain=is_certain))


def _is_likelier_none(relationship: Relationship) -> bool:
    """Tell whether a doubtful relationship has no row that references anything: then nothing is wrong with the rows."""
    return relationship.tier is Tier.REVIEW and any(each.rule == "values_missing" for each in relationship.evidence)


def _not_auditable(catalog: Catalog, relationship: Relationship) -> Finding:
    kind = FindingKind.NOT_AUDITABLE
    if is_foreign(catalog, relationship):
        return about(relationship, kind, Severity.INFO, messages.in_another_database(relationship))
    severity = Severity.INFO if relationship.tier is Tier.REVIEW else Severity.WARN
    return about(relationship, kind, severity, messages.not_auditable(relationship))


def _hiding(relationship: Relationship) -> TableName | None:
    """Return the table whose row security kept the rows from being counted; None when that is not the reason."""
    tables = (relationship.referencing.table, relationship.referenced.table)
    reason = relationship.orphan_rows.reason
    return next((table for table in tables if reason.startswith(f"{HIDDEN_ROWS} {table} ")), None)


def _rows_hidden(catalog: Catalog, table: TableName, group: Sequence[Relationship]) -> Finding:
    """One privilege is missing, however many relationships want it."""
    severity = Severity.INFO if all(each.tier is Tier.REVIEW for each in group) else Severity.WARN
    words = messages.rows_hidden(table, catalog.tables[table].owner, group[0].orphan_rows.reason, len(group))
    return about_table(table, FindingKind.ROWS_HIDDEN, severity, words)
