"""Reading views and functions: in comes a session, out goes their SQL, as much of it as is worth reading.

They are hints and no more. Whatever cannot be printed, because somebody holds a table under it or a column is gone, is left out; so are
the longest ones where all of them would be too much.
"""

import asyncio
import time
from collections.abc import Iterable

import asyncpg

from holdfastd.catalog.build import Row
from holdfastd.catalog.model import Definition
from holdfastd.sql import load_queries
from holdfastd.target.errors import is_connection_lost

QUERIES = load_queries("holdfastd.catalog", "queries/definitions.sql")

_MOST_BYTES = 8_000_000
_MOST_BYTES_OF_ONE = 200_000
_PAGE = 200
#: Waiting for a lock is not worth it; nor is reading for minutes.
_LOCK_TIMEOUT = "50ms"
_LIMIT_SECONDS = 20.0


async def read_definitions(connection: asyncpg.Connection) -> tuple[Definition, ...]:
    """Return the SQL of views and functions by schema and name, up to a bounded amount."""
    until = time.monotonic() + _LIMIT_SECONDS
    try:
        chosen = _choose(await connection.fetch(QUERIES["list_definitions"], timeout=_LIMIT_SECONDS))
    except TimeoutError:
        return ()
    except asyncpg.PostgresError as error:
        if is_connection_lost(error):
            raise
        return ()
    texts: dict[int, str] = {}
    for query, kinds in (("read_views", {"view", "materialized view"}), ("read_functions", {"function"})):
        oids = [row["oid"] for row in chosen if row["kind"] in kinds]
        for first in range(0, len(oids), _PAGE):
            texts |= await _read(connection, QUERIES[query], oids[first : first + _PAGE], until)
    found = (
        Definition(schema=row["schema"], name=row["name"], kind=row["kind"], sql=texts[row["oid"]]) for row in chosen if row["oid"] in texts
    )
    return tuple(sorted(found, key=lambda each: (each.schema, each.name, each.sql)))


def _choose(rows: Iterable[Row]) -> list[Row]:
    """Return the first rows, the smallest, that are not too much together."""
    chosen: list[Row] = []
    total = 0
    for row in rows:
        total += row["size"]
        if total > _MOST_BYTES or row["size"] > _MOST_BYTES_OF_ONE:
            break
        chosen.append(row)
    return chosen


async def _read(connection: asyncpg.Connection, query: str, oids: list[int], until: float) -> dict[int, str]:
    """Return the texts by OID; when some of them cannot be had, halve until only those are missing."""
    if not oids or time.monotonic() > until:
        return {}
    try:
        async with asyncio.timeout(_LIMIT_SECONDS), connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            rows = await connection.fetch(query, oids)
    except TimeoutError:
        return {}
    except asyncpg.PostgresError as error:
        if is_connection_lost(error):
            raise
        if len(oids) == 1:
            return {}
        middle = len(oids) // 2
        return await _read(connection, query, oids[:middle], until) | await _read(connection, query, oids[middle:], until)
    return {row["oid"]: row["sql"] for row in rows if row["sql"]}
