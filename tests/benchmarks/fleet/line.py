"""A line to a port on this machine that is as long as it is told: every piece of data arrives half a round trip after it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at the other end, later, in order."""

    def __init__(self, seconds: float, target: int = 0, other: "_End | None" = None) -> None:
        self._seconds = seconds
        self._target = target
        self.other = other
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the end that was called calls the target."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.other is None:
            self._connecting = asyncio.ensure_future(self._connect())
        for data in self._early:
            transport.write(data)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.other = _End(self._seconds, other=self)
        try:
            await loop.create_connection(lambda: self.other, "127.0.0.1", self._target)  # type: ignore[arg-type, return-value]  # set just above
        except OSError:
            if self.transport is not None:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on, later."""
        asyncio.get_running_loop().call_later(self._seconds, self._pass_on, data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            # The target has not answered our call yet; that takes less than the line does, unless the machine is busy.
            self.data_received(data)
        elif self.other.transport is None:
            self.other._early.append(data)
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (why does not matter)
        """Hang up at the other end, too, once everything has arrived."""
        asyncio.get_running_loop().call_later(self._seconds, self._hang_up)

    def _hang_up(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


@asynccontextmanager
async def long_line(target: int, round_trip: float) -> AsyncIterator[int]:
    """Lend a port that leads to another one; an answer takes so many seconds longer."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _End(round_trip / 2, target), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
