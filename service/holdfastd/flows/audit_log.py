"""Reading and verifying the audit log."""

from collections.abc import Sequence

from holdfastd.flows.context import Services
from holdfastd.store import audit_log
from holdfastd.store.model import LogEntry, LogVerification


async def list_page(services: Services, database: str, before_sequence: int, limit: int) -> Sequence[LogEntry]:
    """Return entries, newest first. The database may be one that was removed."""
    async with services.store.connection() as connection:
        return await audit_log.list_page(connection, database=database, before=before_sequence, limit=limit)


async def verify(services: Services) -> LogVerification:
    """Recompute all hashes."""
    async with services.store.connection() as connection:
        return await audit_log.verify(connection)
