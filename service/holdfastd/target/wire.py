"""A connection that does not wait for ever: what the driver leaves to the operating system, which leaves it undone.

A host that vanishes sends no reset, so the kernel is told to probe. A middle box that swallows an answer keeps the probes happy, so
a connection remembers since when it waits, and whoever holds it may look at the server from another one.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import asyncpg

from holdfastd.target.login import WatchedLoop
from holdfastd.target.pooled import Pooled

#: Probes after 10 s without a packet, four of them; what was sent and is not acknowledged for 30 s ends the connection, too.
_PROBES = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}


class WireConnection(asyncpg.Connection):  # type: ignore[misc] # the driver comes without types
    """A connection of the driver that probes its peer and knows since when it waits for an answer."""

    __slots__ = ("_asked_at", "asked", "pooled")

    def __init__(self, protocol: Any, transport: asyncio.Transport, loop: Any, *arguments: Any) -> None:
        # Only logging in is watched.
        super().__init__(protocol, transport, loop.real if isinstance(loop, WatchedLoop) else loop, *arguments)
        self._asked_at: float | None = None
        #: Its endpoint says that a pooler answers there.
        self.pooled: Pooled | None = None
        #: Statements so far.
        self.asked = 0
        _probe(transport.get_extra_info("socket"))

    @property
    def waiting_seconds(self) -> float:
        """How long the statement that runs now has been waited for; 0 when none runs."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 (the driver's signature)
        """Run a statement as the driver does."""
        with self._asking():
            status: str = await super().execute(query, *arguments, timeout=timeout)
        return status

    async def _execute(self, *arguments: Any, **options: Any) -> Any:
        """Everything that fetches goes through here."""
        with self._asking():
            return await super()._execute(*arguments, **options)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        before = self._asked_at
        self.asked += before is None
        self._asked_at = before or time.monotonic()
        try:
            yield
        finally:
            self._asked_at = before


def _probe(raw: socket.socket | None) -> None:
    """Have the kernel look for a peer that vanished; where it cannot, it does not."""
    if raw is None or raw.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, option, value)
