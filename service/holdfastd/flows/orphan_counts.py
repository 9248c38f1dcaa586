"""Reading the history of orphan rows."""

from collections.abc import Sequence
from datetime import datetime

from holdfastd.flows.context import Services
from holdfastd.store import databases, orphan_counts
from holdfastd.store.model import OrphanCount


async def list_page(
    services: Services, database: str, relationship_id: str, since: datetime | None, after: orphan_counts.Cursor | None, limit: int
) -> Sequence[OrphanCount]:
    """Return the orphan rows at every audit, newest first; nothing for a relationship that was never counted."""
    async with services.store.connection() as connection:
        database_id = (await databases.get(connection, database)).id
        return await orphan_counts.list_page(
            connection, database_id, relationship_id=relationship_id, since=since, after=after, limit=limit
        )
