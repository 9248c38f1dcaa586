"""What to do first: the urgent before what would let it come back, and nothing that is settled."""

from dataclasses import replace

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.names import TableName
from holdfastd.plan.model import PlanState
from holdfastd.report.suggestions import argument, severities, suggest
from holdfastd.report.view import View
from support.builders import a_catalog, a_table
from unit.report.documents import a_finding, a_relationship, applied, community, is_ignored, planned, relationships, some_facts

KINDS = (FindingKind.ORPHAN_ROWS, FindingKind.UNDECLARED_KEY, FindingKind.UNINDEXED_KEY)
CATALOG = community()
FOUND = relationships(CATALOG)


def orphaned():
    return next(item for item in FOUND if item.orphan_rows.value)


def test_the_urgent_comes_first():
    """Orphan rows, then what would let more of them in."""
    item = orphaned()
    estimated = replace(FOUND[0], orphan_rows=replace(item.orphan_rows, value=12_000, exactness=Exactness.ESTIMATED))
    uncounted = a_finding(FindingKind.NOT_AUDITABLE, FOUND[2])
    texts = [each.text for each in suggest(some_facts([item, estimated], [(uncounted, None)]))]

    assert texts[0].startswith("≈12,008 rows reference nothing, in 2 relationships: photos.report_id → reports.id (≈12,000), reports")
    assert texts[1] == "2 keys are not declared: nothing stops the next orphan row."
    assert "1 relationship was not counted" in texts[-1]


def test_rows_under_two_constraints_are_told_once():
    """A relationship that is declared twice has no more orphan rows for that."""
    assert suggest(some_facts([orphaned()] * 2))[0].text.startswith("8 rows reference nothing, in 1 relationship:")


def test_what_somebody_lives_with_is_not_urgent():
    """Ignored findings are told further down, not first."""
    item = orphaned()
    found = [a_finding(kind, item) for kind in KINDS]

    assert len(suggest(some_facts([item], [(each, None) for each in found]))) == 3
    assert suggest(some_facts([item], [(each, is_ignored(each)) for each in found])) == ()
    assert severities(some_facts([item], [(each, is_ignored(each)) for each in found])) == "0 findings; 3 more are ignored."


def test_no_warning_goes_untold():
    """Nothing to do is said only when nothing but hints is open."""
    warning, hint = (a_finding(FindingKind.INVALID_INDEX, severity=level) for level in (Severity.WARN, Severity.INFO))

    assert [each.text for each in suggest(some_facts([], [(warning, None)] * 2))] == ["Will hurt some day: invalid index (2)."]
    assert suggest(some_facts([], [(hint, None)])) == ()


def test_many_orphans_of_one_table_hint_at_rows_missing_there():
    """A table that was loaded in part makes orphan rows everywhere."""
    catalog = a_catalog(a_table("concepts"), *(a_table(f"t{number}", "concept_id integer") for number in range(5)))
    pointing = [a_relationship(catalog, f"t{number}", "concept_id", "concepts", 5) for number in range(5)]

    assert "5 of these 5 reference concepts: rows may be missing there" in suggest(some_facts(pointing))[1].text
    assert not [each for each in suggest(some_facts(FOUND)) if "missing there" in each.text]


def test_each_state_of_a_plan_has_its_next_step():
    """Plan, check, apply, audit again: what is done is not asked for twice."""
    findings = [(a_finding(kind, item), None) for kind in KINDS for item in FOUND]
    plan = planned(CATALOG, FOUND)
    nothing, proposed, approved = (
        suggest(some_facts(FOUND, findings, CATALOG, plan=each))[1].command
        for each in (None, plan, replace(plan, state=PlanState.APPROVED))
    )
    done = suggest(some_facts(FOUND, findings, CATALOG, plan=replace(plan, state=PlanState.APPLIED), application=applied(plan)))

    assert (nothing, proposed, approved) == ("holdfast plan charging", "holdfast plans check plan-1", "holdfast apply plan-1")
    assert [each.command for each in done] == ["holdfast audit charging"]


def test_a_rollback_opens_what_was_settled():
    """What the plan settled is as open as before once it is undone."""
    findings = [(a_finding(kind, item), None) for kind in KINDS for item in FOUND]
    plan = planned(CATALOG, FOUND)
    job = applied(plan)
    undone = some_facts(FOUND, findings, CATALOG, plan=plan, application=job, rollback=job)

    assert suggest(undone)[0].text.startswith("8 rows reference nothing")
    assert severities(undone) == "12 findings: 12 WARN."


def test_commands_name_one_relationship():
    """The shortest name that no other relationship has, as a shell takes it."""
    item = orphaned()
    archive = replace(item, referencing=replace(item.referencing, table=TableName("archive", "reports")))
    composite = replace(item, referencing=replace(item.referencing, columns=("a", "b")))
    odd = replace(item, referencing=replace(item.referencing, table=TableName("public", "it's")), suggested_on_delete=OnDelete.CASCADE)

    def named(chosen, *others):
        return argument(View(facts=some_facts([chosen, *others])), chosen)

    assert named(item, item) == "reports.station_id"
    assert named(archive, item) == "archive.reports.station_id"
    assert named(composite) == f"'{composite.id}'"
    assert named(odd) == "'it'\"'\"'s.station_id'"
