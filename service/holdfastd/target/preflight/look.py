"""Looking at what may be hidden or slow: in comes a question, out goes its check, or that it could not be told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from holdfastd.names import identifier
from holdfastd.target.errors import FAILURES, is_connection_lost, sqlstate
from holdfastd.target.identity import session_role
from holdfastd.target.preflight.check import Check, untold

#: Longer is not worth waiting for what only warns.
TIMEOUT_MS = 2_000

Question = Callable[[asyncpg.Connection], Awaitable[Check]]

_LIMITS = "SELECT pg_catalog.set_config(name, $1, true) FROM unnest(ARRAY['statement_timeout', 'lock_timeout']) AS setting (name)"
_SEES_SESSIONS = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"


@asynccontextmanager
async def limited(connection: asyncpg.Connection, timeout_ms: int) -> AsyncIterator[None]:
    """Ask in a read-only transaction in which no statement takes longer."""
    async with connection.transaction(readonly=True):
        await connection.execute(_LIMITS, str(timeout_ms))
        yield


async def look(connection: asyncpg.Connection, name: str, question: Question, *, timeout_ms: int = TIMEOUT_MS) -> Check:
    """Ask in a short transaction of its own. Neither a missing privilege nor a slow server makes a check pass."""
    try:
        async with limited(connection, timeout_ms):
            return await question(connection)
    except asyncpg.InsufficientPrivilegeError:
        return untold(name, "the role may not read it", grant_of("pg_monitor", connection))
    except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
        return untold(name, f"the server did not answer within {timeout_ms / 1000:g} s", "Try again when it is less busy.")
    except FAILURES as error:
        if is_connection_lost(error):
            raise
        return untold(name, f"the server refused the question (SQLSTATE {sqlstate(error)})")


async def sees_sessions(connection: asyncpg.Connection) -> bool:
    """Tell whether the role sees what sessions of other roles do; without, PostgreSQL shows them with all else NULL."""
    return bool(await connection.fetchval(_SEES_SESSIONS))


def grant_of(group: str, connection: asyncpg.Connection) -> str:
    """Return the GRANT of one of PostgreSQL's own roles."""
    return f"GRANT {group} TO {identifier(session_role(connection))}"
