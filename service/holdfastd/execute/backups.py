"""What the backup in a target holds, plan by plan, and deleting it for good.

Rows go in chunks of whole batches, one short transaction each: the rows, the entry that says how many, and a mark on every batch
that tells it from a damaged one. The lock of jobs is only tried: nothing is purged while a job changes the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import asyncpg

from holdfastd.errors import Conflict, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.session import LOCK_CLASS, LOCK_KEY
from holdfastd.names import TableName
from holdfastd.plan.conditions import ledger_exists
from holdfastd.plan.steps.prepare import ledger_ddl
from holdfastd.sql import load_queries

_QUERIES = load_queries("holdfastd.execute", "backups.sql")
_CHUNK_ROWS = 20_000
#: More plans than any database has seen.
_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The backup of one plan."""

    plan_id: str
    #: The last of its batches in the ledger; newer backups have greater ones.
    position: int
    #: Rows that are not back.
    rows: int
    #: Rows that came back; their images are kept, too.
    restored_rows: int
    #: Rows that are not back, per table.
    tables: tuple[tuple[str, int], ...]
    first_time: datetime
    last_time: datetime
    #: None while rows are kept.
    purge_time: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to purge."""
        return not self.rows and not self.restored_rows


async def read_backups(connection: asyncpg.Connection, *, plan_id: str = "", before: int = 0, limit: int = _ALL) -> tuple[Backup, ...]:
    """Return the backups, newest first: of one plan or of all, older than the position `before`."""
    if not await ledger.exists(connection):
        return ()
    found = await connection.fetch(_QUERIES["list_backups"], plan_id, before, limit)
    counted = await connection.fetch(_QUERIES["count_rows"], [row["plan_id"] for row in found])
    return tuple(_backup(row, [count for count in counted if count["plan_id"] == row["plan_id"]]) for row in found)


def _backup(row: asyncpg.Record, counts: Sequence[asyncpg.Record]) -> Backup:
    return Backup(
        plan_id=row["plan_id"],
        position=row["position"],
        rows=sum(count["kept"] for count in counts),
        restored_rows=sum(count["restored"] for count in counts),
        tables=tuple((str(TableName(count["table_schema"], count["table_name"])), count["kept"]) for count in counts if count["kept"]),
        first_time=row["first_time"],
        last_time=row["last_time"],
        purge_time=None if counts else row["purge_time"],
    )


async def find_purgeable(connection: asyncpg.Connection, *, plan_id: str, older_than: timedelta) -> tuple[Backup, ...]:
    """Return the backups that are old enough by the clock of the target. Refused when a plan is named and its backup is not."""
    backups = await read_backups(connection, plan_id=plan_id)
    if plan_id and not backups:
        message = f"There is no backup of plan {plan_id} in this database; `holdfast backups list` shows those that there are."
        raise Refused(message, reason=Reason.BACKUP_GONE, facts={"plan_id": plan_id})
    newest = await connection.fetchval(_QUERIES["read_clock"]) - older_than
    kept = [backup for backup in backups if not backup.is_empty]
    for backup in kept if plan_id else ():
        if backup.last_time > newest:
            keep_until = (backup.last_time + older_than).isoformat(timespec="seconds")
            message = f"The backup of plan {plan_id} is to be kept until {keep_until}; wait, or ask for less with `--older-than`."
            raise Refused(message, reason=Reason.BACKUP_RETAINED, facts={"plan_id": plan_id, "keep_until": keep_until})
    return tuple(backup for backup in kept if backup.last_time <= newest)


async def purge(connection: asyncpg.Connection, backup: Backup) -> Backup:
    """Delete the rows of a backup for good; return what went, and when. Conflict DATABASE_BUSY while a job changes the database."""
    await _bring_up_to_date(connection)
    while await _purge_chunk(connection, backup):
        pass
    return replace(backup, purge_time=await connection.fetchval(_QUERIES["read_clock"]))


async def _purge_chunk(connection: asyncpg.Connection, backup: Backup) -> int:
    async with connection.transaction():
        await _lock_out_jobs(connection)
        batches = await connection.fetch(_QUERIES["batches_to_purge"], backup.plan_id, backup.position, _CHUNK_ROWS)
        if not batches:
            return 0
        rows: int = await connection.fetchval(_QUERIES["purge_batches"], backup.plan_id, [row["id"] for row in batches])
        await reach("PURGE.before_commit")
    await reach("PURGE.committed")
    return rows


async def _bring_up_to_date(connection: asyncpg.Connection) -> None:
    """Teach a ledger that an earlier version made what purging is."""
    if not await connection.fetchval(ledger_exists()):
        async with connection.transaction():
            await _lock_out_jobs(connection)
            for statement in ledger_ddl():
                await connection.execute(statement)


async def _lock_out_jobs(connection: asyncpg.Connection) -> None:
    if not await connection.fetchval(_QUERIES["take_lock"], LOCK_CLASS, LOCK_KEY):
        message = "A job is changing this database; wait for its end, then purge again. What was purged before it began stays purged."
        raise Conflict(message, reason=Reason.DATABASE_BUSY)
