"""Showing and purging the backups that a target holds."""

from collections.abc import Iterable
from datetime import timedelta

from holdfastd.execute import ledger
from holdfastd.execute.backups import Backup, find_purgeable, purge, read_backups
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import answered, deed, failure_logged, once
from holdfastd.flows.targets import reading, refuse_busy, writing
from holdfastd.store import databases, plans
from holdfastd.store.documents import decode, encode
from holdfastd.store.model import DatabaseRecord

#: Plans named one by one in an entry of the audit log.
_NAMED = 50


async def list_page(services: Services, database: str, before: int, limit: int) -> tuple[Backup, ...]:
    """Return backups, newest first, older than a position in the ledger."""
    async with services.store.connection() as connection:
        record = await databases.get(connection, database)
    async with reading(services, record, "backups") as target:
        return await read_backups(target, before=before, limit=limit)


async def purge_backups(services: Services, caller: Caller, database: str, plan_id: str, older_than: timedelta) -> tuple[Backup, ...]:
    """Delete backups for good: what is to go is in the audit log before, and what went after it."""
    content = {"database": database, "plan_id": plan_id, "older_than": str(older_than.total_seconds())}
    earlier = await answered(services, caller, "PurgeBackups", content)
    if earlier is not None:
        return decode(earlier, tuple[Backup, ...])
    async with services.store.connection() as connection:
        record = await databases.get(connection, database)
    async with failure_logged(services, caller, "backup.purge", database=database, subject=plan_id):
        await refuse_busy(services, record)
        purged = await _purge(services, caller, record, plan_id, older_than)
    async with deed(services, caller, "backup.purged", database=database, subject=plan_id) as doing:

        async def answer() -> str:
            return encode(purged)

        doing.details = _counts(purged)
        return decode(await once(doing, caller, "PurgeBackups", content, answer), tuple[Backup, ...])


async def _purge(services: Services, caller: Caller, record: DatabaseRecord, plan_id: str, older_than: timedelta) -> tuple[Backup, ...]:
    async with writing(services, record, "purge") as target:
        if plan_id and not await ledger.exists(target):
            await _refuse_unknown(services, plan_id)
        found = await find_purgeable(target, plan_id=plan_id, older_than=older_than)
        async with deed(services, caller, "backup.purge", database=record.name, subject=plan_id) as doing:
            doing.details = _counts(found)
        return tuple([await purge(target, backup) for backup in found])


async def _refuse_unknown(services: Services, plan_id: str) -> None:
    async with services.store.connection() as connection:
        await plans.get(connection, plan_id)


def _counts(backups: Iterable[Backup]) -> dict[str, str]:
    """Return how many rows of which plans, restored ones included, for the audit log."""
    counted = {backup.plan_id: backup.rows + backup.restored_rows for backup in backups}
    named = dict(list(counted.items())[:_NAMED])
    return {"rows": str(sum(counted.values())), "plans": str(len(counted))} | {plan_id: str(rows) for plan_id, rows in named.items()}
