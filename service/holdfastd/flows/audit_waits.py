"""Naming who holds up an audit: a session that looks on, opened only when nothing has been heard for a while."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfastd.errors import HoldfastError, Reason, Refused
from holdfastd.execute.locking.blockers import InTheWay, blockers_of, describe, read_blockers_of
from holdfastd.flows.audit_progress import AuditProgress
from holdfastd.flows.context import Services
from holdfastd.flows.targets import reading
from holdfastd.store.model import DatabaseRecord
from holdfastd.target.session import Connection

#: Nobody asks why before.
_SILENT_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 30.0


@asynccontextmanager
async def naming_blockers(services: Services, record: DatabaseRecord, application: str, progress: AuditProgress) -> AsyncIterator[None]:
    """Tell whom the sessions that call themselves so wait for while the block runs; a lock that is not had in time names its holder."""
    seen: list[tuple[InTheWay, ...]] = []
    watching = asyncio.create_task(_watch(services, record, application, progress, seen))
    try:
        yield
    except Refused as error:
        if error.reason is not Reason.LOCK_TIMEOUT or not seen:
            raise
        who = describe(seen[-1])
        message = f"A lock could not be had in time: {who} holds it. Audit again when it is gone."
        raise Refused(message, reason=Reason.LOCK_TIMEOUT, facts={"blocker": who}) from error
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(
    services: Services, record: DatabaseRecord, application: str, progress: AuditProgress, seen: list[tuple[InTheWay, ...]]
) -> None:
    while True:
        await _silence(progress)
        # Without the session that looks on, the audit goes on, and less is told of it.
        with contextlib.suppress(HoldfastError, OSError):
            async with reading(services, record, f"waits/{progress.job_id}") as connection:
                await _look_on(connection, f"holdfast/{application}", progress, seen, tells_queries=services.tells_queries)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _look_on(
    connection: Connection, application: str, progress: AuditProgress, seen: list[tuple[InTheWay, ...]], *, tells_queries: bool
) -> None:
    """Tell who is in the way whenever that changes, and now and then while it does not."""
    told, told_at = frozenset[int](), 0.0
    while True:
        found = await read_blockers_of(connection, application, tells_queries=tells_queries)
        who, now = frozenset(item.blocker.pid for item in found), time.monotonic()
        if found and (who != told or now - told_at > _AGAIN_SECONDS):
            told, told_at = who, now
            seen.append(found)
            await progress.on_wait(f"Waiting for a lock, blocked by {describe(found)}.", blockers_of(found))
        await asyncio.sleep(_LOOK_SECONDS)


async def _silence(progress: AuditProgress) -> None:
    """Return once nothing has been told for a while."""
    while (left := progress.told_at + _SILENT_SECONDS - time.monotonic()) > 0:
        await asyncio.sleep(left)
