"""A gate: what was known before passes, what is new fails. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from holdfastd.evidence.model import RowCount
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship, Tier

#: Judged by the number of rows: one more row is as new as the first one.
_BY_ROWS = (FindingKind.ORPHAN_ROWS, FindingKind.ORPHANS_UNDER_VALID_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is known, and accepted for now."""

    finding_ids: frozenset[str] = frozenset()
    #: By the relationship's id, where there are any.
    orphan_rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreOrphans:
    """A relationship with more orphan rows than before."""

    relationship_id: str
    base: int
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is new, and whether it passes."""

    passed: bool
    #: The worst first.
    new_findings: tuple[Finding, ...]
    #: The most first.
    more_orphans: tuple[MoreOrphans, ...]
    gone_finding_ids: tuple[str, ...]
    current: Baseline

    @property
    def new_orphan_rows(self) -> int:
        """The sum over all relationships."""
        return sum(each.head - each.base for each in self.more_orphans)


def judge(
    findings: Sequence[Finding],
    relationships: Iterable[Relationship],
    baseline: Baseline,
    *,
    minimum_severity: Severity,
    max_new_orphans: int,
) -> Verdict:
    """Return what is new in an audit: of open findings, and of relationships that are declared or would be planned."""
    current = Baseline(finding_ids=frozenset(each.id for each in findings), orphan_rows=_orphan_rows(relationships))
    new = [each for each in findings if each.id not in baseline.finding_ids and each.kind not in _BY_ROWS]
    failing = tuple(sorted((each for each in new if each.severity >= minimum_severity), key=lambda each: (-each.severity, each.id)))
    more = [
        MoreOrphans(relationship_id=id_, base=baseline.orphan_rows.get(id_, 0), head=rows)
        for id_, rows in current.orphan_rows.items()
        if rows > baseline.orphan_rows.get(id_, 0)
    ]
    rows = sum(each.head - each.base for each in more)
    return Verdict(
        passed=not failing and rows <= max_new_orphans,
        new_findings=failing,
        more_orphans=tuple(sorted(more, key=lambda each: (each.base - each.head, each.relationship_id))),
        gone_finding_ids=tuple(sorted(baseline.finding_ids - current.finding_ids)),
        current=current,
    )


def _orphan_rows(relationships: Iterable[Relationship]) -> dict[str, int]:
    counted = {each.id: _at_least(each.orphan_rows) for each in relationships if each.tier is not Tier.REVIEW and each.orphan_rows.is_known}
    return {id_: rows for id_, rows in sorted(counted.items()) if rows}


def _at_least(count: RowCount) -> int:
    """Return a number that is not too high: an estimate differs from one audit to the next."""
    return count.value if count.low is None else count.low
