"""What was known passes, what is new fails."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.gate import Baseline, Verdict, judge
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import TableName
from support.stored import a_relationship

NOW = datetime(2026, 5, 1, tzinfo=UTC)
INDEX = Finding(
    kind=FindingKind.REDUNDANT_INDEX,
    severity=Severity.WARN,
    message="m.",
    consequence="c.",
    cure="d.",
    table=TableName("public", "a"),
    part="i",
)
ORPHANS = replace(INDEX, kind=FindingKind.ORPHAN_ROWS, severity=Severity.ERROR, relationship_id="r", part="")


def counted(rows: int, **count) -> Relationship:
    return replace(a_relationship(), orphan_rows=RowCount(value=rows, exactness=Exactness.EXACT, as_of=NOW, **count))


def judged(*findings: Finding, rows: Relationship | None = None, known: Baseline | None = None, allowed: int = 0) -> Verdict:
    return judge(findings, [rows] if rows else [], known or Baseline(), minimum_severity=Severity.WARN, max_new_orphans=allowed)


def test_without_a_baseline_everything_is_new() -> None:
    assert judged(INDEX).new_findings == (INDEX,)
    assert not judged(INDEX).passed


def test_what_was_known_passes() -> None:
    """The baseline of one verdict lets the same audit pass."""
    first = judged(INDEX, ORPHANS, rows=counted(8))

    assert not first.passed
    assert judged(INDEX, ORPHANS, rows=counted(8), known=first.current).passed


def test_one_more_orphan_row_fails_though_its_finding_is_known() -> None:
    known = judged(ORPHANS, rows=counted(8)).current
    found = judged(ORPHANS, rows=counted(9), known=known)

    assert not found.passed
    assert (found.new_orphan_rows, found.more_orphans[0].base, found.more_orphans[0].head) == (1, 8, 9)
    assert judged(ORPHANS, rows=counted(9), known=known, allowed=1).passed


def test_less_severe_findings_pass() -> None:
    assert judged(replace(INDEX, severity=Severity.INFO)).passed


def test_what_is_gone_is_told() -> None:
    assert judged(known=Baseline(finding_ids=frozenset({INDEX.id}))).gone_finding_ids == (INDEX.id,)


def test_an_estimate_counts_by_its_lower_bound() -> None:
    """Two estimates of the same rows differ; a build must not fail by chance."""
    assert judged(rows=counted(900, low=700, high=1100), known=Baseline(orphan_rows={a_relationship().id: 800})).passed


@pytest.mark.parametrize("tier", [Tier.REVIEW])
def test_relationships_in_doubt_are_not_judged(tier: Tier) -> None:
    assert judged(rows=replace(counted(8), tier=tier)).passed
