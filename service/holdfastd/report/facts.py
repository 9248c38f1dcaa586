"""What reports, maps and exports are made of: one audit, whole, with the plan made from it and what applying that plan did. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfastd.catalog.outline import TableOutline
from holdfastd.findings.model import Finding, Ignored
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import Job
from holdfastd.plan.model import Plan, PlanState


class ReportFormat(StrEnum):
    """What a report is written in."""

    MARKDOWN = "MARKDOWN"
    HTML = "HTML"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The database that was audited. Of its DSN no more than this is ever told."""

    #: As registered.
    name: str
    host: str
    port: int
    database_name: str
    role: str
    server_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """A plan and where it stands."""

    id: str
    state: PlanState
    author: str
    #: Who approved or rejected it; empty before.
    reviewer: str
    create_time: datetime
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One audit, whole."""

    subject: Subject
    audit_id: str
    create_time: datetime
    end_time: datetime
    #: By schema and name; none of audits made before tables were kept.
    tables: tuple[TableOutline, ...]
    #: By referencing table and columns.
    relationships: tuple[Relationship, ...]
    #: The worst first, each with the decision to live with it; None: it is open.
    findings: tuple[tuple[Finding, Ignored | None], ...]
    #: The plan asked for, or the latest made from the audit; None: there is none.
    plan: PlanFacts | None = None
    #: The last application of that plan, ended or not; None: there was none.
    application: Job | None = None
    #: The rollback of that application, ended or not; None: there was none.
    rollback: Job | None = None
