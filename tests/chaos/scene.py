"""The stage of the fault tests: a replica in this process, a target behind a proxy, and a session of our own that goes around it.

The store and the target are on different servers, so that a target can be stopped while the replica goes on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from chaos import checker
from chaos.checker import Key, State, counted, read_state
from holdfastd.execute import failpoints
from holdfastd.flows import migrations
from holdfastd.jobs.model import Event, Job
from holdfastd.plan.model import Override
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import delete
from support.harness import CALLER, Harness, harness
from support.postgres import SUPERUSER, Server, database_name
from support.proxy import Proxy, proxied

#: The fault is over: so long may the service take to end the job.
LIVELY_SECONDS = 60.0

ORPHANS = 50
#: 50 orphan rows with dependents, a key to add and validate, an index to build.
SCHEMA = f"""
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 100);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL, note text);
INSERT INTO reports SELECT n, {ORPHANS} + n, 'report ' || n FROM generate_series(1, 100) AS n;
CREATE TABLE lines (id integer PRIMARY KEY, report_id integer NOT NULL REFERENCES reports ON DELETE CASCADE);
INSERT INTO lines SELECT n, n FROM generate_series(1, 100) AS n;
CREATE INDEX ON lines (report_id);
ANALYZE;
"""
RELATIONSHIP = "public.reports(station_id)->public.stations(id)"
KEYS = (
    Key(
        referencing="public.reports",
        columns=("station_id",),
        referenced="public.stations",
        referenced_columns=("id",),
        orphans="delete",
    ),
    Key(referencing="public.lines", columns=("report_id",), referenced="public.reports", referenced_columns=("id",)),
)
SAVED = 2 * ORPHANS


@dataclass(slots=True, kw_only=True)
class Scene:
    """One target and one replica."""

    server: Server
    dsn: str
    replica: Harness
    proxy: Proxy
    before: State

    async def planned(self, *overrides: Override) -> PlanRecord:
        """Audit and plan; the orphan rows of RELATIONSHIP are deleted unless told otherwise."""
        await self.replica.audit()
        return await self.replica.plan("shop", *(overrides or (delete(RELATIONSHIP),)))

    async def start(self, plan: PlanRecord) -> Job:
        """Begin to apply."""
        return await migrations.apply(self.replica.services, CALLER, plan.id)

    async def start_rollback(self, application: Job) -> Job:
        """Begin to roll back."""
        return await migrations.roll_back(self.replica.services, CALLER, application.id)

    async def end(self, job: Job, *, within: float = LIVELY_SECONDS) -> Job:
        """Wait for the end of a job; a job that hangs fails the test."""
        async with asyncio.timeout(within):
            return await self.replica.end(job)

    async def succeed(self, job: Job, *, within: float = LIVELY_SECONDS) -> Job:
        """Wait for the end of a job, which must be a good one."""
        ended = await self.end(job, within=within)
        assert ended.state == "SUCCEEDED", f"{ended.error_reason}: {ended.error_message}"
        return ended

    async def events(self, job: Job) -> list[Event]:
        """All that happened in a job that has ended."""
        return [event async for event in self.replica.events(job)]

    async def ask(self, question: str, *arguments: object) -> object:
        """Ask the target one question, around the proxy."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(question, *arguments)
        finally:
            await connection.close()

    async def wait_until(self, question: str, *, within: float = 20.0) -> None:
        """Ask the target until the answer is true."""
        connection = await asyncpg.connect(self.dsn)
        try:
            async with asyncio.timeout(within):
                while not await connection.fetchval(question):
                    await asyncio.sleep(0.02)
        finally:
            await connection.close()

    async def state(self) -> State:
        """Read the target as it is now."""
        return await read_state(self.server, self.dsn)

    async def check_applied(self, application: Job) -> None:
        """What must hold of a finished application, as the checker sees it, which shares nothing with the engine."""
        now, saved = await self.state(), await checker.read_backup(self.dsn, self.before.columns)
        checker.conserved(self.before, now, saved, keys=KEYS)
        checker.only_doomed(self.before, saved, KEYS)
        checker.cleaned(self.before, now, KEYS)
        await checker.ledger_explains(self.dsn, finished=True)
        await checker.no_half_built_index(self.dsn)
        await self.check_left()
        question = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'reports'::regclass AND convalidated"
        assert await self.ask(question) == 1
        assert application.verifications[0].backed_up_rows == SAVED == len(saved)

    async def check_left(self) -> None:
        """Nothing of the job is left running or locked."""
        await checker.nothing_left(self.dsn)

    async def roll_back(self, application: Job) -> None:
        """Roll back without faults; the database is as it was before."""
        await self.succeed(await self.start_rollback(application))
        await self.check_back()

    async def check_back(self) -> None:
        """The database is as it was before, and nobody works on it."""
        checker.same(await self.state(), self.before)
        await self.check_left()


@asynccontextmanager
async def staged(store: Server, target: Server, sql: str = SCHEMA, *, role: str = SUPERUSER) -> AsyncIterator[Scene]:
    """Set the stage. `role`: whom the service works as; it owns the database."""
    dsn = await target.create_database()
    name = database_name(dsn)
    if role != SUPERUSER:
        await target.execute(f"CREATE ROLE {role} LOGIN; ALTER DATABASE {name} OWNER TO {role}")
        await target.execute(f"ALTER SCHEMA public OWNER TO {role}", database=name)
    await target.execute(f"SET ROLE {role}; {sql}", database=name)
    async with proxied(target.port) as proxy, harness(store) as replica:
        await replica.register(f"postgresql://{role}@127.0.0.1:{proxy.port}/{name}")
        try:
            yield Scene(server=target, dsn=dsn, replica=replica, proxy=proxy, before=await read_state(target, dsn))
            counted.cases += 1
            counted.majors.add(target.major)
        finally:
            failpoints.arm("")
            proxy.heal()
    await target.drop_database(name)
    if role != SUPERUSER:
        await target.execute(f"DROP ROLE {role}")
