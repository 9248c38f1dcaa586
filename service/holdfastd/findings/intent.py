"""Findings about what applications declare and the database does not have."""

from collections.abc import Sequence

from holdfastd.findings.about import about_part, about_table
from holdfastd.findings.messages import intent as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.hints.lookup import Unknown


def derive_intent_findings(unknown: Sequence[Unknown]) -> list[Finding]:
    """Return one finding per thing that is missing, however many declarations name it; a view in the place of a table is no fault."""
    return [_finding(each) for each in unknown]


def _finding(unknown: Unknown) -> Finding:
    severity = Severity.INFO if unknown.is_other else Severity.WARN
    words, missing = messages.unknown_intent(unknown), unknown.missing
    if missing.column:
        return about_part(missing.table, missing.column, FindingKind.UNKNOWN_INTENT, severity, words)
    return about_table(missing.table, FindingKind.UNKNOWN_INTENT, severity, words)
