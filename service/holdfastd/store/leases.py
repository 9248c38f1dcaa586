"""What workers write: taking a job under a lease, keeping it, and ending it.

Every write names the epoch that the claim handed out. A worker whose job was taken over since matches no row and gets LeaseLost;
time is the store's clock only.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from holdfastd.errors import LeaseLost
from holdfastd.jobs.model import Event, EventKind, Happening, Job, JobKind, JobState, Progress, Verification
from holdfastd.store.documents import encode, storable
from holdfastd.store.jobs import notify, read_job
from holdfastd.store.signals import JOBS_CHANNEL, WORK_CHANNEL

_CLAIM = """
    WITH chosen AS (
        SELECT id
        FROM jobs
        WHERE state IN ('QUEUED', 'RUNNING') AND (state = 'QUEUED' OR lease_end < clock_timestamp()) AND kind = ANY ($3)
        ORDER BY id
        FOR UPDATE SKIP LOCKED
        LIMIT 1
    )
    UPDATE jobs
    SET state = 'RUNNING', epoch = epoch + 1, lease_owner = $1, lease_end = clock_timestamp() + $2,
        start_time = coalesce(start_time, clock_timestamp())
    FROM chosen, databases
    WHERE jobs.id = chosen.id AND databases.id = jobs.database_id
    RETURNING jobs.*, databases.name AS database
"""

_RENEW = """
    UPDATE jobs SET lease_end = clock_timestamp() + $3
    WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
    RETURNING cancel_requested
"""

_APPEND = """
    WITH fenced AS (
        UPDATE jobs SET last_sequence = last_sequence + 1, progress = coalesce($4, progress)
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING last_sequence
    )
    INSERT INTO events (job_id, sequence, document) SELECT $1, last_sequence, $3 FROM fenced
    RETURNING sequence, time
"""

_FINISH = """
    WITH fenced AS (
        UPDATE jobs
        SET state = $4, end_time = clock_timestamp(), error_reason = $5, error_message = $6, verifications = $7,
            progress = coalesce($8, progress), last_sequence = last_sequence + 1, lease_owner = NULL, lease_end = NULL
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING last_sequence
    )
    INSERT INTO events (job_id, sequence, document) SELECT $1, last_sequence, $3 FROM fenced
    RETURNING sequence
"""

_ENDINGS = {
    JobState.SUCCEEDED: "Succeeded.",
    JobState.FAILED: "Failed: {message}",
    JobState.CANCELLED: "Cancelled.",
}


async def claim(connection: Any, owner: str, ttl: timedelta, kinds: Collection[JobKind] = tuple(JobKind)) -> Job | None:
    """Take the oldest job that nobody holds, in one statement; None when there is none."""
    row = await connection.fetchrow(_CLAIM, owner, ttl, list(kinds))
    return None if row is None else read_job(row)


async def renew(connection: Any, job: Job, ttl: timedelta) -> bool:
    """Keep the job for another while and tell whether somebody asked to cancel it; LeaseLost when it is no longer ours."""
    cancel_requested = await connection.fetchval(_RENEW, job.id, job.epoch, ttl)
    if cancel_requested is None:
        raise _lost(job)
    return bool(cancel_requested)


async def hold(connection: Any, job: Job) -> None:
    """Make the transaction commit only while the job is ours: nobody can take it before the end. LeaseLost otherwise."""
    query = "SELECT id FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'RUNNING' FOR UPDATE"
    if await connection.fetchval(query, job.id, job.epoch) is None:
        raise _lost(job)


async def append_event(connection: Any, job: Job, happening: Happening, progress: Progress | None = None) -> Event:
    """Append an event with the next sequence; LeaseLost when the job is no longer ours."""
    document = None if progress is None else encode(progress)
    row = await connection.fetchrow(_APPEND, job.id, job.epoch, encode(happening), document)
    if row is None:
        raise _lost(job)
    await notify(connection, JOBS_CHANNEL, job.id)
    return Event(job_id=job.id, sequence=row["sequence"], time=row["time"], happening=happening)


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
    ended = Happening(kind=EventKind.ENDED, message=_ENDINGS[state].format(message=error_message))
    document = None if progress is None else encode(progress)
    values = (encode(ended), state, error_reason, error_message, encode(tuple(verifications)), document)
    if await connection.fetchval(_FINISH, job.id, job.epoch, *values) is None:
        raise _lost(job)
    await notify(connection, JOBS_CHANNEL, job.id)


async def give_back(connection: Any, job: Job) -> None:
    """End the lease at once, so that whoever looks next goes on with the job. Does nothing when it is no longer ours."""
    released = """
        UPDATE jobs SET lease_owner = NULL, lease_end = clock_timestamp()
        WHERE id = $1 AND epoch = $2 AND state = 'RUNNING'
        RETURNING id
    """
    if await connection.fetchval(released, job.id, job.epoch) is not None:
        await notify(connection, WORK_CHANNEL, job.id)


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"job {job.id} is no longer held under epoch {job.epoch}")
