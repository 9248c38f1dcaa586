"""Schedules: at most one per database, taken by one replica at a time when its start has come. Time is the store's clock."""

from datetime import datetime
from typing import Any

import asyncpg

from holdfastd.errors import NotFound, Reason
from holdfastd.jobs.schedule import Recurrence
from holdfastd.store.documents import decode, encode, searchable, storable
from holdfastd.store.model import AuditOptions, ScheduleRecord

_SELECT = "SELECT schedules.*, databases.name AS database FROM schedules JOIN databases ON databases.id = schedules.database_id"


async def now(connection: Any) -> datetime:
    """Return the store's time, which all replicas share."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def find(connection: Any, database_id: str) -> ScheduleRecord | None:
    """Return the schedule of a database, locked until the transaction ends; None when it has none."""
    row = await connection.fetchrow(f"{_SELECT} WHERE database_id = $1 FOR UPDATE OF schedules", database_id)
    return None if row is None else _record(row)


async def get(connection: Any, database: str, database_id: str) -> ScheduleRecord:
    """Return the schedule of a database; NotFound when it has none."""
    row = await connection.fetchrow(f"{_SELECT} WHERE database_id = $1", database_id)
    if row is None:
        message = f"Database {database} has no schedule; set one with `holdfast schedules set {database} --every 24h`."
        raise NotFound(message, reason=Reason.SCHEDULE_NOT_FOUND, facts={"database": database})
    return _record(row)


async def list_page(connection: Any, *, visible: frozenset[str] | None, after: str, limit: int) -> tuple[ScheduleRecord, ...]:
    """Return schedules by name of the database, those after the given name, of the databases that may be seen (None: all)."""
    where = "WHERE databases.name > $1 AND ($2::text[] IS NULL OR databases.name = ANY ($2)) ORDER BY databases.name LIMIT $3"
    names = None if visible is None else sorted(visible)
    return tuple(_record(row) for row in await connection.fetch(f"{_SELECT} {where}", searchable(after), names, limit))


async def put(connection: Any, record: ScheduleRecord) -> None:
    """Save a schedule, in place of the one that the database has. NotFound when the database was removed meanwhile."""
    query = """
        INSERT INTO schedules (database_id, cron, every, time_zone, jitter, options, due_time, next_time, last_time, last_audit_id,
                               missed_runs, missed_reason, principal)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (database_id) DO UPDATE
        SET (cron, every, time_zone, jitter, options, due_time, next_time, missed_runs, missed_reason, principal)
            = ($2, $3, $4, $5, $6, $7, $8, $11, $12, $13)
    """
    recurrence = record.recurrence
    often = (recurrence.cron, recurrence.interval, recurrence.time_zone, recurrence.jitter)
    times = (record.due_time, record.next_time, record.last_time, record.last_audit_id)
    options = encode(AuditOptions(estimate_after=record.estimate_after))
    missed = (record.missed_runs, record.missed_reason)
    try:
        await connection.execute(query, record.database_id, *often, options, *times, *missed, storable(record.principal))
    except asyncpg.ForeignKeyViolationError:
        facts = {"database": record.database}
        raise NotFound(f"Database {record.database} was removed just now.", reason=Reason.DATABASE_NOT_FOUND, facts=facts) from None


async def remove(connection: Any, database_id: str) -> bool:
    """Forget the schedule of a database; tell whether there was one."""
    return await connection.fetchval("DELETE FROM schedules WHERE database_id = $1 RETURNING true", database_id) or False


async def seconds_to_next(connection: Any) -> float | None:
    """Return how long until a start comes, 0 or less when one has; None without schedules."""
    query = "SELECT extract(epoch FROM min(next_time) - clock_timestamp())::float8 FROM schedules"
    seconds: float | None = await connection.fetchval(query)
    return seconds


async def take_due(connection: Any) -> ScheduleRecord | None:
    """Return the schedule whose start came first, held until the transaction ends; None when no other replica left one."""
    # Holding the database, too, keeps it from being removed while an audit of it is queued; who removes it now is not waited for.
    where = """
        WHERE next_time <= clock_timestamp()
        ORDER BY next_time
        LIMIT 1
        FOR UPDATE OF schedules SKIP LOCKED
        FOR KEY SHARE OF databases SKIP LOCKED
    """
    row = await connection.fetchrow(f"{_SELECT} {where}")
    return None if row is None else _record(row)


async def audit_at_work(connection: Any, database_id: str) -> tuple[str, str]:
    """Return the id and the state of an audit of a database that has not ended, the oldest; empty when there is none."""
    query = """
        SELECT audit_id, CASE WHEN pause_requested THEN 'paused' ELSE lower(state) END AS state FROM jobs
        WHERE database_id = $1 AND kind = 'AUDIT' AND state IN ('QUEUED', 'RUNNING')
        ORDER BY id LIMIT 1
    """
    row = await connection.fetchrow(query, database_id)
    return ("", "") if row is None else (row["audit_id"], row["state"])


async def note_run(
    connection: Any, database_id: str, *, due_time: datetime, next_time: datetime, audit_id: str, missed: int, reason: str
) -> None:
    """Note what came of a due time: the audit that was started, if any, the runs that were missed and why, and when to look again."""
    update = """
        UPDATE schedules
        SET due_time = $2, next_time = $3,
            last_time = CASE WHEN $4 = '' THEN last_time ELSE clock_timestamp() END,
            last_audit_id = CASE WHEN $4 = '' THEN last_audit_id ELSE $4 END,
            missed_runs = missed_runs + $5, missed_reason = CASE WHEN $6 = '' THEN missed_reason ELSE $6 END
        WHERE database_id = $1
    """
    await connection.execute(update, database_id, due_time, next_time, audit_id, missed, reason)


def _record(row: Any) -> ScheduleRecord:
    same = ("database", "database_id", "due_time", "next_time", "last_time", "last_audit_id", "missed_runs", "missed_reason", "principal")
    recurrence = Recurrence(cron=row["cron"], interval=row["every"], time_zone=row["time_zone"], jitter=row["jitter"])
    options = decode(row["options"], AuditOptions)
    return ScheduleRecord(recurrence=recurrence, estimate_after=options.estimate_after, **{name: row[name] for name in same})
