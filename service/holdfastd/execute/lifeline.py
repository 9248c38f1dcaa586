"""Is the server still at it? A session whose answer was swallowed on the way would be waited for without end.

Only long statements are looked at, from a connection of its own: waiting for an answer from a backend that is idle, or gone, is waiting
for nothing. The connection is dropped then, and the job goes on in another session.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from holdfastd.errors import HoldfastError
from holdfastd.target.destination import Destination
from holdfastd.target.errors import FAILURES
from holdfastd.target.session import close, connect
from holdfastd.target.wire import WireConnection

_LOOK_EVERY_SECONDS = 3.0
#: Statements that take no longer are not looked at.
_PATIENCE_SECONDS = 8.0
#: What the server sent last may be on its way for so long. A server that tells no states (track_activities is off) counts as at it.
_IS_AT_IT = """
SELECT pg_catalog.count(*) FILTER (
    WHERE coalesce(state, 'disabled') NOT LIKE 'idle%'
    OR pg_catalog.clock_timestamp() - state_change < pg_catalog.make_interval(secs => 5)) > 0
FROM pg_catalog.pg_stat_activity
WHERE pid = $1 AND application_name = $2
"""


@asynccontextmanager
async def lifeline(dsn: Destination | str, name: str, *connections: asyncpg.Connection) -> AsyncIterator[None]:
    """Drop connections that the server has finished with, while they wait for it. `name`: their application_name."""
    watch = asyncio.create_task(_watch(dsn, name, connections))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(dsn: Destination | str, name: str, connections: tuple[asyncpg.Connection, ...]) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        for connection in connections:
            if _waits_long(connection) and await _is_given_up(dsn, name, connection) and _waits_long(connection):
                connection.terminate()


def _waits_long(connection: asyncpg.Connection) -> bool:
    return isinstance(connection, WireConnection) and connection.waiting_seconds > _PATIENCE_SECONDS


async def _is_given_up(dsn: Destination | str, name: str, connection: asyncpg.Connection) -> bool:
    """Tell whether the server is known to work no more on what we wait for; not to be let in is not to know."""
    try:
        look = await connect(dsn, application_name=name, read_only=True)
        try:
            return not await look.fetchval(_IS_AT_IT, connection.get_server_pid(), name, timeout=5)
        finally:
            await close(look)
    except (*FAILURES, HoldfastError):
        return False
