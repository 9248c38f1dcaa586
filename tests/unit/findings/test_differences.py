"""What differs between two audits, in words."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.differences import ChangeKind, derive_finding_changes, derive_relationship_changes
from holdfastd.findings.model import Severity
from holdfastd.inference.model import Tier
from support.stored import MOMENT, a_finding, a_relationship

CANDIDATE = a_relationship()
DECLARED = replace(
    CANDIDATE,
    declared=True,
    validated=True,
    enforced=True,
    constraint_name="orders_fk",
    declared_on_delete=OnDelete.NO_ACTION,
    tier=Tier.DECLARED,
)


def rows(value: int, *, low: int | None = None, high: int | None = None) -> RowCount:
    exactness = Exactness.EXACT if low is None else Exactness.ESTIMATED
    return RowCount(value=value, exactness=exactness, as_of=MOMENT, low=low, high=high)


NOT_COUNTED = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=MOMENT, reason="it took too long")


@pytest.mark.parametrize(
    ("base", "head", "message"),
    [
        (CANDIDATE, DECLARED, "declared as orders_fk"),
        (DECLARED, CANDIDATE, "no longer declared (was orders_fk)"),
        (replace(DECLARED, validated=False), DECLARED, "validated"),
        (replace(DECLARED, enforced=False), DECLARED, "enforced"),
        (DECLARED, replace(DECLARED, declared_on_delete=OnDelete.SET_NULL), "ON DELETE NO ACTION became SET NULL"),
        (DECLARED, replace(DECLARED, constraint_name="other_fk"), "orders_fk became other_fk"),
        (CANDIDATE, replace(CANDIDATE, indexed=True), "an index appeared"),
        (replace(CANDIDATE, indexed=True), CANDIDATE, "no longer indexed"),
        (CANDIDATE, replace(CANDIDATE, tier=Tier.REVIEW), "for review only"),
        (replace(CANDIDATE, tier=Tier.REVIEW), CANDIDATE, "sure enough to be planned"),
        (CANDIDATE, replace(CANDIDATE, obstacle="types differ"), "cannot be enforced: types differ"),
        (CANDIDATE, replace(CANDIDATE, orphan_rows=rows(20)), "12 more orphan rows"),
        (CANDIDATE, replace(CANDIDATE, orphan_rows=rows(7)), "1 fewer orphan row"),
        (CANDIDATE, replace(CANDIDATE, orphan_rows=rows(20, low=15, high=30)), "about 12 more orphan rows"),
        (CANDIDATE, replace(CANDIDATE, orphan_rows=NOT_COUNTED), "no longer counted: it took too long"),
        (replace(CANDIDATE, orphan_rows=NOT_COUNTED), CANDIDATE, "counted again"),
        (CANDIDATE, replace(DECLARED, indexed=True, orphan_rows=rows(0)), "declared as orders_fk, an index appeared, 8 fewer orphan rows"),
    ],
)
def test_a_change_is_told_in_words(base, head, message):
    """Everything that became different, in one line."""
    (change,) = derive_relationship_changes([base], [head])

    assert (change.kind, change.relationship_id, change.message) == (ChangeKind.CHANGED, CANDIDATE.id, message)


@pytest.mark.parametrize(
    "head",
    [
        CANDIDATE,
        replace(CANDIDATE, confidence=0.5, rationale="Another."),
        replace(CANDIDATE, orphan_rows=rows(9, low=5, high=14)),
    ],
    ids=["nothing", "an opinion", "an estimate that may be the same"],
)
def test_what_may_be_the_same_is_no_change(head):
    """Estimates and opinions differ from audit to audit; they would drown what happened in the database."""
    assert derive_relationship_changes([CANDIDATE], [head]) == ()


def test_what_only_one_audit_has_appeared_or_went_away():
    """By id, with what it is."""
    old, new = a_relationship("a_id"), replace(DECLARED, referencing=a_relationship("b_id").referencing)

    changes = derive_relationship_changes([old, CANDIDATE], [CANDIDATE, new])

    assert [(change.kind, change.message) for change in changes] == [
        (ChangeKind.WENT_AWAY, "candidate"),
        (ChangeKind.APPEARED, "declared as orders_fk"),
    ]
    assert [(change.base, change.head) for change in changes] == [(old, None), (None, new)]


def test_of_a_relationship_declared_twice_the_stronger_counts():
    """Whatever their order: a second key that is not validated takes nothing away."""
    weaker = replace(DECLARED, validated=False, constraint_name="copy_fk")

    assert derive_relationship_changes([DECLARED], [weaker, DECLARED]) == ()
    assert derive_relationship_changes([DECLARED], [DECLARED, weaker]) == ()


def test_findings_appear_or_go_away_the_worst_first():
    """Other words for the same finding are no change."""
    kept = a_finding(Severity.WARN, "kept")
    base = [a_finding(Severity.INFO, "old"), kept]
    head = [replace(kept, message="Otherwise put."), a_finding(Severity.WARN, "new"), a_finding(Severity.ERROR, "bad")]

    changes = derive_finding_changes(base, head)

    assert [(change.kind, change.finding.table.name) for change in changes] == [
        (ChangeKind.APPEARED, "bad"),
        (ChangeKind.APPEARED, "new"),
        (ChangeKind.WENT_AWAY, "old"),
    ]
