"""Jobs and their events, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """What a job does."""

    AUDIT = "AUDIT"
    APPLICATION = "APPLICATION"
    ROLLBACK = "ROLLBACK"
    RESTORE = "RESTORE"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more will happen."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class EventKind(StrEnum):
    """What happened in a job."""

    STARTED = "STARTED"
    RESUMED = "RESUMED"
    STEP_STARTED = "STEP_STARTED"
    PROGRESS = "PROGRESS"
    STEP_DONE = "STEP_DONE"
    STEP_SKIPPED = "STEP_SKIPPED"
    LOCK_WAIT = "LOCK_WAIT"
    RETRY = "RETRY"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    ENDED = "ENDED"
    PAUSE_REQUESTED = "PAUSE_REQUESTED"
    RESUME_REQUESTED = "RESUME_REQUESTED"
    HELD_BACK = "HELD_BACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is. Totals are 0 while unknown."""

    activity: str = ""
    done: int = 0
    total: int = 0
    rows_done: int = 0
    rows_total: int = 0
    #: Why nothing moves at the moment; empty while work goes on.
    waiting_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """When to hold back, so that others are served first. 0 sessions or bytes: no limit."""

    max_replica_lag_seconds: float = 10.0
    max_active_sessions: int = 0
    max_wal_bytes_per_second: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a job was asked to be done."""

    throttle: Throttle = Throttle()
    #: For a restore: the relationships whose rows come back; empty: all of the plan.
    relationship_ids: tuple[str, ...] = ()
    #: For a restore: only rows whose referenced row is there again.
    relink: bool = False
    #: Of the call that asked for it, as W3C has it; empty: it was not traced.
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """Who holds a lock that a statement waits for."""

    pid: int
    #: application_name, or the kind of backend.
    application: str
    #: Since its transaction began.
    age_seconds: int = 0
    #: What it runs or ran last; empty unless the service is configured to tell.
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event before the store gives it a sequence number and a time. Holds no row values."""

    kind: EventKind
    message: str
    step: int = 0
    relationship_id: str = ""
    rows_done: int = 0
    rows_total: int = 0
    #: With LOCK_WAIT and RETRY.
    blockers: tuple[Blocker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a job; sequences are gapless per job."""

    job_id: str
    sequence: int
    time: datetime
    happening: Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of verifying one relationship."""

    relationship_id: str
    orphan_rows_before: int
    orphan_rows_after: int
    backed_up_rows: int
    constraint_name: str
    declared: bool
    validated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One audit, application, rollback or restore being worked on."""

    id: str
    kind: JobKind
    state: JobState
    #: Name and id of the database.
    database: str
    database_id: str
    principal: str
    create_time: datetime
    audit_id: str = ""
    plan_id: str = ""
    #: For a rollback: the application it undoes.
    application_id: str = ""
    progress: Progress = Progress()
    error_reason: str = ""
    error_message: str = ""
    cancel_requested: bool = False
    start_time: datetime | None = None
    end_time: datetime | None = None
    #: How often it was taken; fences every write.
    epoch: int = 0
    verifications: tuple[Verification, ...] = ()
    pause_requested: bool = False
    options: JobOptions = JobOptions()
    #: Who asked to pause; empty unless somebody does.
    paused_by: str = ""
    #: Workers in a row that were lost while they held the job, with nothing done in between.
    lost_workers: int = 0
    #: How often it was given back because its database was out of reach, with nothing done in between.
    passed_on: int = 0
