"""Audits that start by themselves: setting, showing and removing schedules, and starting what is due."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import deed
from holdfastd.jobs.model import JobKind
from holdfastd.jobs.schedule import LATEST, MOST_COUNTED, NeverDue, Outlook, Recurrence, check, following, look_ahead, put_off
from holdfastd.store import audit_log, audits, databases, jobs, schedules
from holdfastd.store.model import AuditOptions, ScheduleRecord

log = structlog.get_logger()

#: What cannot be read here, perhaps by an older replica, is looked at again after this.
_UNREADABLE = timedelta(hours=1)


async def put(
    services: Services, caller: Caller, database: str, recurrence: Recurrence, estimate_after: timedelta | None
) -> ScheduleRecord:
    """Make or replace the schedule of a database. The same recurrence again moves no start and forgets no missed run."""
    async with services.store.connection() as connection:
        now = await schedules.now(connection)
    check(recurrence, now)
    async with deed(services, caller, "schedule.set", database=database) as doing:
        connection = doing.connection
        doing.details = _describe(recurrence)
        record = await databases.get(connection, database)
        doing.subject = record.id
        known = await schedules.find(connection, record.id)
        # Further away than the next due time is what was set by a clock that was wrong then.
        if known is not None and known.recurrence == recurrence and known.due_time <= following(recurrence, now) + LATEST:
            wanted = replace(known, estimate_after=estimate_after, principal=caller.principal)
        else:
            due = following(recurrence, now)
            wanted = ScheduleRecord(
                database=database,
                database_id=record.id,
                recurrence=recurrence,
                estimate_after=estimate_after,
                due_time=due,
                next_time=put_off(recurrence, due, _chance()),
                principal=caller.principal,
            )
        await schedules.put(connection, wanted)
        return await schedules.get(connection, database, record.id)


async def get(services: Services, database: str) -> ScheduleRecord:
    """Return the schedule of a database."""
    async with services.store.connection() as connection:
        return await schedules.get(connection, database, (await databases.get(connection, database)).id)


async def list_page(services: Services, caller: Caller, after: str, limit: int) -> Sequence[ScheduleRecord]:
    """Return the schedules that the caller may see, by name of the database."""
    async with services.store.connection() as connection:
        return await schedules.list_page(connection, visible=caller.visible, after=after, limit=limit)


async def remove(services: Services, caller: Caller, database: str) -> None:
    """Forget the schedule of a database, if it has one."""
    async with deed(services, caller, "schedule.remove", database=database) as doing:
        doing.subject = (await databases.get(doing.connection, database)).id
        await schedules.remove(doing.connection, doing.subject)


async def seconds_to_next(services: Services) -> float | None:
    """Return how long until a schedule wants something done; None without schedules."""
    async with services.store.connection() as connection:
        return await schedules.seconds_to_next(connection)


async def start_due(services: Services) -> bool:
    """Start the audit that has been due longest, or note why not; tell whether one was due that no other replica works on.

    The schedule stays locked until its audit is queued and its next time is set: every due time leads to one audit at most.
    """
    async with services.store.transaction() as connection:
        schedule = await schedules.take_due(connection)
        if schedule is None:
            return False
        now = await schedules.now(connection)
        outlook, missed, reason = await _decide(connection, schedule, now)
        audit_id = "" if outlook.due is None else await _start(connection, schedule)
        await schedules.note_run(
            connection,
            schedule.database_id,
            due_time=outlook.next_due,
            next_time=_next_time(schedule.recurrence, outlook.next_due),
            audit_id=audit_id,
            missed=missed,
            reason=reason,
        )
        # Last, because others wait for the audit log from here on.
        if missed:
            details = {"runs": str(missed), "reason": reason}
            await _tell(connection, schedule, "schedule.miss", schedule.database_id, details)
        if outlook.due is not None:
            details = {"due_time": outlook.due.isoformat(timespec="seconds"), "set_by": schedule.principal}
            await _tell(connection, schedule, "audit.start", audit_id, details)
    if missed:
        log.warning("schedule_missed", database=schedule.database, runs=missed, why=reason)
    if audit_id:
        log.info("schedule_started", database=schedule.database, audit=audit_id)
    return True


async def _decide(connection: Any, schedule: ScheduleRecord, now: datetime) -> tuple[Outlook, int, str]:
    """Return what is due, how many runs are missed and why the last of them is."""
    try:
        outlook = look_ahead(schedule.recurrence, due=schedule.due_time, start=schedule.next_time, now=now)
    except NeverDue as error:
        outlook = Outlook(due=None, missed=1, last_missed=schedule.due_time, next_due=now + _UNREADABLE)
        return outlook, 1, f"The schedule cannot be followed here ({error}); set it again."
    reason = "" if outlook.last_missed is None else _nobody_there(outlook.missed, outlook.last_missed)
    if outlook.due is not None:
        audit_id, state = await schedules.audit_at_work(connection, schedule.database_id)
        if audit_id:
            reason = f"Audit {audit_id} of the database was still {state} at {_moment(outlook.due)}."
            return replace(outlook, due=None), outlook.missed + 1, reason
    return outlook, outlook.missed, reason


async def _start(connection: Any, schedule: ScheduleRecord) -> str:
    """Queue an audit and return its id. What applications declared to an earlier audit goes on to hold."""
    intent = await audits.latest_intent(connection, schedule.database_id)
    options = AuditOptions(estimate_after=schedule.estimate_after, intent=intent)
    audit_id = await audits.create(connection, schedule.database_id, options)
    await jobs.enqueue(
        connection,
        kind=JobKind.AUDIT,
        database=schedule.database,
        database_id=schedule.database_id,
        principal=_principal(schedule),
        audit_id=audit_id,
    )
    return audit_id


async def _tell(connection: Any, schedule: ScheduleRecord, action: str, subject: str, details: Mapping[str, str]) -> None:
    await audit_log.append(
        connection, principal=_principal(schedule), action=action, database=schedule.database, subject=subject, details=details
    )


def _principal(schedule: ScheduleRecord) -> str:
    return f"schedule:{schedule.database}"


def _nobody_there(missed: int, last: datetime) -> str:
    times = "" if missed == 1 else f"; it is the last of {'at least ' if missed >= MOST_COUNTED else ''}{missed}"
    return f"No replica was there to start it at {_moment(last)}, or none could reach the store{times}."


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _next_time(recurrence: Recurrence, due: datetime) -> datetime:
    try:
        return put_off(recurrence, due, _chance())
    except NeverDue:
        return due


def _chance() -> float:
    return random.random()  # noqa: S311 (spreads load, keeps no secret)


def _describe(recurrence: Recurrence) -> dict[str, str]:
    every = "" if recurrence.interval is None else str(recurrence.interval)
    jitter = str(recurrence.jitter) if recurrence.jitter else ""
    said = {"cron": recurrence.cron, "time_zone": recurrence.time_zone, "interval": every, "jitter": jitter}
    return {name: value for name, value in said.items() if value}
