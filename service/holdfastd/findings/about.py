"""Making a finding from its kind, severity and words."""

from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.words import Words
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName


def about(relationship: Relationship, kind: FindingKind, severity: Severity, words: Words) -> Finding:
    """Return a finding about a relationship; its table is the referencing one."""
    return _finding(kind, severity, words, relationship.referencing.table, relationship_id=relationship.id)


def about_table(table: TableName, kind: FindingKind, severity: Severity, words: Words) -> Finding:
    """Return a finding about a table."""
    return _finding(kind, severity, words, table)


def about_part(table: TableName, part: str, kind: FindingKind, severity: Severity, words: Words) -> Finding:
    """Return a finding about an index, a constraint, a column or a partition of a table."""
    return _finding(kind, severity, words, table, part=part)


def _finding(
    kind: FindingKind, severity: Severity, words: Words, table: TableName, *, relationship_id: str = "", part: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        message=words.message,
        consequence=words.consequence,
        cure=words.cure,
        table=table,
        relationship_id=relationship_id,
        part=part,
    )
