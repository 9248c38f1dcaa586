"""The service as users run it: `holdfastd serve` in a process of its own, with an embedded store, on loopback."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import grpc

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import DsnSource


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One replica. Its ports and data stay the same over restarts."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="holdfast-service-"))
        self.home.chmod(0o711)
        self.listen, self.http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.environment = dict(environment or {})
        #: Further words of the command line.
        self.arguments: Sequence[str] = ()
        #: What clients connect with; None: in plaintext.
        self.credentials: grpc.ChannelCredentials | None = None
        self.process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return (self.home / "log").read_text()

    async def start(self, **environment: str) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "holdfastd", "serve", "--listen", self.listen, "--http", self.http]
        with (self.home / "log").open("a") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                "--data-dir",
                str(self.home / "data"),
                *self.arguments,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment | environment,
            )
        async with self.channel() as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), timeout=30)
            except TimeoutError:
                raise RuntimeError(self.log) from None

    def channel(self) -> grpc.aio.Channel:
        """A bare channel to it."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.listen)
        return grpc.aio.secure_channel(self.listen, self.credentials)

    async def kill(self) -> None:
        """End it as a power failure would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        return await self._end(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it ended by itself."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), timeout=120)

    async def _end(self, how: signal.Signals) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), timeout=30)

    async def discard(self) -> None:
        """Stop it and forget its data; an embedded store that a killed service left behind is stopped, too."""
        if self.process is None or self.process.returncode is not None:
            await self.start()
        await self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def client(self) -> Holdfast:
        """A client of it."""
        return Holdfast(self.listen, principal="tester@localhost")


@contextlib.asynccontextmanager
async def running_service(environment: Mapping[str, str] | None = None) -> AsyncIterator[Service]:
    """Run a service of one's own."""
    service = Service(environment)
    await service.start()
    try:
        yield service
    finally:
        await service.discard()


async def register(client: Holdfast, name: str, dsn: str) -> None:
    """Register a database by an inline DSN."""
    await client.add_database(name, DsnSource(inline=dsn))


async def final(items: AsyncIterator[core.Job | core.Event]) -> core.Job:
    """Follow a job to its end and return it; anything but success fails the test."""
    last: core.Job | core.Event | None = None
    async for item in items:
        last = item
    assert isinstance(last, core.Job)
    assert last.state == core.JOB_STATE_SUCCEEDED, f"{last.error_reason}: {last.error_message}"
    return last


async def every_relationship(client: Holdfast, name: str) -> dict[str, core.Relationship]:
    """All relationships of the latest audit, by id."""
    found: dict[str, core.Relationship] = {}
    token = ""
    while True:
        page = await client.list_relationships(name, page_size=500, page_token=token)
        found |= {item.id: item for item in page.relationships}
        token = page.next_page_token
        if not token:
            return found


async def apply_default_plan(client: Holdfast, name: str) -> tuple[core.Plan, core.Job]:
    """Plan without a policy, approve, apply; return plan and application."""
    plan = await client.plan(name)
    await client.approve_plan(plan.id)
    return plan, await final(client.apply(plan.id))
