"""Which database an id belongs to. What asks is what decides who may know that the id exists."""

from typing import Any

from holdfastd.store.documents import searchable

#: By the prefix of the id.
_TABLES = {"audit": "audits", "plan": "plans", "job": "jobs"}


async def database_of(connection: Any, resource_id: str) -> str | None:
    """Return the name of the database that an audit, plan or job belongs to; None when there is no such id."""
    table = _TABLES.get(resource_id.partition("-")[0])
    if table is None:
        return None
    query = f"SELECT databases.name FROM {table} AS item JOIN databases ON databases.id = item.database_id WHERE item.id = $1"
    name: str | None = await connection.fetchval(query, searchable(resource_id))
    return name
