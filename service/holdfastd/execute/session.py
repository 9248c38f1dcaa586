"""The sessions that work on a target: one that changes it and holds the lock, one that looks on.

At most one application or rollback works on a database. The lock is a session advisory lock taken by trying, never by waiting (a
waiter's snapshot would hold up CREATE INDEX CONCURRENTLY), in the very session that does the work: if that session dies, so does
the lock. A successor ends what its predecessor left running before it looks at the catalog.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from holdfastd.errors import Conflict, LeaseLost, Reason, Refused
from holdfastd.execute.failpoints import reach
from holdfastd.execute.lifeline import lifeline
from holdfastd.jobs.model import Job
from holdfastd.session_contract import APPLICATION_LOCK
from holdfastd.target.destination import Destination
from holdfastd.target.session import close, connect
from holdfastd.tracing import Side, watch

LOCK_CLASS, LOCK_KEY = APPLICATION_LOCK
_EVICTION_MS = 5_000

_OTHERS = """
SELECT pid, application_name
FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND pid <> ALL ($1::int[]) AND pg_catalog.starts_with(application_name, $2)
"""
_DEADLOCK_TIMEOUT = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'"
_HOLDER = """
SELECT activity.application_name
FROM pg_catalog.pg_locks AS held
JOIN pg_catalog.pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.classid::bigint = $1 AND held.objid::bigint = $2 AND held.objsubid = 2 AND held.granted
  AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSession:
    """The connections of one job in one epoch."""

    #: Holds the lock and changes things.
    work: asyncpg.Connection
    #: Looks on while `work` is busy: names blockers, stops statements.
    observer: asyncpg.Connection
    job: Job
    #: How long the server lets a wait last before it looks for a deadlock.
    deadlock_timeout_ms: int = 1_000
    #: May events tell what sessions in the way run?
    tells_queries: bool = False
    #: Since when (monotonic) transactions hold what we want, by backend and transaction.
    first_seen: dict[str, float] = field(default_factory=dict)

    @property
    def backend(self) -> int:
        """Process id of the working backend."""
        pid: int = self.work.get_server_pid()
        return pid


@asynccontextmanager
async def open_session(dsn: Destination | str, job: Job, *, tells_queries: bool = False) -> AsyncIterator[TargetSession]:
    """Connect, refuse poolers, end the predecessor, take the lock. Conflict DATABASE_BUSY when another Holdfast holds it."""
    name = f"holdfast/{job.id}/{job.epoch}"
    work = await connect(dsn, application_name=name, read_only=False)
    watch(work, Side.TARGET)
    try:
        observer = await connect(dsn, application_name=name, read_only=True)
        try:
            deadlock_timeout = int(await observer.fetchval(_DEADLOCK_TIMEOUT))
            session = TargetSession(
                work=work, observer=observer, job=job, deadlock_timeout_ms=deadlock_timeout, tells_queries=tells_queries
            )
            await _refuse_pooler(session)
            await _fire_triggers(session)
            await _end_predecessors(session)
            await _take_lock(session)
            await reach("SESSION.lock_taken")
            async with lifeline(dsn, name, work, observer):
                yield session
        finally:
            await close(observer)
    finally:
        await close(work)


async def _refuse_pooler(session: TargetSession) -> None:
    pids = {await session.work.fetchval("SELECT pg_catalog.pg_backend_pid()") for _ in range(3)}
    if pids != {session.backend}:
        message = "The connection goes through a pooler in transaction mode, which loses locks and settings; register a direct DSN."
        raise Refused(message, reason=Reason.TARGET_POOLED, facts={"database": session.job.database})


async def _fire_triggers(session: TargetSession) -> None:
    """Make sure that keys cascade and are checked, though the role or the database may be set up for replication."""
    try:
        await session.work.execute(
            "SELECT pg_catalog.set_config(name, 'origin', false) FROM pg_catalog.pg_settings"
            " WHERE name = 'session_replication_role' AND setting <> 'origin'"
        )
    except asyncpg.InsufficientPrivilegeError as error:
        message = "session_replication_role is not origin for this role, so keys are not enforced in its sessions; reset it for the role."
        raise Refused(message, reason=Reason.MISSING_PRIVILEGE, facts={"database": session.job.database}) from error


async def _end_predecessors(session: TargetSession) -> None:
    """End the backends of this job's earlier epochs: they may still be building or waiting for what the dead process asked for.

    LeaseLost when one of a later epoch is there: we slept, and are the predecessor. The pids are read first and ended one by one: inside
    a WHERE clause the planner may call pg_terminate_backend before it filters.
    """
    own = [session.backend, session.observer.get_server_pid()]
    others = await session.observer.fetch(_OTHERS, own, f"holdfast/{session.job.id}/")
    if any(_epoch(row["application_name"]) > session.job.epoch for row in others):
        raise LeaseLost(f"job {session.job.id} is worked on under a later epoch")
    for row in others:
        await session.observer.execute("SELECT pg_catalog.pg_terminate_backend($1, $2)", row["pid"], _EVICTION_MS)


def _epoch(application_name: str) -> int:
    epoch = application_name.rpartition("/")[2]
    return int(epoch) if epoch.isdecimal() else 0


async def _take_lock(session: TargetSession) -> None:
    for _ in range(50):
        if await session.work.fetchval("SELECT pg_catalog.pg_try_advisory_lock($1, $2)", LOCK_CLASS, LOCK_KEY):
            return
        await asyncio.sleep(0.1)
    holder = await session.observer.fetchval(_HOLDER, LOCK_CLASS, LOCK_KEY)
    message = f"Another application works on this database ({holder or 'it just ended'}); try again when it has ended."
    raise Conflict(message, reason=Reason.DATABASE_BUSY, facts={"database": session.job.database, "holder": holder or ""})
