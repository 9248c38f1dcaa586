"""Reading and verifying the audit log."""

from collections.abc import AsyncGenerator, Sequence

from holdfastd.flows.context import Services
from holdfastd.store import audit_log
from holdfastd.store.model import Anchor, LogEntry, LogVerification

#: Some 200 KiB.
_BATCH = 500


async def list_page(
    services: Services, database: str, before_sequence: int, limit: int, visible: frozenset[str] | None = None
) -> Sequence[LogEntry]:
    """Return entries, newest first; of the visible databases only. The database may be one that was removed."""
    async with services.store.connection() as connection:
        return await audit_log.list_page(connection, database=database, before=before_sequence, limit=limit, visible=visible)


async def export(services: Services, after_sequence: int) -> AsyncGenerator[Sequence[LogEntry], None]:
    """Yield the entries after a sequence in batches, oldest first, up to the last one there is now."""
    async with services.store.connection() as connection:
        newest = (await audit_log.head(connection)).sequence
    while after_sequence < newest:
        # Connections are few, and whoever reads may be slow: none is held between batches.
        async with services.store.connection() as connection:
            batch = await audit_log.read_after(connection, after_sequence, upto=newest, limit=_BATCH)
        if not batch:
            return
        yield batch
        after_sequence = batch[-1].sequence


async def verify(services: Services, anchors: Sequence[Anchor]) -> LogVerification:
    """Recompute all hashes, and compare them with those noted elsewhere."""
    async with services.store.connection() as connection:
        return await audit_log.verify(connection, anchors)
