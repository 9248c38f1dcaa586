"""Findings in the formats of other tools."""

from collections.abc import Mapping
from typing import assert_never

from holdfastd.exports.junit import render_junit
from holdfastd.exports.model import FindingsFormat
from holdfastd.exports.sarif import render_sarif
from holdfastd.findings.model import Severity
from holdfastd.report.facts import Facts


def export_findings(facts: Facts, format_: FindingsFormat, minimum_severity: Severity) -> Mapping[str, str]:
    """Return the files, path -> text, of the findings that are at least so severe, ignored ones among them."""
    findings = tuple(found for found in facts.findings if found[0].severity >= minimum_severity)
    name = f"holdfast_{facts.subject.name.replace('-', '_')}"
    match format_:
        case FindingsFormat.SARIF:
            return {f"{name}.sarif": render_sarif(facts, findings)}
        case FindingsFormat.JUNIT:
            return {f"{name}.xml": render_junit(facts, findings)}
        case _:
            assert_never(format_)
