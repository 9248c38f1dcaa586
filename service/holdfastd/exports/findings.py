"""Findings in the formats of other tools."""

from collections.abc import Mapping

from holdfastd.exports.model import FindingsFormat
from holdfastd.findings.model import Severity
from holdfastd.report.facts import Facts


def export_findings(facts: Facts, format_: FindingsFormat, minimum_severity: Severity) -> Mapping[str, str]:
    """Return the files, path -> text."""
    raise NotImplementedError(facts.audit_id, format_, minimum_severity)
