"""The ledger inside the target: what was begun, done, saved and put back. Written in the same transaction as the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.errors import LeaseLost, Reason, Refused
from holdfastd.execute.session import TargetSession
from holdfastd.sql import load_queries

QUERIES = load_queries("holdfastd.execute", "ledger.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRows:
    """What a batch saved before it changed anything."""

    deletes: int
    updates: int
    #: The orphan rows themselves, dependents left out.
    orphans: int

    @property
    def total(self) -> int:
        """All rows of the batch."""
        return self.deletes + self.updates


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBatch:
    """A batch that can be put back."""

    id: int
    step: int
    row_count: int


async def exists(connection: asyncpg.Connection) -> bool:
    """Tell whether this database has a ledger."""
    return bool(await connection.fetchval("SELECT pg_catalog.to_regclass('holdfast.backup') IS NOT NULL"))


async def claim(session: TargetSession, identity: Identity) -> None:
    """Make the ledger this database's own and let only this job in this epoch write from now on."""
    async with session.work.transaction():
        await session.work.execute(QUERIES["write_target"], identity.system_identifier, identity.database_oid)
        await fence(session)


async def fence(session: TargetSession) -> None:
    """Let only this job in this epoch write from now on. Refused JOB_STATE when the ledger shows that it ended long ago.

    A store that was restored from a backup may hold a job as running that was finished, and even rolled back, since.
    """
    job = session.job
    later = await session.work.fetchrow(QUERIES["worked_later"], job.id, job.epoch)
    if later is not None:
        message = (
            f"The ledger of this database knows that job {later['job_id']} (epoch {later['epoch']}) worked here after this one (epoch"
            f" {job.epoch}). Either the service's store was restored from a backup, or another Holdfast works here, too. Nothing was"
            " touched: audit the database, then apply a plan or roll one back as what is there demands."
        )
        raise Refused(message, reason=Reason.JOB_STATE, facts={"job": later["job_id"]})
    await session.work.execute(QUERIES["write_fence"], job.id, job.epoch)


async def hold_fence(session: TargetSession) -> None:
    """Make sure, until the transaction ends, that no successor has taken over. LeaseLost otherwise."""
    if not await session.work.fetchval(QUERIES["hold_fence"], session.job.id, session.job.epoch):
        raise LeaseLost


async def write(session: TargetSession, plan_id: str, step: int, entry: str, row_count: int = 0) -> int:
    """Add an entry (INTENT, DONE, BATCH, RESTORED, UNDONE, PURGED) and return its id."""
    job = session.job
    entry_id: int = await session.work.fetchval(QUERIES["write_entry"], plan_id, job.id, job.epoch, step, entry, row_count)
    return entry_id


async def end_begun(session: TargetSession, plan_id: str, step: int) -> None:
    """Write the DONE of a step whose effect is there, when a crash kept it from being written."""
    await session.work.execute(QUERIES["end_begun"], plan_id, session.job.id, session.job.epoch, step)


async def saved_rows(connection: asyncpg.Connection, batch: int) -> SavedRows:
    """Return what a batch has saved so far."""
    row = await connection.fetchrow(QUERIES["saved_in_batch"], batch)
    return SavedRows(deletes=row["deletes"], updates=row["updates"], orphans=row["orphans"])


async def rows_of_step(connection: asyncpg.Connection, plan_id: str, step: int) -> int:
    """Return the rows of all batches of a step, whoever ran them, that were not put back since."""
    rows: int = await connection.fetchval(QUERIES["rows_of_step"], plan_id, step)
    return rows


async def begun_steps(connection: asyncpg.Connection, plan_id: str) -> frozenset[int]:
    """Return the numbers of the steps that were begun and not undone."""
    return frozenset(row["step"] for row in await connection.fetch(QUERIES["steps_begun"], plan_id))


async def batches_to_restore(connection: asyncpg.Connection, plan_id: str) -> tuple[SavedBatch, ...]:
    """Return the batches that hold rows to put back, the last one first."""
    rows = await connection.fetch(QUERIES["batches_to_restore"], plan_id)
    return tuple(SavedBatch(id=row["id"], step=row["step"], row_count=row["row_count"]) for row in rows)


async def backed_up_by_step(connection: asyncpg.Connection, plan_id: str) -> Mapping[int, int]:
    """Return how many rows are in the backup, per step."""
    return {row["step"]: row["row_count"] for row in await connection.fetch(QUERIES["backed_up_by_step"], plan_id)}


async def refuse_purged(connection: asyncpg.Connection, plan_id: str, steps: Sequence[int] | None = None) -> None:
    """Refuse BACKUP_GONE when rows of a plan, or of some of its steps, were purged before they came back."""
    row = await connection.fetchrow(QUERIES["purged_rows"], plan_id, steps)
    if row["row_count"]:
        time = row["time"].isoformat(timespec="seconds")
        message = (
            f"{row['row_count']} rows that plan {plan_id} took away were purged from the backup, the last of them at {time}; they cannot"
            " come back from there, and nothing was touched. The audit log says who purged them (backup.purge)."
        )
        raise Refused(message, reason=Reason.BACKUP_GONE, facts={"plan_id": plan_id, "purge_time": time})
