"""A session on a target and the job it works for, without queue and store: for tests of what the executor does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg

from holdfastd.errors import HoldfastError, LeaseLost
from holdfastd.execute.session import TargetSession, open_session
from holdfastd.jobs.model import EventKind, Happening, Job, JobKind, JobState, Progress

PROGRESS = Progress(activity="Work", total=1)


@dataclass(slots=True)
class Listener:
    """Hears what happens in a job, and can stop it."""

    happened: list[Happening] = field(default_factory=list)
    progress: Progress | None = None
    paused_by: str = ""
    #: Cancelled or LeaseLost, once the job is to stop.
    stop: HoldfastError | LeaseLost | None = None

    async def record(self, happening: Happening, *, progress: Progress | None = None) -> None:
        self.happened.append(happening)
        self.progress = progress or self.progress

    def raise_if_stopped(self) -> None:
        if self.stop is not None:
            raise self.stop

    async def heard(self, *, within: float) -> None:
        await asyncio.sleep(within)

    def of(self, kind: EventKind) -> list[Happening]:
        """What happened of one kind."""
        return [happening for happening in self.happened if happening.kind is kind]

    async def hear(self, kind: EventKind, text: str = "") -> Happening:
        """Wait until something of a kind happened, with a word in its message."""
        async with asyncio.timeout(20):
            while not (found := [happening for happening in self.of(kind) if text in happening.message]):
                await asyncio.sleep(0.02)
        return found[0]


@asynccontextmanager
async def working_session(dsn: str, *, tells_queries: bool = False) -> AsyncIterator[TargetSession]:
    """Open the session of some job."""
    job = Job(
        id="job-0",
        kind=JobKind.APPLICATION,
        state=JobState.RUNNING,
        database="shop",
        database_id="db-0",
        principal="test@localhost",
        create_time=datetime.now(UTC),
        epoch=1,
    )
    async with open_session(dsn, job, tells_queries=tells_queries) as session:
        yield session


async def wait_until(connection: asyncpg.Connection, question: str, *parameters: object) -> None:
    """Ask until the answer is true."""
    async with asyncio.timeout(20):
        while not await connection.fetchval(question, *parameters):
            await asyncio.sleep(0.02)
