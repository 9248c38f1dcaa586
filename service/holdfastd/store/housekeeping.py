"""Removing what the store need not keep any longer, a small batch at a time.

Changes stay for good, and so does the audit that a plan was made from: rolling back, restoring and listing backups ask for them.
Only their events go. Every function deletes one batch in the caller's transaction and returns how many rows that were.
"""

from datetime import timedelta
from typing import Any

#: How long the same request_id gets the same answer.
REQUESTS_KEPT = timedelta(days=30)
#: Succeeded audits of every database that stay however old they are: the one that is shown, and the one to compare it with.
_AUDITS_KEPT = 2
#: Any number will do that differs from the other locks' ("hkeep" in ASCII).
_LOCK = 0x686B656570

_REQUESTS = """
    DELETE FROM requests
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM requests WHERE create_time < clock_timestamp() - $1::interval LIMIT $2))
"""
_EVENTS = """
    DELETE FROM events
    WHERE ctid = ANY (ARRAY(
        SELECT events.ctid
        FROM jobs JOIN events ON events.job_id = jobs.id
        WHERE jobs.end_time < clock_timestamp() - $1::interval
        LIMIT $2))
"""
_OLD_AUDITS = """
    SELECT audits.id
    FROM jobs JOIN audits ON audits.id = jobs.audit_id
    WHERE jobs.end_time < clock_timestamp() - $1::interval
      AND NOT EXISTS (SELECT FROM plans WHERE plans.audit_id = audits.id)
      AND (jobs.state <> 'SUCCEEDED' OR $3 <= (
        SELECT count(*)
        FROM (
            SELECT FROM audits AS later JOIN jobs AS ended ON ended.audit_id = later.id
            WHERE later.database_id = audits.database_id AND later.id > audits.id AND ended.state = 'SUCCEEDED'
            LIMIT $3
        ) AS later))
    LIMIT $2
    FOR UPDATE OF audits
"""
# Its job, results and events go along; an unfinished job has no end_time. Asked a second time, now that nobody can make a plan from it:
# a plan that was being made when we looked would go along, too.
_DELETE_AUDITS = """
    DELETE FROM audits
    WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM plans WHERE plans.audit_id = audits.id)
"""


async def is_ours(connection: Any) -> bool:
    """Tell whether this transaction is the only one that keeps house now; it stays so until it ends."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def prune_requests(connection: Any, limit: int) -> int:
    """Forget answers to requests that nobody repeats any more."""
    return _deleted(await connection.execute(_REQUESTS, REQUESTS_KEPT, limit))


async def prune_events(connection: Any, older_than: timedelta, limit: int) -> int:
    """Delete events of jobs that ended so long ago."""
    return _deleted(await connection.execute(_EVENTS, older_than, limit))


async def prune_audits(connection: Any, older_than: timedelta, limit: int) -> int:
    """Delete audits that ended so long ago, with their jobs: not the last that succeeded, nor one that a plan was made from."""
    old = await connection.fetch(_OLD_AUDITS, older_than, limit, _AUDITS_KEPT)
    return _deleted(await connection.execute(_DELETE_AUDITS, [row["id"] for row in old]))


def _deleted(status: str) -> int:
    return int(status.rsplit(maxsplit=1)[-1])
