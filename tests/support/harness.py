"""A Holdfast without its network edge: a store, a worker and the flows, on a real PostgreSQL. For tests of what flows do."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from holdfastd.flows import audits, databases, jobs, migrations, plans
from holdfastd.flows.context import Caller, DsnSource, Services
from holdfastd.flows.runners import runners
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import Event, Job
from holdfastd.jobs.worker import Worker
from holdfastd.plan.model import Override
from holdfastd.store import audits as stored_audits
from holdfastd.store.model import DsnKind, PlanRecord
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from support.postgres import Server, database_name

CALLER = Caller(principal="test@localhost")


@dataclass(slots=True)
class Harness:
    """One replica; every method does one thing that a caller would ask for, and waits for its end."""

    services: Services
    #: Makes the worker give its jobs back; watches go on.
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    async def register(self, dsn: str, name: str = "shop") -> str:
        await databases.add(self.services, CALLER, name, DsnSource(kind=DsnKind.INLINE, value=dsn))
        return name

    async def audit(self, name: str = "shop") -> dict[str, Relationship]:
        audit, job = await audits.start(self.services, CALLER, name)
        await self.succeed(job)
        async with self.services.store.connection() as connection:
            return {item.id: item for item in await stored_audits.all_relationships(connection, audit.id)}

    async def plan(self, name: str = "shop", *overrides: Override) -> PlanRecord:
        record = await plans.create(self.services, CALLER, name, "", overrides)
        return await plans.approve(self.services, CALLER, record.id, "")

    async def apply(self, plan: PlanRecord) -> Job:
        return await self.succeed(await migrations.apply(self.services, CALLER, plan.id))

    async def roll_back(self, application: Job) -> Job:
        return await self.succeed(await migrations.roll_back(self.services, CALLER, application.id))

    async def end(self, job: Job) -> Job:
        """Wait for the end of a job."""
        last = job
        async for item in jobs.watch(self.services, job.id, 0):
            if isinstance(item, Job):
                last = item
        return last

    async def events(self, job: Job) -> AsyncIterator[Event]:
        """Yield what happens in a job, from its first event to its end."""
        async for item in jobs.watch(self.services, job.id, 0):
            if isinstance(item, tuple):
                for event in item:
                    yield event

    async def succeed(self, job: Job) -> Job:
        """Wait for the end of a job and make sure that it is a good one."""
        ended = await self.end(job)
        assert ended.state == "SUCCEEDED", f"{ended.error_reason}: {ended.error_message}"
        return ended


@asynccontextmanager
async def harness(server: Server) -> AsyncIterator[Harness]:
    """Start a replica on a store of its own."""
    dsn = await server.create_database()
    store = await Store.open(dsn)
    with tempfile.TemporaryDirectory() as folder:
        services = Services(store=store, secrets=Secrets(None, Path(folder)), stopping=asyncio.Event(), environment={})
        worker = Worker(store, "test", runners(services), poll=timedelta(seconds=0.2))
        leaving = asyncio.Event()
        running = asyncio.create_task(worker.run(leaving))
        try:
            yield Harness(services, leaving)
        finally:
            leaving.set()
            services.stopping.set()
            await running
            await store.close()
            await server.drop_database(database_name(dsn))
