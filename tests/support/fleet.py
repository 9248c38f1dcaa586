"""Three replicas on one store, each a process of its own; the last one reaches the store, and one of the targets, through proxies."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import asyncpg
from cryptography.fernet import Fernet

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import DsnSource
from holdfast.v1.plan_service_pb2 import Override, Policy
from support.postgres import Server, database_name
from support.proxy import Proxy, proxied
from support.service import Service, final

#: References that lead the last replica through its proxy, and the others straight to the target; each serves one migration.
FAR, FAR_TOO = "HOLDFAST_TEST_FAR_TARGET", "HOLDFAST_TEST_FAR_TARGET_TOO"
#: How long a replica that was asked to stop serves on.
DRAIN_SECONDS = 1
#: Three orphan rows; large enough for an index build to be seen.
SHOP = """
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 100);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO orders SELECT n, CASE WHEN n <= 3 THEN 1000 ELSE 1 + n % 100 END, 'order' FROM generate_series(1, 20000) AS n;
ANALYZE;
"""
POLICY = Policy(
    overrides=[
        Override(
            relationship_id="public.orders(customer_id)->public.customers(id)",
            include=True,
            on_delete=core.ON_DELETE_CASCADE,
            orphan_action=core.ORPHAN_ACTION_DELETE,
        )
    ]
)
_IS_BUILDING = "SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%'"


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The replicas, the server that holds their store and targets, and the proxies of the last replica."""

    server: Server
    replicas: tuple[Service, ...]
    store_dsn: str
    #: By reference.
    far_dsns: dict[str, str]
    to_store: Proxy
    to_target: Proxy

    def others(self, than: Service) -> tuple[Service, ...]:
        """Every replica but one."""
        return tuple(replica for replica in self.replicas if replica is not than)

    @contextmanager
    def only(self, replica: Service) -> Iterator[None]:
        """Let nobody but one replica take jobs; for a moment, less than a lease lasts."""
        for other in self.others(replica):
            send(other, signal.SIGSTOP)
        try:
            yield
        finally:
            for other in self.others(replica):
                send(other, signal.SIGCONT)

    async def ask(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Ask the store."""
        connection = await asyncpg.connect(self.store_dsn, server_settings={"search_path": "holdfastd"})
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()


def send(replica: Service, number: signal.Signals) -> None:
    """Send a signal to a replica."""
    assert replica.process is not None
    replica.process.send_signal(number)


@asynccontextmanager
async def running_fleet(server: Server) -> AsyncIterator[Fleet]:
    """Run three replicas."""
    store = await server.create_database()
    far = {name: await server.create_database() for name in (FAR, FAR_TOO)}
    async with proxied(server.port) as to_store, proxied(server.port) as to_target:
        settings = {
            "HOLDFAST_SECRET_KEY": Fernet.generate_key().decode(),
            "HOLDFAST_LOG_FORMAT": "json",
            "HOLDFAST_DRAIN_SECONDS": str(DRAIN_SECONDS),
        }
        near = settings | {"HOLDFAST_STORE_URL": store} | far
        through = settings | {"HOLDFAST_STORE_URL": store.replace(f":{server.port}/", f":{to_store.port}/")}
        through |= {name: dsn.replace(f":{server.port}/", f":{to_target.port}/") for name, dsn in far.items()}
        replicas = (Service(near), Service(near), Service(through))
        try:
            await asyncio.gather(*(replica.start() for replica in replicas))
            yield Fleet(server=server, replicas=replicas, store_dsn=store, far_dsns=far, to_store=to_store, to_target=to_target)
        finally:
            to_store.heal()
            for replica in replicas:
                with contextlib.suppress(ProcessLookupError):
                    send(replica, signal.SIGCONT)
            await asyncio.gather(*(replica.discard() for replica in replicas))
            for dsn in (store, *far.values()):
                await server.drop_database(database_name(dsn))


@dataclass(slots=True, kw_only=True)
class Migration:
    """An application that a replica works on: its index build waits for a transaction of somebody else."""

    fleet: Fleet
    worker: Service
    dsn: str
    job_id: str
    blocker: asyncpg.Connection
    #: Through another replica, what is told of the job.
    following: asyncio.Task[tuple[tuple[core.Event, ...], core.Job]]
    #: When each event arrived there (monotonic seconds), by sequence.
    heard: dict[int, float] = field(default_factory=dict)

    async def let_go(self) -> None:
        """End the transaction that is waited for."""
        await self.blocker.close()

    async def taken_over(self, within: float = 20.0) -> float:
        """Wait until another replica has the job, and return when that was heard (monotonic seconds)."""
        async with asyncio.timeout(within):
            while (await self.fleet.ask("SELECT epoch FROM jobs WHERE id = $1", self.job_id))[0]["epoch"] < 2:
                await asyncio.sleep(0.05)
        return time.monotonic()

    async def backends(self, epoch: int) -> int:
        """How many sessions on the target an epoch has."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
        return int((await self.fleet.ask(query, f"holdfast/{self.job_id}/{epoch}"))[0]["count"])

    async def ended(self, within: float = 30.0) -> tuple[tuple[core.Event, ...], core.Job]:
        """Follow the job to its end."""
        return await asyncio.wait_for(asyncio.shield(self.following), within)


@asynccontextmanager
async def migrating(
    fleet: Fleet, worker: Service, *, watcher: Service, name: str, source: DsnSource | None = None
) -> AsyncIterator[Migration]:
    """Have one replica apply a plan to a new database, until its index build waits; followed through another replica."""
    dsn = fleet.far_dsns[source.env] if source else await fleet.server.create_database()
    await fleet.server.execute(SHOP, database=database_name(dsn))
    async with watcher.client() as client:
        await client.add_database(name, source or DsnSource(inline=dsn))
        await final(client.audit(name))
        plan = await client.plan(name, POLICY)
        await client.approve_plan(plan.id)
        blocker = await asyncpg.connect(dsn)
        await blocker.execute("BEGIN; UPDATE orders SET note = 'busy' WHERE id = 10")
        with fleet.only(worker):
            async with worker.client() as caller:
                job_id = (await caller.start_application(plan.id)).job.id
            await until(lambda: is_running(fleet, job_id))
        migration = Migration(
            fleet=fleet, worker=worker, dsn=dsn, job_id=job_id, blocker=blocker, following=asyncio.create_task(_follow(client, job_id))
        )
        try:
            await until(lambda: is_building(dsn))
            yield migration
        finally:
            await blocker.close()
            migration.following.cancel()
            await asyncio.gather(migration.following, return_exceptions=True)


async def _follow(client: Holdfast, job_id: str) -> tuple[tuple[core.Event, ...], core.Job]:
    events, last = [], None
    async for item in client.watch(job_id):
        if isinstance(item, core.Event):
            events.append(item)
        last = item
    assert isinstance(last, core.Job)
    return tuple(events), last


async def is_running(fleet: Fleet, job_id: str) -> bool:
    """Tell whether somebody works on a job."""
    return bool((await fleet.ask("SELECT state = 'RUNNING' AS so FROM jobs WHERE id = $1", job_id))[0]["so"])


async def is_building(dsn: str) -> bool:
    """Tell whether an index build waits for a writer."""
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval(_IS_BUILDING))
    finally:
        await connection.close()


async def until(is_so: Callable[[], Awaitable[bool]], within: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within):
        while not await is_so():
            await asyncio.sleep(0.02)
