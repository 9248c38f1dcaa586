"""The HTTP server, in our own loop and under our own signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from holdfastd.config.model import Address
from holdfastd.http.encryption import Encryption

_GRACE_SECONDS = 1


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
        self._server = _Server(uvicorn.Config(app, timeout_graceful_shutdown=_GRACE_SECONDS, **options))  # type: ignore[arg-type]  # one dict of several types
        self._task: asyncio.Task[None] | None = None

    async def start(self, address: Address) -> Address:
        """Listen, and return the actual address; OSError when the address cannot be had."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listening = socket.create_server((address.host, address.port), family=family, backlog=128)
        # asyncio sets it on sockets that know their protocol only, and these do not. Without it the second half of every answer waits
        # for the caller to acknowledge the first: 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        actual = Address(address.host, listening.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="holdfast-http")
        # serve() may end without ever having started; waiting for one of the two only would wait for ever.
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            self._task.result()
        return actual

    async def stop(self) -> None:
        """Finish what is being answered and close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
