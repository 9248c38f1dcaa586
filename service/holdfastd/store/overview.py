"""What dashboards show of the store, in a few small queries. None of them reads what an audit found but `counted`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfastd.evidence.model import RowCount
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobKind, JobState
from holdfastd.store.documents import decode
from holdfastd.store.model import AuditSummary

# One step of an index per database: audits_database_id_idx from its end, however many audits there are.
_DATABASES = """
    SELECT databases.name, databases.reachable, schedules.missed_runs,
           latest.id AS audit_id, latest.summary, latest.end_time, latest.seconds
    FROM databases
    LEFT JOIN schedules ON schedules.database_id = databases.id
    LEFT JOIN LATERAL (
        SELECT audits.id, audits.summary, jobs.end_time, extract(epoch FROM jobs.end_time - jobs.start_time)::float8 AS seconds
        FROM audits
        JOIN jobs ON jobs.audit_id = audits.id
        WHERE audits.database_id = databases.id AND jobs.state = 'SUCCEEDED' AND audits.summary IS NOT NULL
        ORDER BY audits.id DESC
        LIMIT 1
    ) AS latest ON true
    ORDER BY databases.name
"""

_OPEN = """
    SELECT databases.name AS database, jobs.kind, jobs.state, count(*) AS jobs,
           count(*) FILTER (WHERE jobs.pause_requested) AS paused,
           count(*) FILTER (
               WHERE jobs.state = 'RUNNING' AND NOT jobs.pause_requested AND jobs.progress ->> 'waiting_for' <> ''
           ) AS held_back,
           min(CASE WHEN jobs.state = 'QUEUED' THEN jobs.create_time WHEN jobs.lease_end < clock_timestamp() THEN jobs.lease_end END)
               FILTER (WHERE NOT jobs.pause_requested) AS oldest
    FROM jobs
    JOIN databases ON databases.id = jobs.database_id
    WHERE jobs.state IN ('QUEUED', 'RUNNING')
    GROUP BY databases.name, jobs.kind, jobs.state
"""

_ENDED = """
    SELECT databases.name AS database, jobs.kind, jobs.state, count(*) AS jobs, max(jobs.end_time) AS last
    FROM jobs
    JOIN databases ON databases.id = jobs.database_id
    WHERE jobs.state NOT IN ('QUEUED', 'RUNNING')
    GROUP BY databases.name, jobs.kind, jobs.state
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestAudit:
    """The newest succeeded audit of a database, without what it found in detail."""

    id: str
    end_time: datetime
    seconds: float
    summary: AuditSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a registered database stands."""

    database: str
    #: The last connection succeeded.
    reachable: bool
    #: None: never audited.
    audit: LatestAudit | None
    #: Scheduled audits that nobody started; None: no schedule.
    missed_runs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJobs:
    """The jobs of one kind in one unended state at one database."""

    database: str
    kind: JobKind
    state: JobState
    jobs: int
    paused: int
    #: Running, not paused, and nothing moves: a lock is waited for, or others are served first.
    held_back: int
    #: Since when the one waits that nobody has worked on for longest: queued, or given back or lost by its replica; None: none does.
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJobs:
    """The jobs of one kind in one final state at one database."""

    database: str
    kind: JobKind
    state: JobState
    jobs: int
    #: When the last one ended.
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What dashboards show of one relationship; decoding stops at nothing else."""

    tier: Tier
    orphan_rows: RowCount


async def standings(connection: Any) -> tuple[Standing, ...]:
    """Return every registered database with its newest succeeded audit, by name."""
    return tuple(
        Standing(database=row["name"], reachable=row["reachable"], audit=_latest(row), missed_runs=row["missed_runs"])
        for row in await connection.fetch(_DATABASES)
    )


async def counted(connection: Any, audit_id: str) -> tuple[tuple[str, Counted], ...]:
    """Return the relationships of an audit, each with its id."""
    rows = await connection.fetch("SELECT id, document FROM audit_relationships WHERE audit_id = $1", audit_id)
    return tuple((row["id"], decode(row["document"], Counted)) for row in rows)


async def open_jobs(connection: Any) -> tuple[OpenJobs, ...]:
    """Return the queued and running jobs, counted."""
    same = ("database", "jobs", "paused", "held_back", "oldest")
    return tuple(
        OpenJobs(kind=JobKind(row["kind"]), state=JobState(row["state"]), **{name: row[name] for name in same})
        for row in await connection.fetch(_OPEN)
    )


async def ended_jobs(connection: Any) -> tuple[EndedJobs, ...]:
    """Return the ended jobs, counted; reads every job that is kept."""
    same = ("database", "jobs", "last")
    return tuple(
        EndedJobs(kind=JobKind(row["kind"]), state=JobState(row["state"]), **{name: row[name] for name in same})
        for row in await connection.fetch(_ENDED)
    )


def _latest(row: Any) -> LatestAudit | None:
    if row["audit_id"] is None:
        return None
    summary = decode(row["summary"], AuditSummary)
    return LatestAudit(id=row["audit_id"], end_time=row["end_time"], seconds=row["seconds"], summary=summary)
