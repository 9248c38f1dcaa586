"""What the store keeps, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from holdfastd.catalog.model import Identity
from holdfastd.evidence.model import RowCount
from holdfastd.inference.model import Intended
from holdfastd.jobs.model import JobState
from holdfastd.jobs.schedule import Recurrence
from holdfastd.plan.model import Plan, PlanState


class DsnKind(StrEnum):
    """Where a DSN comes from."""

    ENV = "env"
    FILE = "file"
    INLINE = "inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """What the people responsible for a database ask of Holdfast."""

    #: Plans must be approved by somebody else than their author.
    four_eyes: bool = False
    #: 0: the service's own limit.
    max_running_jobs: int = 0


USUAL_SETTINGS = DatabaseSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRecord:
    """A registered database."""

    id: str
    name: str
    #: The last connection succeeded.
    reachable: bool
    host: str
    port: int
    database_name: str
    role: str
    dsn_kind: DsnKind
    #: Variable or path; empty for inline.
    dsn_reference: str
    #: Only for inline.
    dsn_encrypted: bytes | None
    identity: Identity
    create_time: datetime
    #: Changes with every update.
    etag: str
    settings: DatabaseSettings = USUAL_SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a caller decides about a database, and what connecting to it showed."""

    name: str
    host: str
    port: int
    database_name: str
    role: str
    dsn_kind: DsnKind
    dsn_reference: str
    dsn_encrypted: bytes | None
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSummary:
    """What an audit found, in numbers."""

    tables: int
    relationships: int
    #: Not declared, and planned by default.
    undeclared_relationships: int
    orphan_rows: int
    not_validated_keys: int
    missing_indexes: int
    findings: int
    #: Relationships whose rows could not be counted.
    not_auditable: int
    #: Relationships whose orphan rows were estimated.
    estimated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """How an audit was asked to be made."""

    #: Counts that take longer are estimated instead; None: all are counted.
    estimate_after: timedelta | None = None
    #: What applications declare.
    intent: tuple[Intended, ...] = ()


USUAL_OPTIONS = AuditOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One audit; its state and times are those of its job."""

    id: str
    database: str
    database_id: str
    job_id: str
    state: JobState
    create_time: datetime
    end_time: datetime | None
    summary: AuditSummary | None
    #: Counts that take longer are estimated instead; None: all are counted.
    estimate_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """When a database is audited, and what came of it so far."""

    database: str
    database_id: str
    recurrence: Recurrence
    #: Counts that take longer are estimated instead; None: all are counted.
    estimate_after: timedelta | None
    #: What the recurrence says, and when the audit starts: later by the jitter.
    due_time: datetime
    next_time: datetime
    last_time: datetime | None = None
    last_audit_id: str = ""
    #: Since the recurrence was set.
    missed_runs: int = 0
    missed_reason: str = ""
    #: Who set it.
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanCount:
    """The orphan rows of one relationship at one audit."""

    #: Of the audit and of the relationship, within the store: what a list goes on after.
    audit_number: int
    relationship_number: int
    relationship_id: str
    audit_id: str
    #: When the audit ended.
    time: datetime
    orphan_rows: RowCount


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """One plan with where it stands."""

    id: str
    database: str
    database_id: str
    audit_id: str
    state: PlanState
    author: str
    #: Who approved or rejected it; empty before.
    reviewer: str
    create_time: datetime
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of the audit log."""

    sequence: int
    time: datetime
    principal: str
    action: str
    database: str
    subject: str
    outcome: str
    details: Mapping[str, str]
    hash: str


class Anchor(NamedTuple):
    """A place in the audit log: an entry and its hash. Written `SEQUENCE:HASH`."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        """Return it as it is noted."""
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogVerification:
    """What recomputing the audit log's hashes showed."""

    intact: bool
    entries: int
    #: 0 when intact.
    first_broken_sequence: int
    #: Of the last entry; empty for an empty log.
    head_hash: str
    #: What is wrong with the first broken entry; empty when intact.
    message: str = ""
