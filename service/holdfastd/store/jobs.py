"""Jobs as their callers see them: asked for, listed, paused, cancelled. What workers write is in leases.py."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import asyncpg

from holdfastd.errors import Conflict, NotFound, Reason, Refused
from holdfastd.jobs.model import Event, EventKind, Happening, Job, JobKind, JobOptions, JobState, Progress, Verification
from holdfastd.store.documents import decode, encode, searchable
from holdfastd.store.signals import JOBS_CHANNEL, WORK_CHANNEL
from holdfastd.tracing import traceparent

_SELECT = "SELECT jobs.*, databases.name AS database FROM jobs JOIN databases ON databases.id = jobs.database_id"


async def enqueue(
    connection: Any,
    *,
    kind: JobKind,
    database: str,
    database_id: str,
    principal: str,
    audit_id: str = "",
    plan_id: str = "",
    application_id: str = "",
    options: JobOptions | None = None,
) -> Job:
    """Queue a job; Conflict when it would change a database that another job already changes."""
    insert = """
        INSERT INTO jobs (kind, database_id, principal, audit_id, plan_id, application_id, options)
        VALUES ($1, $2, $3, nullif($4, ''), nullif($5, ''), nullif($6, ''), $7)
        RETURNING id
    """
    asked = replace(options or JobOptions(), traceparent=traceparent())
    try:
        async with connection.transaction():
            job_id = await connection.fetchval(insert, kind, database_id, principal, audit_id, plan_id, application_id, encode(asked))
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "jobs_one_change_per_database_key":
            raise
        raise busy(database, await changing(connection, database_id)) from None
    except asyncpg.ForeignKeyViolationError:
        facts = {"database": database}
        raise NotFound(f"Database {database} was removed just now.", reason=Reason.DATABASE_NOT_FOUND, facts=facts) from None
    await notify(connection, WORK_CHANNEL, job_id)
    return await get(connection, job_id)


async def get(connection: Any, job_id: str) -> Job:
    """Return a job; NotFound when there is none."""
    row = await connection.fetchrow(f"{_SELECT} WHERE jobs.id = $1", searchable(job_id))
    if row is None:
        message = f"There is no job {job_id!r}; list the jobs."
        raise NotFound(message, reason=Reason.JOB_NOT_FOUND, facts={"job": job_id})
    return read_job(row)


async def list_page(
    connection: Any,
    *,
    database: str = "",
    kind: JobKind | None = None,
    after: str = "",
    limit: int,
    visible: Collection[str] | None = None,
) -> tuple[Job, ...]:
    """Return jobs, newest first: of one database or all (of the visible ones), of one kind or all, older than the job `after`."""
    where = """
        WHERE ($1 = '' OR databases.name = $1) AND ($2::text IS NULL OR jobs.kind = $2) AND ($3 = '' OR jobs.id < $3)
          AND ($5::text[] IS NULL OR databases.name = ANY ($5))
        ORDER BY jobs.id DESC LIMIT $4
    """
    rows = await connection.fetch(f"{_SELECT} {where}", searchable(database), kind, searchable(after), limit, visible)
    return tuple(read_job(row) for row in rows)


async def last_application(connection: Any, plan_id: str) -> str:
    """Return the id of the job that applied a plan last; empty when none did."""
    query = "SELECT id FROM jobs WHERE plan_id = $1 AND kind = 'APPLICATION' ORDER BY create_time DESC, id DESC LIMIT 1"
    return await connection.fetchval(query, searchable(plan_id)) or ""


async def last_rollback(connection: Any, application_id: str) -> str:
    """Return the id of the job that rolled an application back last; empty when none did."""
    query = "SELECT id FROM jobs WHERE application_id = $1 AND kind = 'ROLLBACK' ORDER BY create_time DESC, id DESC LIMIT 1"
    return await connection.fetchval(query, application_id) or ""


async def later_applications(connection: Any, application: Job) -> tuple[tuple[str, str], ...]:
    """Return jobs, the last one first, that applied other plans to the database since and are in force, each with its plan."""
    query = """
        SELECT later.id, later.plan_id FROM jobs AS later
        WHERE later.database_id = $1 AND later.kind = 'APPLICATION' AND later.id > $2 AND later.plan_id <> $3
          AND (later.progress ->> 'done')::integer > 0
          AND NOT EXISTS (SELECT FROM jobs AS undone WHERE undone.plan_id = later.plan_id AND undone.kind = 'ROLLBACK'
                          AND undone.state = 'SUCCEEDED' AND undone.id > later.id)
        ORDER BY later.id DESC
    """
    rows = await connection.fetch(query, application.database_id, application.id, application.plan_id)
    return tuple((row["id"], row["plan_id"]) for row in rows)


async def request_cancel(connection: Any, job_id: str, principal: str) -> Job:
    """Ask a job to stop: a queued one ends at once, a running one is told, an ended one stays as it is."""
    state = await connection.fetchval("SELECT state FROM jobs WHERE id = $1 FOR UPDATE", searchable(job_id))
    if state == JobState.QUEUED:
        cancelled = """
            UPDATE jobs
            SET state = 'CANCELLED', cancel_requested = true, pause_requested = false, paused_by = '', progress = '{}',
                end_time = clock_timestamp(), error_message = $2
            WHERE id = $1
        """
        message = f"Cancelled by {principal} before it began; nothing was changed."
        await connection.execute(cancelled, job_id, message)
        await _append(connection, job_id, Happening(kind=EventKind.ENDED, message=message))
    elif state == JobState.RUNNING:
        asked = "UPDATE jobs SET cancel_requested = true WHERE id = $1 AND NOT cancel_requested RETURNING id"
        if await connection.fetchval(asked, job_id) is not None:
            await _append(connection, job_id, Happening(kind=EventKind.CANCEL_REQUESTED, message=f"{principal} asked to stop."))
            await notify(connection, WORK_CHANNEL, job_id)
    return await get(connection, job_id)


async def request_pause(connection: Any, job_id: str, principal: str) -> Job:
    """Ask a job to hold still: a queued one is not begun, a running one is told, a paused one stays so. Refused when it has ended."""
    job = await _unended(connection, job_id)
    if job.pause_requested:
        return job
    waiting = replace(job.progress, waiting_for=f"paused by {principal}") if job.state is JobState.QUEUED else job.progress
    paused = "UPDATE jobs SET pause_requested = true, paused_by = $2, progress = $3 WHERE id = $1"
    await connection.execute(paused, job_id, principal, encode(waiting))
    await _append(connection, job_id, Happening(kind=EventKind.PAUSE_REQUESTED, message=f"{principal} asked to pause."))
    await notify(connection, WORK_CHANNEL, job_id)
    return await get(connection, job_id)


async def request_resume(connection: Any, job_id: str, principal: str) -> Job:
    """Let a paused job go on; one that is not paused stays as it is. Refused when it has ended."""
    job = await _unended(connection, job_id)
    if not job.pause_requested:
        return job
    waiting = replace(job.progress, waiting_for="") if job.state is JobState.QUEUED else job.progress
    resumed = "UPDATE jobs SET pause_requested = false, paused_by = '', progress = $2 WHERE id = $1"
    await connection.execute(resumed, job_id, encode(waiting))
    await _append(connection, job_id, Happening(kind=EventKind.RESUME_REQUESTED, message=f"{principal} asked to go on."))
    await notify(connection, WORK_CHANNEL, job_id)
    return await get(connection, job_id)


async def _unended(connection: Any, job_id: str) -> Job:
    """Return a job that goes on, its row locked. Refused when it has ended."""
    await connection.execute("SELECT id FROM jobs WHERE id = $1 FOR UPDATE", searchable(job_id))
    job = await get(connection, job_id)
    if job.state.is_final:
        message = f"Job {job.id} has ended ({job.state}); only a job that is queued or running can be paused or resumed."
        raise Refused(message, reason=Reason.JOB_STATE, facts={"state": job.state})
    return job


async def events_after(connection: Any, job_id: str, sequence: int, limit: int) -> tuple[Event, ...]:
    """Return the events of a job after a sequence, in order."""
    query = "SELECT * FROM events WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
    return tuple(
        Event(job_id=row["job_id"], sequence=row["sequence"], time=row["time"], happening=decode(row["document"], Happening))
        for row in await connection.fetch(query, searchable(job_id), sequence, limit)
    )


async def last_sequence(connection: Any, job_id: str) -> int:
    """Return the sequence of the last event of a job; 0 while there is none."""
    return await connection.fetchval("SELECT last_sequence FROM jobs WHERE id = $1", searchable(job_id)) or 0


async def notify(connection: Any, channel: str, job_id: str) -> None:
    """Signal all replicas when the transaction commits."""
    await connection.execute("SELECT pg_notify($1, $2)", channel, job_id)


def read_job(row: Any) -> Job:
    """Return the job of a row of `jobs` with the name of its database."""
    same = (
        "id",
        "database",
        "database_id",
        "principal",
        "create_time",
        "error_reason",
        "error_message",
        "cancel_requested",
        "pause_requested",
        "paused_by",
        "lost_workers",
        "passed_on",
    )
    return Job(
        kind=JobKind(row["kind"]),
        state=JobState(row["state"]),
        audit_id=row["audit_id"] or "",
        plan_id=row["plan_id"] or "",
        application_id=row["application_id"] or "",
        progress=decode(row["progress"], Progress),
        start_time=row["start_time"],
        end_time=row["end_time"],
        epoch=row["epoch"],
        options=decode(row["options"], JobOptions),
        verifications=decode(row["verifications"], tuple[Verification, ...]),
        **{name: row[name] for name in same},
    )


async def _append(connection: Any, job_id: str, happening: Happening) -> None:
    """Append an event that is not the worker's own. The counter on the job keeps sequences gapless."""
    statement = """
        WITH counted AS (UPDATE jobs SET last_sequence = last_sequence + 1 WHERE id = $1 RETURNING last_sequence)
        INSERT INTO events (job_id, sequence, document) SELECT $1, last_sequence, $2 FROM counted
    """
    await connection.execute(statement, job_id, encode(happening))
    await notify(connection, JOBS_CHANNEL, job_id)


async def changing(connection: Any, database_id: str) -> str:
    """Return the id of the job that changes a database, queued or running; empty when none does."""
    query = "SELECT id FROM jobs WHERE database_id = $1 AND kind <> 'AUDIT' AND state IN ('QUEUED', 'RUNNING')"
    return await connection.fetchval(query, database_id) or ""


def busy(database: str, job_id: str) -> Conflict:
    """Return the error of who wants to change a database while a job does."""
    message = f"Job {job_id} is changing database {database}; wait for it or cancel it."
    return Conflict(message, reason=Reason.DATABASE_BUSY, facts={"database": database, "job_id": job_id})
