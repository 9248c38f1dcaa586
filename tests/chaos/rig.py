"""One sample database, ready to be hurt again and again: audited, planned and approved once, then copied for every case.

A copy keeps its name and its oid, so that the service takes it for the database that it knows; the store is copied along with it.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from chaos import checker
from chaos.checker import Made, State, counted
from chaos.databases import Sample
from chaos.replica import Nursery, Replica
from holdfastd.flows import migrations
from holdfastd.flows.context import Services
from holdfastd.jobs.model import Job
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from support.harness import CALLER, Harness
from support.postgres import Server


@dataclass(slots=True, kw_only=True)
class Rig:
    """A sample on one server. `before`, `after`: its state before and after an application without faults."""

    server: Server
    nursery: Nursery
    sample: Sample
    folder: Path
    plan_id: str = ""
    application_id: str = ""
    oid: int = 0
    before: State = field(init=False)
    after: State = field(init=False)
    apply_places: tuple[str, ...] = ()
    rollback_places: tuple[str, ...] = ()
    #: What the plan's steps make, by number.
    steps: dict[int, Made] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the target; the store's and the copies' begin with it."""
        return f"chaos_{self.sample.name}"

    @property
    def dsn(self) -> str:
        """The target."""
        return self.server.dsn(self.name)

    @property
    def store(self) -> str:
        """The store."""
        return self.server.dsn(f"{self.name}_store")

    async def prepare(self) -> None:
        """Audit, plan, approve; apply and roll back once without faults, to learn every place that is passed."""
        for database in (self.name, f"{self.name}_store"):
            await self.server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            await self.server.create_database(database)
        await self.server.execute(self.sample.sql + "; ANALYZE", database=self.name)
        self.before = await checker.read_state(self.server, self.dsn)
        self.oid = int(await self.ask("SELECT oid FROM pg_database WHERE datname = current_database()"))
        await self._plan()
        await self.keep("planned")
        trace = self.folder / "apply"
        async with self.services() as harness, self.replica(trace=trace):
            job = await migrations.apply(harness.services, CALLER, self.plan_id)
            self.application_id = (await harness.succeed(job)).id
        self.apply_places = _places(trace)
        self.after = await checker.read_state(self.server, self.dsn)
        checker.cleaned(self.before, self.after, self.sample.keys)
        await self.keep("applied")
        trace = self.folder / "rollback"
        async with self.services() as harness, self.replica(trace=trace):
            await harness.succeed(await migrations.roll_back(harness.services, CALLER, self.application_id))
        self.rollback_places = _places(trace)
        checker.same(await checker.read_state(self.server, self.dsn), self.before)

    async def _plan(self) -> None:
        async with self.services() as harness, self.replica():
            await harness.register(self.dsn)
            await harness.audit()
            plan = await harness.plan("shop", *self.sample.overrides)
        self.plan_id = plan.id
        columns = {decision.relationship_id: decision.referencing.columns for decision in plan.plan.decisions}
        self.steps = {
            step.number: Made(
                kind=step.kind, name=step.object_name, table=str(step.table), columns=tuple(columns.get(step.relationship_id, ()))
            )
            for step in plan.plan.steps
        }

    async def keep(self, moment: str) -> None:
        """Keep a copy of target and store as they are now."""
        for database in (self.name, f"{self.name}_store"):
            copy = f"{database}_{moment}"
            await self.server.execute(f"DROP DATABASE IF EXISTS {copy}")
            await self.server.create_database(copy, template=database)

    async def go_back(self, moment: str) -> None:
        """Make target and store what they were at a moment."""
        for database, options in ((self.name, f"OID = {self.oid}"), (f"{self.name}_store", "")):
            await self.server.execute(f"DROP DATABASE {database} WITH (FORCE)")
            await self.server.execute(f"CREATE DATABASE {database} TEMPLATE {database}_{moment} {options}")

    @asynccontextmanager
    async def services(self) -> AsyncIterator[Harness]:
        """What a caller may ask for; nobody works on it unless a replica runs."""
        store = await Store.open(self.store)
        try:
            yield Harness(Services(store=store, secrets=Secrets(None, self.folder), stopping=asyncio.Event(), environment={}))
        finally:
            await store.close()

    async def start(self, *, failpoints: str = "", trace: Path | None = None, ttl: float = 8.0) -> Replica:
        """Start a replica."""
        return await self.nursery.start(self.store, self.folder, failpoints=failpoints, trace=str(trace or ""), ttl=ttl)

    @asynccontextmanager
    async def replica(self, *, failpoints: str = "", trace: Path | None = None) -> AsyncIterator[Replica]:
        """Run a replica; it is asked to stop at the end."""
        running = await self.start(failpoints=failpoints, trace=trace)
        try:
            yield running
        finally:
            assert await running.stop() == 0

    async def crash(self, harness: Harness, job: Job, place: str, action: str = "exit") -> bool:
        """Let a replica work on a job until it dies at a place; tell whether it did, or the job ended before.

        The lease of the dead is ended at once: that it runs out by itself is another test's matter.
        """
        replica = await self.start(failpoints=f"{place}={action}")
        ending = asyncio.create_task(harness.end(job))
        died = asyncio.create_task(replica.ended())
        await asyncio.wait({ending, died}, return_when=asyncio.FIRST_COMPLETED)
        has_died = died.done()
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        if not has_died:
            await replica.stop()
        assert await died in (-9, 0), f"the replica ended with {await died} at {place}"
        await self.end_leases()
        counted.crashes += await died == -9
        return await died == -9

    async def end_leases(self) -> None:
        """Let the leases of dead replicas run out."""
        connection = await asyncpg.connect(self.store)
        try:
            await connection.execute("UPDATE holdfastd.jobs SET lease_end = clock_timestamp() WHERE state = 'RUNNING'")
        finally:
            await connection.close()

    async def ask(self, question: str) -> object:
        """Ask the target one question."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()


@asynccontextmanager
async def rigged(server: Server, nursery: Nursery, sample: Sample) -> AsyncIterator[Rig]:
    """Prepare a sample, and drop all its databases at the end."""
    with tempfile.TemporaryDirectory() as folder:
        counted.majors.add(server.major)
        rig = Rig(server=server, nursery=nursery, sample=sample, folder=Path(folder))
        await rig.prepare()
        yield rig
        for database in (rig.name, f"{rig.name}_store"):
            for copy in (database, f"{database}_planned", f"{database}_applied"):
                await server.drop_database(copy)


def _places(trace: Path) -> tuple[str, ...]:
    return tuple(trace.read_text().split())
