"""Logging in over a connection that nobody encrypts: a server that asks for the password itself gets nothing.

asyncpg answers whatever the server asks for. Whoever stands in the way, or was registered to be one, would only have to ask; so what
arrives before the login is over is looked at first. SCRAM and MD5 answers tell the password to nobody who just listens.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any

_HEADER = struct.Struct("!cI")
_AUTHENTICATION, _READY = b"R", b"Z"
_CLEARTEXT_PASSWORD = 3


class WatchedLoop:
    """The running loop, but what it connects is watched until the login is over. To be given to the driver as its `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the running loop."""
        self.real = loop
        #: The server asked for the password in clear, and the connection was dropped.
        self.was_asked = False

    async def create_connection(self, factory: Callable[[], asyncio.Protocol], *where: Any, **options: Any) -> Any:
        """Connect, and return transport and protocol as the loop does."""
        watched: list[_Login] = []

        def make() -> _Login:
            watched.append(_Login(factory(), self))
            return watched[-1]

        transport, login = await self.real.create_connection(make, *where, **options)
        return transport, login.driver

    def __getattr__(self, name: str) -> Any:
        """Everything else is the loop's."""
        return getattr(self.real, name)


class _Login(asyncio.Protocol):
    """Stands between transport and driver, and steps aside when the server is ready for queries."""

    def __init__(self, driver: asyncio.Protocol, loop: WatchedLoop) -> None:
        self.driver = driver
        self._loop = loop
        self._unread = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.driver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand whole messages on, up to one that asks for the password."""
        self._unread += data
        end = 0
        while len(self._unread) - end >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._unread, end)
            if length < 4:  # noqa: PLR2004 (the length counts itself)
                self._transport.close()
                return
            if len(self._unread) - end < 1 + length:
                break
            message, end = self._unread[end : end + 1 + length], end + 1 + length
            if kind == _AUTHENTICATION and message[5:9] == _CLEARTEXT_PASSWORD.to_bytes(4):
                self._loop.was_asked = True
                self._transport.close()
                return
            if kind == _READY:
                self._transport.set_protocol(self.driver)
                end = len(self._unread)
        whole, self._unread = self._unread[:end], self._unread[end:]
        if whole:
            self.driver.data_received(whole)

    def eof_received(self) -> bool | None:
        return self.driver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.driver.connection_lost(exc)

    def pause_writing(self) -> None:
        self.driver.pause_writing()

    def resume_writing(self) -> None:
        self.driver.resume_writing()
