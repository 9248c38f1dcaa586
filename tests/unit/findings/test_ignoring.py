"""Findings that somebody decided to live with, until the decision ends."""

from datetime import UTC, datetime, timedelta

from holdfastd.findings.ignoring import apply_ignored
from holdfastd.findings.model import Finding, FindingKind, Ignored, Severity
from support.builders import table_name

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def a_finding(table: str) -> Finding:
    return Finding(
        kind=FindingKind.NO_PRIMARY_KEY, severity=Severity.WARN, message="m.", consequence="c.", cure="c.", table=table_name(table)
    )


def a_decision(finding: Finding, expire_time: datetime | None = None) -> Ignored:
    return Ignored(finding_id=finding.id, reason="a log", principal="anna", create_time=NOW, expire_time=expire_time)


def test_a_decision_holds_until_it_expires() -> None:
    """To the moment: at its end the finding is open again."""
    first, second = a_finding("a"), a_finding("b")
    forever, until = a_decision(first), a_decision(second, NOW)
    ignored = {first.id: forever, second.id: until, "of another audit": forever}

    assert apply_ignored([first, second], ignored, NOW - timedelta(seconds=1)) == ((first, forever), (second, until))
    assert apply_ignored([first, second], ignored, NOW) == ((first, forever), (second, None))


def test_without_decisions_all_are_open_in_their_order() -> None:
    findings = [a_finding("b"), a_finding("a")]

    assert apply_ignored(findings, {}, NOW) == tuple((finding, None) for finding in findings)
