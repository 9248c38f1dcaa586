"""Making a finding from its kind, severity and words."""

from holdfastd.findings.messages import Words
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName


def about(relationship: Relationship, kind: FindingKind, severity: Severity, words: Words) -> Finding:
    """Return a finding about a relationship; its table is the referencing one."""
    return _finding(kind, severity, words, relationship.referencing.table, relationship.id)


def about_table(table: TableName, kind: FindingKind, severity: Severity, words: Words) -> Finding:
    """Return a finding about a table."""
    return _finding(kind, severity, words, table, "")


def _finding(kind: FindingKind, severity: Severity, words: Words, table: TableName, relationship_id: str) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        message=words.message,
        consequence=words.consequence,
        cure=words.cure,
        table=table,
        relationship_id=relationship_id,
    )
