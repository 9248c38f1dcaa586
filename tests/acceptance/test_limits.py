"""The limits that docs/limits.md states, with real replicas and the real client."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import RenderPlanRequest
from holdfast.v1.plan_service_pb2_grpc import PlanServiceStub
from holdfastd.jobs.model import Job, JobState
from holdfastd.store import leases
from holdfastd.store.pool import Store
from support.postgres import Server, database_name
from support.service import Service, every_relationship, final, register, running_service
from support.stored import add_audit, add_database, an_event

IDLE_MB = 120
WATCHERS = 500
EVENTS = 10_000


@pytest.fixture
async def store_dsn(postgres: Server) -> AsyncIterator[str]:
    """A database for a store that replicas share."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(database_name(dsn))


@pytest.fixture
async def store(store_dsn: str) -> AsyncIterator[Store]:
    """The store, to put jobs into."""
    store = await Store.open(store_dsn)
    yield store
    await store.close()


def resident_mb(service: Service) -> float:
    """What a replica holds in memory."""
    assert service.process is not None
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


async def taken(store: Store) -> Job:
    """A job that no replica works on."""
    await add_audit(store, await add_database(store))
    async with store.transaction() as connection:
        job = await leases.claim(connection, "test", timedelta(minutes=10))
    assert job is not None
    return job


async def append(store: Store, job: Job, count: int) -> None:
    for _ in range(count):
        async with store.transaction() as connection:
            await leases.append_event(connection, job, an_event())


async def finish(store: Store, job: Job) -> None:
    async with store.transaction() as connection:
        await leases.finish(connection, job, JobState.SUCCEEDED)


async def sequences(client: Holdfast, job_id: str, begun: asyncio.Semaphore | None = None) -> list[int]:
    """Watch a job to its end and return the sequences of its events."""
    heard = []
    async for item in client.watch(job_id):
        if begun is not None and isinstance(item, core.Job):
            begun.release()
            begun = None
        if isinstance(item, core.Event):
            heard.append(item.sequence)
    return heard


@pytest.mark.slow
async def test_five_hundred_watchers_on_two_replicas(store: Store, store_dsn: str) -> None:
    """Each hears every event once; an idle replica is small, and it is small again when they have gone."""
    job = await taken(store)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(running_service({"HOLDFAST_STORE_URL": store_dsn})) for _ in range(2)]
        idle = [resident_mb(replica) for replica in replicas]
        clients = [await stack.enter_async_context(replica.client()) for replica in replicas]
        begun = asyncio.Semaphore(0)
        watches = [asyncio.create_task(sequences(clients[number % 2], job.id, begun)) for number in range(WATCHERS)]
        async with asyncio.timeout(30):
            for _ in range(WATCHERS):
                await begun.acquire()
        await append(store, job, 20)
        await finish(store, job)
        async with asyncio.timeout(30):
            heard = await asyncio.gather(*watches)
        for client in clients:
            await client.list_jobs()
        after = [resident_mb(replica) for replica in replicas]
    print("idle", idle, "after", after)

    assert heard == [list(range(1, 22))] * WATCHERS
    assert max(idle) <= IDLE_MB
    assert max(after) <= IDLE_MB


@pytest.mark.slow
async def test_ten_thousand_events_are_watched_from_the_first(store: Store, store_dsn: str) -> None:
    """All of them, in order, within seconds."""
    job = await taken(store)
    async with store.transaction() as connection:
        insert = "INSERT INTO events (job_id, sequence, document) SELECT $1, number, $2 FROM generate_series(1, $3::bigint) AS number"
        await connection.execute(insert, job.id, '{"kind": "PROGRESS", "message": "8 of 10 relationships counted."}', EVENTS - 1)
        await connection.execute("UPDATE jobs SET last_sequence = $2 WHERE id = $1", job.id, EVENTS - 1)
    await finish(store, job)
    async with running_service({"HOLDFAST_STORE_URL": store_dsn}) as service, service.client() as client:
        begun = time.perf_counter()
        heard = await sequences(client, job.id)
        print(f"{EVENTS} events in {time.perf_counter() - begun:.1f} s; {resident_mb(service):.0f} MB")

        assert heard == list(range(1, EVENTS + 1))
        assert resident_mb(service) <= IDLE_MB + 10


@pytest.mark.slow
async def test_two_thousand_relationships(postgres: Server, store_dsn: str) -> None:
    """They are audited, listed page by page, planned and rendered; the plan fits into one message of the client."""
    target = await postgres.create_database()
    await fill(target, 2_000)
    async with running_service({"HOLDFAST_STORE_URL": store_dsn}) as service, service.client() as client:
        await register(client, "wide", target)
        begun = time.perf_counter()
        await final(client.audit("wide"))
        audited = time.perf_counter()
        found = await every_relationship(client, "wide")
        listed = time.perf_counter()
        plan = await client.plan("wide")
        planned = time.perf_counter()
        script = await PlanServiceStub(client._channel).RenderPlan(RenderPlanRequest(id=plan.id))
        sizes = [len((await client.get_plan(plan.id)).SerializeToString()), len(script.SerializeToString())]
        print(
            f"audit {audited - begun:.1f} s, list {listed - audited:.1f} s, plan {planned - listed:.1f} s, "
            f"{len(plan.steps)} steps, GetPlan and RenderPlan {sizes} bytes, {resident_mb(service):.0f} MB"
        )

        assert len(found) == 2_000
        assert len(plan.steps) >= 4_000
        assert max(sizes) < 64 * 1024 * 1024
    await postgres.drop_database(database_name(target))


async def fill(dsn: str, count: int) -> None:
    """Make tables that reference one, without saying so."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE hub (id bigint PRIMARY KEY); INSERT INTO hub SELECT generate_series(1, 5)")
    for first in range(0, count, 250):
        tables = (
            f"CREATE TABLE spoke_{number} (id bigint PRIMARY KEY, hub_id bigint); INSERT INTO spoke_{number} VALUES (1, 1), (2, 2)"
            for number in range(first, first + 250)
        )
        await connection.execute(";".join(tables))
    await connection.execute("ANALYZE")
    await connection.close()
