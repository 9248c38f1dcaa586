"""The HTTP server, in our own loop and under our own signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from holdfastd.config.model import Address
from holdfastd.http.encryption import Encryption

#: What answers may still take when the server stops.
_GRACE_SECONDS = 1
#: A connection on which no request comes whole for so long is closed, at the latest after twice as long.
_QUIET_SECONDS = 20.0
#: What was sent and is not taken for so long ends a connection: its reader has gone without a word, or does not read.
_UNREAD_SECONDS = 60


class _Connection(H11Protocol):
    """Looks after itself: uvicorn would wait for the headers of a request for ever."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to look."""
        super().connection_made(transport)  # type: ignore[arg-type]  # narrower there than asyncio promises
        self._looking = self.loop.call_later(_QUIET_SECONDS, self._look, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._looking.cancel()
        super().connection_lost(exc)

    def _look(self, seen: RequestResponseCycle | None) -> None:
        request: RequestResponseCycle | None = self.cycle
        if request is seen and (request is None or request.response_complete):
            self.transport.close()
            return
        self._looking = self.loop.call_later(_QUIET_SECONDS, self._look, request)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT to whoever stops the whole process in order."""
        yield


class HttpListener:
    """Serves an application until stopped."""

    def __init__(self, app: ASGIApp, encryption: Encryption | None = None) -> None:
        """Take the application, and what connections are encrypted with (None: nothing)."""
        # Whose address a call came from decides what it may do, so no header may say another one.
        options: dict[str, object] = {
            "http": _Connection,
            "log_config": None,
            "lifespan": "off",
            "access_log": False,
            "ws": "none",
            "server_header": False,
            "proxy_headers": False,
            # As much as gRPC takes: tokens list the groups of their owner.
            "h11_max_incomplete_event_size": 32 * 1024,
        }
        if encryption is not None:
            options["ssl_context_factory"] = lambda *_: encryption.context
        self._server = _Server(uvicorn.Config(app, timeout_graceful_shutdown=_GRACE_SECONDS + 1, **options))  # type: ignore[arg-type]  # one dict of several types
        self._task: asyncio.Task[None] | None = None

    async def start(self, address: Address) -> Address:
        """Listen, and return the actual address; OSError when the address cannot be had."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        # As gRPC does: all addresses are those of both kinds.
        is_dual = address.host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server((address.host, address.port), family=family, backlog=128, dualstack_ipv6=is_dual)
        # asyncio sets it on sockets that know their protocol only, and these do not. Without it the second half of every answer waits
        # for the caller to acknowledge the first: 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_SECONDS * 1000)
        actual = Address(address.host, listening.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="holdfast-http")
        # serve() may end without ever having started; waiting for one of the two only would wait for ever.
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            self._task.result()
        return actual

    async def stop(self) -> None:
        """Finish what is being answered and close; whoever takes longer is cut off."""
        self._server.should_exit = True
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=_GRACE_SECONDS)
        # What is done for them then ends by itself. uvicorn would cancel it, and log that as a fault.
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()
        await self._task
