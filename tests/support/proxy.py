"""A TCP proxy between the service and a server, in the test's own process: what networks do to connections, told to do it when.

Faults happen to all connections at once (`silence`, `reset`, `refuse`, `delay`), or to the one that sends a certain statement: a
`Trap` springs when a client has sent `after` and then sends `at`. Statements without parameters travel as plain text in one piece.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

_CHUNK = 1 << 16
#: SO_ATTACH_FILTER of Linux, which Python does not name.
_ATTACH_FILTER = 26


class Fault(Enum):
    """What happens to a connection."""

    #: The request never arrives; both ends see a reset.
    LOSE_REQUEST = auto()
    #: The server does what was asked; its answer never arrives, the client sees a reset.
    LOSE_ANSWER = auto()
    #: The request never arrives, and nobody hears of it: a firewall that forgot the connection.
    SILENCE_REQUEST = auto()
    #: The server does what was asked; its answer vanishes, and nobody hears of it.
    SILENCE_ANSWER = auto()
    #: The client's packets are not even acknowledged from now on: the host is gone.
    VANISH = auto()
    #: The server's half of the connection ends; the client's half stays open.
    HALF_CLOSE = auto()


@dataclass(slots=True, kw_only=True)
class Trap:
    """Springs once: at the `visit`-th request that holds `at`, sent by a client that sent `after` before."""

    at: str
    after: str = ""
    visit: int = 1
    fault: Fault | None = None
    #: Awaited before the request goes on, whatever the fault; the client waits meanwhile.
    meanwhile: Callable[[], Awaitable[object]] | None = None
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    happening: asyncio.Future[object] | None = None

    async def happened(self) -> None:
        """Wait until the trap has sprung and all of `meanwhile` has happened."""
        await self.sprung.wait()
        if self.happening is not None:
            await self.happening


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: "Proxy", client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.proxy = proxy
        self.from_client, self.to_client = client
        self.to_server: asyncio.StreamWriter | None = None
        self.heard: set[str] = set()
        self.is_silent = False
        self.loses_answer = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Carry bytes both ways until either end is gone."""
        try:
            from_server, self.to_server = await asyncio.open_connection("127.0.0.1", self.proxy.target)
        except OSError:
            self.cut()
            return
        pumps = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers(from_server))]
        try:
            await asyncio.wait([*pumps, asyncio.create_task(self.ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.cut()

    def cut(self) -> None:
        """End both halves with a reset."""
        for writer in filter(None, (self.to_client, self.to_server)):
            reset(writer)
        self.ended.set()

    async def _requests(self) -> None:
        while data := await self.from_client.read(_CHUNK):
            await self.proxy.travel(data)
            if await self._spring(data):
                continue
            if not (self.is_silent or self.proxy.is_silent):
                assert self.to_server is not None
                self.to_server.write(data)
                await self.to_server.drain()

    async def _answers(self, from_server: asyncio.StreamReader) -> None:
        while data := await from_server.read(_CHUNK):
            await self.proxy.travel(data)
            if self.loses_answer:
                self.cut()
                return
            if not (self.is_silent or self.proxy.is_silent):
                self.to_client.write(data)
                await self.to_client.drain()

    async def _spring(self, data: bytes) -> bool:
        """Spring the traps that this request steps into; tell whether it is not to go on."""
        for trap in self.proxy.traps:
            if trap.sprung.is_set() or trap.at.encode() not in data or (trap.after and trap.after not in self.heard):
                continue
            trap.visit -= 1
            if trap.visit:
                continue
            trap.sprung.set()
            if trap.meanwhile is not None:
                # What happens may well end this very connection; it happens to the end all the same.
                trap.happening = asyncio.ensure_future(trap.meanwhile())
                await asyncio.shield(trap.happening)
            return self._suffer(trap.fault, data)
        self.heard |= {trap.after for trap in self.proxy.traps if trap.after and trap.after.encode() in data}
        return False

    def _suffer(self, fault: Fault | None, data: bytes) -> bool:
        assert self.to_server is not None
        match fault:
            case None:
                return False
            case Fault.LOSE_REQUEST:
                self.cut()
            case Fault.LOSE_ANSWER:
                self.loses_answer = True
                self.to_server.write(data)
            case Fault.SILENCE_REQUEST:
                self.is_silent = True
            case Fault.SILENCE_ANSWER:
                self.is_silent = True
                self.to_server.write(data)
            case Fault.VANISH:
                self.is_silent = True
                vanish(self.to_client)
            case Fault.HALF_CLOSE:
                self.to_client.write_eof()
        return True


class Proxy:
    """A port that leads to another one."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.traps: list[Trap] = []
        self.is_silent = False
        self.is_refusing = False
        self.delay_seconds = 0.0
        self.bytes_per_second = 0
        #: Connections accepted so far.
        self.accepted = 0
        self._links: set[_Link] = set()

    def set_trap(self, trap: Trap) -> Trap:
        """Lay a trap and return it."""
        self.traps.append(trap)
        return trap

    def reset(self) -> None:
        """Cut every connection that there is."""
        for link in tuple(self._links):
            link.cut()

    def heal(self) -> None:
        """Let everything through again. Connections that swallowed something are cut: their ends would never agree again."""
        if self.is_silent:
            self.reset()
        self.is_silent = self.is_refusing = False
        self.delay_seconds, self.bytes_per_second = 0.0, 0
        self.traps.clear()

    async def travel(self, data: bytes) -> None:
        """Take as long as the line does."""
        seconds = self.delay_seconds + (len(data) / self.bytes_per_second if self.bytes_per_second else 0.0)
        if seconds:
            await asyncio.sleep(seconds)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.accepted += 1
        if self.is_refusing:
            reset(writer)
            return
        link = _Link(self, (reader, writer))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that the other end sees a reset."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def vanish(writer: asyncio.StreamWriter) -> None:
    """Have the kernel drop every packet that comes in here, before TCP sees it: a filter of one instruction, "keep 0 bytes"."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(instruction))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """Open a proxy to a port on 127.0.0.1."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset()
        await server.wait_closed()
