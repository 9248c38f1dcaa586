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
from holdfastd.store.migrate import migrate
from holdfastd.store.signals import LOST, Signals

#: Every query of the store is a short one; a statement that takes longer waits for something that will not come.
_COMMAND_SECONDS = 30
_CONNECT_SECONDS = 10
_CONNECTIONS = 10


class Store:
    """The store, open."""

    def __init__(self, pool: Any, signals: Signals) -> None:
        """Use `Store.open`."""
        self._pool = pool
        self.signals = signals

    @classmethod
    async def open(cls, dsn: str) -> Self:
        """Connect and bring the schema up to date; Unavailable when the store cannot be reached."""
        settings = {
            "dsn": dsn,
            "server_settings": {"search_path": "holdfastd", "application_name": "holdfastd"},
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
            pool = await asyncpg.create_pool(**settings, min_size=0, max_size=_CONNECTIONS)
        except (*LOST, ValueError) as error:
            # Messages about a DSN quote it.
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
            connection = await self._pool.acquire(timeout=_CONNECT_SECONDS)
        except LOST as error:
            raise _unavailable(error) from error
        try:
            yield connection
        except LOST as error:
            if isinstance(error, (TimeoutError, asyncpg.InternalClientError)) or _is_closed(connection):
                raise _unavailable(error) from error
            raise
        finally:
            # What was committed stays so, even when the connection breaks on its way back.
            with contextlib.suppress(*LOST):
                await self._pool.release(connection, timeout=_CONNECT_SECONDS)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lend a connection inside a transaction, committed at the end unless an exception passes through."""
        async with self.connection() as connection, connection.transaction():
            yield connection


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
