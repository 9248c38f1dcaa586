"""What the report says is so: of work that did not end well, of rows that stay, of keys that are there already, of refusals."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness
from holdfastd.findings.model import FindingKind
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobState, Progress
from holdfastd.plan.build import build_plan
from holdfastd.plan.decide import decide, settle
from holdfastd.plan.model import OrphanAction, Override, PlanState
from holdfastd.report.build import render_report
from holdfastd.report.facts import PlanFacts, ReportFormat
from support.builders import a_catalog, a_foreign_key, a_table, columns
from unit.report.documents import AT, SUBJECT, a_finding, a_relationship, applied, community, planned, relationships, some_facts

CATALOG = community()
FOUND = relationships(CATALOG)


def written(facts):
    return render_report(facts, ReportFormat.MARKDOWN)


def chapter(text, title):
    """The text of one chapter."""
    start = text.index(f". {title}\n")
    end = text.find("\n## ", start)
    return text[start : None if end < 0 else end]


def test_what_did_not_succeed_is_not_said_to_be_done():
    """A failed application applied nothing whole, and a failed rollback undid nothing whole."""
    plan = planned(CATALOG, FOUND, PlanState.APPROVED)
    failed, running = applied(plan, state=JobState.FAILED), applied(plan, state=JobState.RUNNING, end_time=None)
    told = [written(some_facts(FOUND, (), CATALOG, plan=plan, application=job)) for job in (failed, running)]
    undone = written(some_facts(FOUND, (), CATALOG, plan=plan, application=applied(plan), rollback=failed))

    assert "Applying it was asked for by cid, 2026-11-18 12:26 UTC; it ended 2026-11-18 12:26 UTC, and what it did" in told[0]
    assert "it has not ended yet" in told[1]
    assert "Undoing it was asked for by cid" in undone
    assert not [text for text in (*told, undone) if "Applied by" in text or "Undone by" in text]


def test_a_key_whose_orphan_rows_stay_is_declared_all_the_same():
    """LEAVE: the rows are still told of, the key and its index are no longer missing, and what to try counts what stays."""
    decisions = decide(CATALOG, [FOUND[1]], (Override(relationship_id=FOUND[1].id, orphan_action=OrphanAction.LEAVE),))
    plan = PlanFacts(
        id="plan-1",
        state=PlanState.APPLIED,
        author="ada",
        reviewer="bea",
        create_time=AT,
        plan=build_plan(CATALOG, [FOUND[1]], settle(decisions, {}, ()), {}),
    )
    job = applied(plan)
    job = replace(job, verifications=tuple(replace(each, orphan_rows_after=8, validated=False) for each in job.verifications))
    kinds = (FindingKind.ORPHAN_ROWS, FindingKind.UNDECLARED_KEY, FindingKind.UNINDEXED_KEY)
    findings = [(a_finding(kind, FOUND[1]), None) for kind in kinds]
    text = written(some_facts([FOUND[1]], findings, CATALOG, plan=plan, application=job))

    assert "8 rows reference nothing, in 1 relationship" in chapter(text, "What to do first")
    assert "not declared" not in chapter(text, "What to do first")
    assert "indexes" not in chapter(text, "What to do first")
    assert "1 finding: 1 WARN; 2 were settled by the plan." in text
    assert "-- must count 8:" in chapter(text, "What to test afterwards")
    assert "These rows stay, and the keys stay NOT VALID: 8 of reports.station_id." in text
    assert "; for rows that stay it goes on." in text


def test_a_key_that_is_in_force_changes_nothing_for_writes():
    """Declared NOT VALID with SET NULL on one of two columns: only that one is named, and no write starts to fail."""
    ends = columns("parts", "order_id", "line_no"), columns("lines", "order_id", "line_no")
    key = replace(a_foreign_key(*ends, OnDelete.SET_NULL, validated=False), set_null_columns=("line_no",))
    catalog = a_catalog(
        a_table("lines", "order_id integer", "line_no integer", key=("order_id", "line_no")),
        a_table("parts", "order_id integer", "line_no integer", foreign_keys=[key]),
    )
    declared = {"declared": True, "tier": Tier.DECLARED, "constraint_name": key.name, "operators": key.operators}
    action = {"declared_on_delete": OnDelete.SET_NULL, "suggested_on_delete": OnDelete.SET_NULL}
    item = replace(FOUND[1], referencing=key.referencing, referenced=key.referenced, orphan_details=None, **declared, **action)
    text = written(some_facts([item], (), catalog, plan=planned(catalog, [item])))

    assert "ON DELETE **SET NULL** (only line_no)" in text
    assert "| Sets parts.line_no NULL |" in text
    assert "with parts.line_no NULL" in text
    assert "These writes start to fail" not in text
    assert "in force for new writes already" in text
    assert "1 foreign key on 1 table, 1 of them there already, to be validated." in text


def test_a_refusal_has_the_state_of_its_version():
    """RESTRICT is told by 23001 since PostgreSQL 18, by 23503 before."""
    kept = replace(FOUND[0], suggested_on_delete=OnDelete.RESTRICT)
    new, old = (
        chapter(written(some_facts([kept], (), CATALOG, subject=replace(SUBJECT, server_version=version))), "What to test afterwards")
        for version in ("18.4", "17.6")
    )

    assert "-- must fail with 23001: photos.report_id references it" in new
    assert "-- must fail with 23503: photos.report_id references it" in old


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_an_unfinished_application_claims_no_numbers(state):
    """Nothing was verified: how far it came and its own message are told, before all else; after a rollback the message holds no longer."""
    plan = planned(CATALOG, FOUND, PlanState.APPROVED)
    message = "In force now: 1 key. To undo it: `holdfast rollback job-1`."
    job = applied(plan, state=state, verifications=(), error_message=message, progress=Progress(done=3))
    facts = some_facts(FOUND, (), CATALOG, plan=plan, application=job)
    text, undone = written(facts), written(replace(facts, rollback=applied(plan)))

    assert f"| 1 | Steps done | 3 of {len(plan.plan.steps)} |" in text
    assert f"**APPLICATION {state}**. In force now: 1 key. To undo it: `holdfast rollback job-1`. `holdfast jobs show job-1`" in text
    assert not [words for words in ("nothing to back up", "0 of 0", "Detected orphan rows") if words in text]
    assert f"1. The application ended {state.lower()}, 2026-11-18 12:26 UTC" in chapter(text, "What to do first")
    assert "In force now" not in undone
    assert f"**APPLICATION {state}**. What it did was rolled back." in undone


def test_two_keys_on_the_same_columns_are_both_told_of():
    """One cascades, one refuses: neither hides the other."""
    ends = columns("photos", "report_id"), columns("reports", "id")
    both = [replace(a_foreign_key(*ends, action), name=action.lower()) for action in (OnDelete.CASCADE, OnDelete.RESTRICT)]
    catalog = a_catalog(
        a_table("stations"), a_table("reports", "station_id integer"), a_table("photos", "report_id integer", foreign_keys=both)
    )
    text = written(some_facts([a_relationship(catalog, "reports", "station_id", "stations")], (), catalog))

    assert "| `stations` | reports, photos | photos.report_id (through reports), by rows that do not go along first |" in text


def test_what_was_not_counted_is_not_proposed():
    """A plan leaves it out, so the report does, and says why."""
    item = replace(
        FOUND[1], orphan_rows=replace(FOUND[1].orphan_rows, value=0, exactness=Exactness.NOT_COUNTED, reason="permission denied")
    )
    told = chapter(written(some_facts([item, FOUND[0]], (), CATALOG)), "Proposed constraints")

    assert "1 key, as a plan would have them" in told
    assert "| Its rows could not be counted: permission denied. | 1 | reports.station_id → stations.id |" in told
