"""Facts of an audit in few words: a charging community as the tests of the report need it, and pages as a viewer reads them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.outline import outline
from holdfastd.evidence.model import CausedRows, Exactness, OrphanCause, OrphanDetails, RowCount, TakenRows
from holdfastd.findings.model import Finding, FindingKind, Ignored, Severity
from holdfastd.inference.model import Evidence, OtherAction, Relationship, Risk, Tier
from holdfastd.jobs.model import Job, JobKind, JobState, Verification
from holdfastd.plan.build import build_plan
from holdfastd.plan.decide import decide, settle
from holdfastd.plan.model import PlanState
from holdfastd.report.facts import Facts, PlanFacts, Subject
from support.builders import a_catalog, a_table, columns, table_name

AT = datetime(2026, 11, 18, 12, 26, 40, tzinfo=UTC)
SUBJECT = Subject(name="charging", host="db.example.net", port=5432, database_name="ev", role="holdfast", server_version="18.4")
#: Tags that never have an end.
_VOID = {"meta", "wbr", "br", "rect", "path", "circle", "line", "polygon", "polyline", "use"}


def community() -> Catalog:
    """Stations, reports about them, and the users who make both."""
    return a_catalog(
        a_table("users", "id character varying not null default gen_random_uuid()", row_estimate=200),
        a_table("stations", "added_by character varying", "is_hidden boolean", row_estimate=100),
        a_table("reports", "station_id integer not null", "user_id character varying", row_estimate=400),
        a_table("photos", "report_id integer not null", row_estimate=900),
    )


def a_relationship(catalog: Catalog, referencing: str, column: str, referenced: str, orphans: int = 0, **changes: Any) -> Relationship:
    """Return a relationship to the `id` of another table, undeclared unless told otherwise."""
    source, target = columns(referencing, column), columns(referenced, "id")
    values: dict[str, Any] = {
        "declared": False,
        "validated": False,
        "enforced": True,
        "constraint_name": "",
        "declared_on_delete": None,
        "nullable": not catalog.tables[source.table].column(column).not_null,
        "confidence": 0.95,
        "tier": Tier.PLAN,
        "evidence": (Evidence(rule="name", text=f"{column} is named after public.{referenced}"),),
        "orphan_rows": RowCount(value=orphans, exactness=Exactness.EXACT, as_of=AT),
        "risk": Risk.HIGH if orphans else Risk.MEDIUM,
        "suggested_on_delete": OnDelete.CASCADE,
        "rationale": f"Rows of {referencing} belong to their row of {referenced}.",
        "indexed": False,
        "obstacle": "",
        "operators": resolve_operators(catalog, source, target) or (),
        "other_actions": (OtherAction(on_delete=OnDelete.RESTRICT, rationale="Choose RESTRICT if it must stay."),),
    }
    return Relationship(referencing=source, referenced=target, **values | changes)


def relationships(catalog: Catalog) -> tuple[Relationship, ...]:
    """Return what the audit of the community finds."""
    details = OrphanDetails(
        distinct_values=2,
        share=0.02,
        causes=(
            CausedRows(cause=OrphanCause.DELETED, rows=7, distinct_values=1),
            CausedRows(cause=OrphanCause.SENTINEL, rows=1, distinct_values=1),
        ),
        seen_column="created_at",
        first_seen=AT - timedelta(days=900),
        last_seen=AT - timedelta(days=300),
        taken=(TakenRows(table=table_name("reports"), rows=8, share=0.02), TakenRows(table=table_name("photos"), rows=21, share=0.023)),
    )
    nulled = {"suggested_on_delete": OnDelete.SET_NULL, "risk": Risk.LOW}
    return (
        a_relationship(catalog, "photos", "report_id", "reports"),
        a_relationship(catalog, "reports", "station_id", "stations", 8, orphan_details=details),
        a_relationship(catalog, "reports", "user_id", "users", **nulled),
        a_relationship(catalog, "stations", "added_by", "users", **nulled),
    )


def some_facts(
    found: Sequence[Relationship] = (),
    findings: Sequence[tuple[Finding, Ignored | None]] = (),
    catalog: Catalog | None = None,
    **changes: Any,
) -> Facts:
    """Return the facts of an audit."""
    values: dict[str, Any] = {
        "subject": SUBJECT,
        "audit_id": "audit-1",
        "create_time": AT,
        "end_time": AT + timedelta(seconds=2.4),
        "tables": outline(catalog) if catalog else (),
        "relationships": tuple(found),
        "findings": tuple(findings),
    }
    return Facts(**values | changes)


def planned(catalog: Catalog, found: Sequence[Relationship], state: PlanState = PlanState.PROPOSED) -> PlanFacts:
    """Return a plan made from relationships."""
    decisions = settle(decide(catalog, found, ()), {}, ())
    plan = build_plan(catalog, found, decisions, {})
    return PlanFacts(id="plan-1", state=state, author="ada", reviewer="bea", create_time=AT, plan=plan)


def applied(plan: PlanFacts, **changes: Any) -> Job:
    """Return the application of a plan that succeeded."""
    verifications = tuple(
        Verification(
            relationship_id=each.relationship_id,
            orphan_rows_before=each.orphan_rows,
            orphan_rows_after=0,
            backed_up_rows=each.orphan_rows,
            constraint_name=each.constraint_name,
            declared=True,
            validated=True,
        )
        for each in plan.plan.decisions
        if each.included
    )
    job = Job(
        id="job-1",
        kind=JobKind.APPLICATION,
        state=JobState.SUCCEEDED,
        database="charging",
        database_id="db-1",
        principal="cid",
        create_time=AT,
        start_time=AT,
        end_time=AT + timedelta(seconds=5),
        verifications=verifications,
    )
    return replace(job, **changes)


def a_finding(kind: FindingKind, item: Relationship | None = None, severity: Severity = Severity.WARN, **changes: Any) -> Finding:
    """Return a finding, about a relationship where one is given."""
    values: dict[str, Any] = {
        "message": "It is so.",
        "consequence": "It stays so.",
        "cure": "Change it.",
        "table": item.referencing.table if item else table_name("reports"),
        "relationship_id": item.id if item else "",
    }
    return Finding(kind=kind, severity=severity, **values | changes)


def is_ignored(finding: Finding) -> Ignored:
    """Return the decision to live with a finding."""
    return Ignored(finding_id=finding.id, reason="Nobody deletes users.", principal="dan", create_time=AT)


class Page(HTMLParser):
    """The tags of a page, their attributes, and the text; tags that are not closed in turn are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Where a long name may break is up to the name.
        if tag != "wbr":
            self.tags.append(tag)
        if tag not in _VOID:
            self._open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}
        self.ids |= {value or "" for name, value in attrs if name == "id"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
