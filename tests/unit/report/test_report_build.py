"""The report says what is known where a reader looks for it, leaves out what has nothing to say, and stays readable when there is much."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.outline import outline
from holdfastd.evidence.model import Exactness
from holdfastd.findings.model import FindingKind
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobState
from holdfastd.names import TableName
from holdfastd.plan.model import PlanState
from holdfastd.report.blocks import Code, Heading
from holdfastd.report.build import build_report, render_report
from holdfastd.report.chapters.findings import with_code
from holdfastd.report.facts import ReportFormat
from support.builders import a_catalog, a_foreign_key, a_table, columns
from unit.report.documents import (
    Page,
    a_finding,
    a_relationship,
    applied,
    community,
    is_ignored,
    planned,
    relationships,
    some_facts,
)

CATALOG = community()
FOUND = relationships(CATALOG)


def written(facts):
    return render_report(facts, ReportFormat.MARKDOWN)


def chapters(facts):
    return [
        block.text.partition(" ")[2] for block in build_report(facts, with_drawings=True) if isinstance(block, Heading) and block.level == 2
    ]


def chapter(text, title):
    """The text of one chapter."""
    start = text.index(f". {title}\n")
    end = text.find("\n## ", start)
    return text[start : None if end < 0 else end]


def test_a_sound_database_has_a_short_report():
    """Nothing to do is said, and no chapter is empty."""
    declared = {"declared": True, "validated": True, "indexed": True, "tier": Tier.DECLARED, "declared_on_delete": OnDelete.CASCADE}
    sound = replace(FOUND[0], constraint_name="photos_fkey", **declared)
    facts = some_facts([sound], (), CATALOG)

    assert chapters(facts) == [
        *("Summary", "What to do first", "Tables", "Relationship map", "Tables that can produce orphan rows", "Scripts"),
    ]
    assert "Nothing: no open finding is worse than INFO." in written(facts)
    assert "None: every relationship is declared and enforced" in written(facts)


def test_nothing_at_all_is_a_report_too():
    """An empty database, and an audit from before tables were kept."""
    empty = written(some_facts())

    assert "0 tables, 0 relationships" in empty
    assert "The role that audited sees no table." in empty
    assert "audit again to see them" in written(some_facts(FOUND))
    assert render_report(some_facts(), ReportFormat.HTML).endswith("</html>\n")
    assert "reports.station_id" in written(some_facts(FOUND))


def test_the_report_says_what_is_known():
    """Each fact where a reader would look for it."""
    item = FOUND[1]
    estimated = replace(
        FOUND[2], orphan_rows=replace(item.orphan_rows, value=12_000, exactness=Exactness.ESTIMATED, low=11_400, high=12_600)
    )
    uncounted = replace(FOUND[3], orphan_rows=replace(item.orphan_rows, exactness=Exactness.NOT_COUNTED, reason="permission denied"))
    review = replace(FOUND[0], tier=Tier.REVIEW, confidence=0.61)
    kept = a_finding(FindingKind.UNINDEXED_KEY, item)
    text = written(some_facts([item, estimated, uncounted, review], [(kept, is_ignored(kept))], CATALOG))

    for words in (
        "PostgreSQL 18.4",
        "**≈12,000 (11,400 to 12,600)**",
        "2 relationships exactly, 1 estimated from a sample, 1 not counted",
        "**≈12,008 rows reference nothing**",
        "the referenced row was deleted (7); a value that means none (0, -1, empty) (1)",
        "░░░░░░░░░ 2 %",
        "2024-06-01 to 2026-01-22",
        "8 of reports, 21 of photos",
        "Rows of reports belong to their row of stations.",
        "permission denied",
        "Nobody deletes users.",
        "1 relationship may be meant",
        "character varying (UUID)",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("state", "job", "undone", "status"),
    [
        (None, None, None, "FOUND"),
        (PlanState.PROPOSED, None, None, "PLANNED"),
        (PlanState.APPROVED, None, None, "APPROVED"),
        (PlanState.REJECTED, None, None, "REJECTED"),
        (PlanState.APPROVED, JobState.RUNNING, None, "APPLICATION RUNNING"),
        (PlanState.APPROVED, JobState.FAILED, None, "APPLICATION FAILED"),
        (PlanState.APPLIED, JobState.SUCCEEDED, None, "APPLIED"),
        (PlanState.APPLIED, JobState.SUCCEEDED, JobState.FAILED, "ROLLBACK FAILED"),
        (PlanState.ROLLED_BACK, JobState.SUCCEEDED, JobState.SUCCEEDED, "ROLLED BACK"),
    ],
)
def test_the_first_line_says_how_far_the_work_is(state, job, undone, status):
    """Found, planned, approved, applied, rolled back."""
    plan = planned(CATALOG, FOUND, state) if state else None
    changes = {"application": applied(plan, state=job)} if plan and job else {}
    changes |= {"rollback": applied(plan, state=undone)} if plan and undone else {}

    assert f"| Status | **{status}**. " in written(some_facts(FOUND, (), CATALOG, plan=plan, **changes))


def test_results_come_with_an_application():
    """Detected, backed up, deleted, added, verified; per relationship before, after, backed up."""
    plan = planned(CATALOG, FOUND)
    text = written(some_facts(FOUND, (), CATALOG, plan=plan, application=applied(plan)))

    assert "| 1 | Detected orphan rows | 8: 8 of reports.station_id |" in text
    assert "| 3 | Cleaned up | 8 rows deleted |" in text
    assert "| 4 | Added constraints | 4 of 4, 4 of them validated |" in text
    assert "| 6 | Verified | all orphan counts are 0 |" in text
    assert "| reports.station_id → stations.id | 8 | 0 | 8 | `fk_reports_station` | validated |" in text
    assert "### Results" not in written(some_facts(FOUND, (), CATALOG, plan=plan))


def test_risks_are_those_of_the_plan():
    """What does not apply is not said."""
    nulled = [FOUND[2]]
    all_of_it = chapter(written(some_facts(FOUND, (), CATALOG, plan=planned(CATALOG, FOUND))), "Risks and mitigations")
    little = chapter(written(some_facts(nulled, (), CATALOG, plan=planned(CATALOG, nulled))), "Risks and mitigations")

    assert "deletes 8 rows of reports.station_id" in all_of_it
    assert "eleting a row of reports now deletes its rows of photos" in all_of_it
    assert "stations.is_hidden" in all_of_it
    for words in ("Data loss", "cascade", "Deletions are refused", "stations.is_hidden"):
        assert words not in little, words
    assert "Rolling back is the risky direction" in little


def test_without_a_plan_there_is_a_proposal():
    """Keys, reasons and consequences are there; what only a plan knows says how to get one."""
    text = written(some_facts(FOUND, (), CATALOG))

    assert "### 1. photos.report_id → reports.id" in text
    assert 'ADD FOREIGN KEY ("report_id") REFERENCES "public"."reports" ("id") ON DELETE CASCADE NOT VALID' in text
    assert "There is no plan yet, so there is no order to show: `holdfast plan charging`" in text
    assert "holdfast plans check PLAN" in text
    assert "Rollback" not in chapters(some_facts(FOUND, (), CATALOG))


def test_large_databases_stay_readable():
    """The rest is counted, and the report says where to see it; the page folds it away."""
    names = [f"table_{number:04}" for number in range(300)]
    catalog = a_catalog(*(a_table(name, "x_id integer") for name in names))
    found = [a_relationship(catalog, name, "x_id", names[place % 20], 1) for place, name in enumerate(names)]
    told = {"consequence": "So.", "cure": "Do."}
    findings = [(a_finding(FindingKind.NO_PRIMARY_KEY, message=f"{place}.", **told), None) for place in range(3000)]
    facts = some_facts(found, findings, catalog, plan=planned(catalog, found))
    text, page = written(facts), render_report(facts, ReportFormat.HTML)

    assert len(text) < 500_000
    assert len(page) < 6_000_000
    assert "And 260 more relationships: `holdfast relationships charging`" in text
    assert "And 2,992 more of this kind: `holdfast findings charging --severity warn`" in text
    assert "Too long to be read here" in text
    assert Page(page).tags.count("details") > 5


def test_one_schema_goes_without_saying():
    """Names of the schema that has most tables are short, and the head says so; never beside schema public."""

    def moved(item):
        return replace(
            item,
            referencing=replace(item.referencing, table=TableName("cdm", item.referencing.table.name)),
            referenced=replace(item.referenced, table=TableName("cdm", item.referenced.table.name)),
        )

    short, mixed = (written(some_facts(items)) for items in ([moved(FOUND[1])], [moved(FOUND[1]), FOUND[0]]))

    assert "of schema cdm" in short
    assert "| reports.station_id → stations.id |" in short
    assert '"cdm"."reports"' in short
    assert "| cdm.reports.station_id → cdm.stations.id |" in mixed


def test_statements_are_set_apart_whole_or_not_at_all():
    """Half a statement is worse than none."""
    assert with_code('Clean up, then run ALTER TABLE "a"."b" VALIDATE CONSTRAINT "x.y; z"; a plan does both.') == (
        "Clean up, then run ",
        Code('ALTER TABLE "a"."b" VALIDATE CONSTRAINT "x.y; z"'),
        "; a plan does both.",
        "",
    )
    assert Code('CREATE INDEX CONCURRENTLY ON "a"."b" ("c", "d (e)")') in with_code(
        'Run CREATE INDEX CONCURRENTLY ON "a"."b" ("c", "d (e)").'
    )
    assert not [
        part for part in with_code('Run ALTER TABLE "a" ALTER COLUMN "b" TYPE integer USING "b"::integer.') if isinstance(part, Code)
    ]
    assert Code('ALTER TABLE "a"."b" ENABLE TRIGGER ALL') in with_code('Run ALTER TABLE "a"."b" ENABLE TRIGGER ALL as a superuser.')
    assert not [part for part in with_code("Run CREATE INDEX CONCURRENTLY with the same columns.") if isinstance(part, Code)]


def test_tables_tell_what_they_are_for():
    """A comment before anything that was inferred; keys with the types that applications see."""
    tables = [replace(each, purpose="what people say") if each.name.name == "reports" else each for each in outline(CATALOG)]
    tables = [replace(each, purpose="x", comment="Where to\ncharge") if each.name.name == "stations" else each for each in tables]
    text = chapter(written(some_facts(FOUND, tables=tuple(tables))), "Tables")

    assert "| `reports` | ≈400 | 0 bytes | `id` | integer | what people say | 2 | 1 |" in text
    assert "Where to charge" in text


def test_a_key_that_is_there_is_validated_not_added():
    """Declared NOT VALID: the definition is the statement that proves it."""
    catalog = a_catalog(
        a_table("customers"),
        a_table(
            "orders",
            "customer_id integer",
            foreign_keys=[a_foreign_key(columns("orders", "customer_id"), columns("customers", "id"), validated=False)],
        ),
    )
    declared = {
        "declared": True,
        "tier": Tier.DECLARED,
        "declared_on_delete": OnDelete.NO_ACTION,
        "suggested_on_delete": OnDelete.NO_ACTION,
    }
    item = a_relationship(catalog, "orders", "customer_id", "customers", constraint_name="orders_customer_id_fkey", **declared)
    facts = some_facts([item], (), catalog, plan=planned(catalog, [item]))
    told = chapter(written(facts), "Proposed constraints")

    assert '`ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_customer_id_fkey"`' in told
    assert "ADD CONSTRAINT" not in told
    assert "Declared, but not validated yet." in told
