"""The way to the store: connections, transactions, and the signals that other replicas send through it.

In comes a DSN; out go connections with `search_path = holdfastd`. A store that is lost becomes Unavailable here and nowhere else;
errors in our own SQL stay what they are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

from holdfastd.errors import Reason, Unavailable
from holdfastd.store.log_head import LogHead
from holdfastd.store.migrate import migrate
from holdfastd.store.signals import LOST, Signals
from holdfastd.tracing import Side, watch

#: Every query of the store is a short one; a statement that takes longer waits for something that will not come.
_COMMAND_SECONDS = 30
_CONNECT_SECONDS = 10
_CONNECTIONS = 10
#: Gone at the next try, though the connection is still there. A newer replica that migrates the store invalidates prepared statements.
_PASSING = (TimeoutError, asyncpg.InternalClientError, asyncpg.InvalidCachedStatementError)
#: What a server in trouble answers, by class: it is a standby now; a disk, the memory or the connections are at their end; somebody
#: stopped the statement; a deadlock; a lock that was not to be had in time; an error of its disk.
_TROUBLE = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresSystemError,
)


class Store:
    """The store, open."""

    def __init__(self, pool: Any, signals: Signals) -> None:
        """Use `Store.open`."""
        self._pool = pool
        self.signals = signals
        self.log_head = LogHead()

    @classmethod
    async def open(cls, dsn: str) -> Self:
        """Connect and bring the schema up to date; Unavailable when the store cannot be reached."""
        settings = {
            "dsn": dsn,
            # A replica that is stopped or cut off inside a transaction keeps its locks no longer than that.
            "server_settings": {
                "search_path": "holdfastd",
                "application_name": "holdfastd",
                "idle_in_transaction_session_timeout": "15s",
            },
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _COMMAND_SECONDS,
        }
        try:
            # A migration may take longer than any other statement.
            connection = await asyncpg.connect(**settings | {"command_timeout": None})
            try:
                await migrate(connection)
            finally:
                await connection.close(timeout=_CONNECT_SECONDS)
            pool = await asyncpg.create_pool(**settings, min_size=0, max_size=_CONNECTIONS, reset=_keep_as_it_is, init=_traced)
        except ValueError:
            # Messages about a DSN quote it.
            message = "The DSN of the store is malformed; write postgresql://user:password@host:port/database."
            raise Unavailable(message, reason=Reason.STORE_UNAVAILABLE) from None
        except LOST as error:
            raise _unavailable(error) from None
        store = cls(pool, Signals(settings))
        store.signals.start()
        return store

    async def close(self) -> None:
        """Close all connections, by force when they do not close in time."""
        await self.signals.stop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection. Inside, wait for nothing but the store: a lost connection is told by its own state."""
        try:
            # Not acquire(timeout=…), which makes a task of it.
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._pool.acquire()
        except LOST as error:
            raise _unavailable(error) from error
        # Nothing but a statement that is being cancelled can keep a connection from going back; a timer costs every call something.
        seconds: int | None = _CONNECT_SECONDS
        try:
            yield connection
            seconds = None
        except LOST as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                # The address may lead to the new primary by now, and open connections still to the old one.
                await self._pool.expire_connections()
            if isinstance(error, _PASSING + _TROUBLE) or _is_closed(connection):
                raise _unavailable(error) from error
            raise
        finally:
            # What was committed stays so, even when the connection breaks on its way back.
            with contextlib.suppress(*LOST):
                await self._pool.release(connection, timeout=seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lend a connection inside a transaction, committed at the end unless an exception passes through."""
        async with self.connection() as connection:
            with self.log_head.following():
                async with connection.transaction():
                    yield connection


async def _traced(connection: Any) -> None:
    watch(connection, Side.STORE)


async def _keep_as_it_is(_: Any) -> None:
    """Reset nothing: no query of the store leaves anything in its session, and asking for it costs each call a second round trip.

    A transaction that was left open is rolled back nevertheless; that costs nothing while there is none.
    """


def _is_closed(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool has taken it back, which it does while lent only when it is lost.
        return True


def _unavailable(error: BaseException) -> Unavailable:
    kind = type(error).__name__
    message = f"The store cannot be reached ({kind}); try again, and look at PostgreSQL where the store is."
    return Unavailable(message, reason=Reason.STORE_UNAVAILABLE, facts={"error": kind})
