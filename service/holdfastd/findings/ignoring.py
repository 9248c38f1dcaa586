"""Findings that somebody decided to live with. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from holdfastd.findings.model import Finding, Ignored


def apply_ignored(
    findings: Sequence[Finding], ignored: Mapping[str, Ignored], moment: datetime
) -> tuple[tuple[Finding, Ignored | None], ...]:
    """Return every finding with the decision that holds at that moment; None: it is open. In the order given."""
    return tuple((finding, _holding(ignored.get(finding.id), moment)) for finding in findings)


def _holding(decision: Ignored | None, moment: datetime) -> Ignored | None:
    return decision if decision is not None and decision.holds_at(moment) else None
