"""The report as a document."""

from holdfastd.report.facts import Facts, ReportFormat


def render_report(facts: Facts, format_: ReportFormat) -> str:
    """Return the report of an audit as one file."""
    raise NotImplementedError(facts.audit_id, format_)
