"""What deciding about a call needs of the store: which database an id belongs to, and an entry for a change that was refused."""

from holdfastd.flows.context import Services
from holdfastd.store import audit_log, subjects


async def database_of(services: Services, resource_id: str) -> str | None:
    """Return the name of the database that an audit, plan or job belongs to; None when there is no such id."""
    async with services.store.connection() as connection:
        return await subjects.database_of(connection, resource_id)


async def log_refusal(services: Services, *, principal: str, method: str, permission: str, database: str) -> None:
    """Append that somebody tried to change what they may not."""
    details = {"method": method, "permission": permission}
    async with services.store.transaction() as connection:
        await audit_log.append(
            connection, principal=principal, action="call.refuse", database=database, outcome="PERMISSION_DENIED", details=details
        )
