"""What workers write: taking a job under a lease, keeping it, and ending it.

Every write names the epoch that the claim handed out. A worker whose job was taken over since matches no row and gets LeaseLost;
time is the store's clock only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from holdfastd.errors import LeaseLost
from holdfastd.jobs.model import Event, EventKind, Happening, Job, JobKind, JobState, Progress, Verification
from holdfastd.store.documents import encode, storable
from holdfastd.store.jobs import notify, read_job
from holdfastd.store.signals import JOBS_CHANNEL, WORK_CHANNEL

#: Jobs of one database that run at the same time, unless the database says otherwise.
JOBS_PER_DATABASE = 2

# What the function does is told where it is made, in the migrations.
_CLAIM = "SELECT (claimed.job).*, claimed.database FROM claim_job($1, $2, $3, $4, $5) AS claimed"

_RENEW = """
    UPDATE jobs SET lease_end = clock_timestamp() + $3
    WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
    RETURNING cancel_requested, paused_by
"""

# A replica that is stopped or cut off between a statement and its COMMIT keeps the job's row locked, and its successor away. The store
# ends its transaction then.
_BRIEFLY = "set_config('idle_in_transaction_session_timeout', '10s', true)"

_APPEND = f"""
    WITH fenced AS (
        UPDATE jobs
        SET last_sequence = last_sequence + 1, progress = coalesce($4, progress), lost_workers = CASE WHEN $5 THEN 0 ELSE lost_workers END,
            passed_on = CASE WHEN $5 THEN 0 ELSE passed_on END
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING last_sequence
    )
    INSERT INTO events (job_id, sequence, document) SELECT $1, last_sequence, $3 FROM fenced
    RETURNING sequence, time, {_BRIEFLY}
"""

_FINISH = f"""
    WITH fenced AS (
        UPDATE jobs
        SET state = $4, end_time = clock_timestamp(), error_reason = $5, error_message = $6, verifications = $7,
            progress = coalesce($8, progress), last_sequence = last_sequence + 1, lease_owner = NULL, lease_end = NULL,
            pause_requested = false, paused_by = ''
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING last_sequence
    )
    INSERT INTO events (job_id, sequence, document) SELECT $1, last_sequence, $3 FROM fenced
    RETURNING sequence, {_BRIEFLY}
"""

_ENDINGS = {
    JobState.SUCCEEDED: "Succeeded.",
    JobState.FAILED: "Failed: {message}",
    JobState.CANCELLED: "{message}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What callers want of a running job."""

    cancel: bool = False
    #: Who wants it to pause; empty: nobody.
    paused_by: str = ""


async def claim(
    connection: Any, owner: str, ttl: timedelta, kinds: Collection[JobKind] = tuple(JobKind), *, jobs_of_all: int = 0
) -> Job | None:
    """Take the job that is next, in one statement; None when there is none, or no room for it. `jobs_of_all`: 0 for no limit.

    Jobs whose worker was lost come first, then changes, then audits: of the database where the fewest run, the oldest first.
    """
    row = await connection.fetchrow(_CLAIM, owner, ttl, list(kinds), jobs_of_all, JOBS_PER_DATABASE)
    return None if row is None else read_job(row)


async def renew(connection: Any, job: Job, ttl: timedelta) -> Asked:
    """Keep the job for another while and tell what callers want of it; LeaseLost when it is no longer ours."""
    row = await connection.fetchrow(_RENEW, job.id, job.epoch, ttl)
    if row is None:
        raise _lost(job)
    return Asked(cancel=row["cancel_requested"], paused_by=row["paused_by"])


async def hold(connection: Any, job: Job) -> None:
    """Make the transaction commit only while the job is ours: nobody can take it before the end. LeaseLost otherwise."""
    query = f"SELECT id, {_BRIEFLY} FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'RUNNING' FOR UPDATE"
    if await connection.fetchval(query, job.id, job.epoch) is None:
        raise _lost(job)


async def append_event(connection: Any, job: Job, happening: Happening, progress: Progress | None = None) -> Event:
    """Append an event with the next sequence; LeaseLost when the job is no longer ours."""
    document = None if progress is None else encode(progress)
    row = await connection.fetchrow(_APPEND, job.id, job.epoch, encode(happening), document, lasts(job, happening, progress))
    if row is None:
        raise _lost(job)
    await notify(connection, JOBS_CHANNEL, job.id)
    return Event(job_id=job.id, sequence=row["sequence"], time=row["time"], happening=happening)


def lasts(job: Job, happening: Happening, progress: Progress | None) -> bool:
    """Tell whether an event means that something got done which a successor will not do again."""
    if job.kind is JobKind.AUDIT:
        return False
    match happening.kind:
        case EventKind.STEP_DONE:
            return progress is not None and progress.done > 0
        case EventKind.PROGRESS:
            # Rows of a relationship are cleaned up or put back for good; a part of an index is not.
            return happening.rows_done > 0 and bool(happening.relationship_id)
        case _:
            return False


async def finish(
    connection: Any,
    job: Job,
    state: JobState,
    *,
    error_reason: str = "",
    error_message: str = "",
    verifications: Sequence[Verification] = (),
    progress: Progress | None = None,
) -> None:
    """End the job, with its ENDED event, in one statement; LeaseLost when it is no longer ours."""
    error_message = storable(error_message)
    ended = Happening(kind=EventKind.ENDED, message=_ENDINGS[state].format(message=error_message) or "Cancelled.")
    document = None if progress is None else encode(replace(progress, waiting_for=""))
    values = (encode(ended), state, error_reason, error_message, encode(tuple(verifications)), document)
    if await connection.fetchval(_FINISH, job.id, job.epoch, *values) is None:
        raise _lost(job)
    await notify(connection, JOBS_CHANNEL, job.id)
    # There may be room for another now, wherever it waits.
    await notify(connection, WORK_CHANNEL, job.id)


async def give_back(connection: Any, job: Job, *, stays_away: timedelta = timedelta(0)) -> None:
    """End the lease at once, so that whoever looks next goes on with the job. Does nothing when it is no longer ours.

    Whoever lived to give it back was not lost: those lost before are no longer lost in a row.
    `stays_away`: how long the giver leaves the job to others, which may reach what it does not.
    """
    released = """
        UPDATE jobs
        SET lease_owner = NULL, lease_end = clock_timestamp(), lost_workers = 0, passed_on = passed_on + ($3 > interval '0')::integer,
            passed_on_by = coalesce(lease_owner, ''), passed_on_until = clock_timestamp() + $3
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING id
    """
    if await connection.fetchval(released, job.id, job.epoch, stays_away) is not None:
        await notify(connection, WORK_CHANNEL, job.id)


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"job {job.id} is no longer held under epoch {job.epoch}")
