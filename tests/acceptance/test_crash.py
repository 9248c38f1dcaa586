"""kill -9 in the middle: start again, and the job ends by itself, every row accounted for."""

import asyncio

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Override, Policy
from support.equality import state_of
from support.postgres import Server
from support.service import Service, final, register, running_service

ORPHANS = 200_000
BIG = f"""
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 1000);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL, note text);
INSERT INTO reports SELECT n, CASE WHEN n % 2 = 0 THEN 5000 + n % 700 ELSE 1 + n % 1000 END, 'report ' || n
  FROM generate_series(1, {2 * ORPHANS}) AS n;
ANALYZE;
"""


#: Said, not left to advice: these tests are about crashes.
DELETE_ORPHANS = Policy(
    overrides=[
        Override(
            relationship_id="public.reports(station_id)->public.stations(id)",
            include=True,
            on_delete=core.ON_DELETE_CASCADE,
            orphan_action=core.ORPHAN_ACTION_DELETE,
        )
    ]
)


async def load(database: str, sql: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(database)
    await connection.execute(sql)
    return connection


async def approved_plan(client: Holdfast, database: str) -> str:
    await register(client, "shop", database)
    await final(client.audit("shop"))
    plan = await client.plan("shop", DELETE_ORPHANS)
    await client.approve_plan(plan.id)
    return plan.id


async def last_job(client: Holdfast, job_id: str) -> core.Job:
    """Follow a job over restarts of the service to its end."""
    return await final(client.watch(job_id))


@pytest.mark.slow
async def test_killed_amid_two_hundred_thousand_orphans(database: str) -> None:
    """The batches that were committed stay, the others follow; nothing is done twice and nothing is lost."""
    connection = await load(database, BIG)
    async with running_service() as service:
        async with service.client() as client:
            job_id = (await client.start_application(await approved_plan(client, database))).job.id
            while not await saved_rows(connection):
                await asyncio.sleep(0.02)
            await service.kill()
        interrupted = await saved_rows(connection)
        await service.start()
        async with service.client() as client:
            job = await last_job(client, job_id)

        assert 0 < interrupted < ORPHANS
        assert job.epoch > 1
        assert job.verifications[0].backed_up_rows == ORPHANS == await saved_rows(connection)
        assert await connection.fetchval("SELECT count(*) FROM reports") == ORPHANS
        assert await connection.fetchval("SELECT count(DISTINCT (row_image::public.reports).id) FROM holdfast.backup") == ORPHANS
    await connection.close()


async def saved_rows(connection: asyncpg.Connection) -> int:
    if not await connection.fetchval("SELECT to_regclass('holdfast.backup') IS NOT NULL"):
        return 0
    return int(await connection.fetchval("SELECT count(*) FROM holdfast.backup"))


SMALL = """
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 100);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL);
INSERT INTO reports SELECT n, 50 + n FROM generate_series(1, 100) AS n;
"""
#: Every place has its turn in tests/chaos; here the whole server dies, with its embedded store, and its lease runs out by itself.
PLACES = ("CREATE_INDEX.effected#1", "CLEAN_UP.before_commit#1")


@pytest.fixture(scope="module")
async def fragile() -> Service:
    """A service that tests kill."""
    async with running_service({"HOLDFAST_ALLOW_FAILPOINTS": "1"}) as running:
        yield running


@pytest.mark.parametrize("place", PLACES)
async def test_killed_at_a_step_boundary(postgres: Server, database: str, fragile: Service, place: str) -> None:
    """Wherever the process dies, the next one ends the job; rolling back still ends equal."""
    await (await load(database, SMALL)).close()
    before = await state_of(postgres, database)
    await fragile.stop()
    await fragile.start(HOLDFAST_FAILPOINTS=f"{place}=exit")
    async with fragile.client() as client:
        job_id = (await client.start_application(await approved_plan(client, database))).job.id
        await fragile.ended()
    await fragile.start()
    async with fragile.client() as client:
        job = await last_job(client, job_id)
        await final(client.roll_back(job_id))
        await client.remove_database("shop")

    assert job.epoch > 1
    assert job.verifications[0].backed_up_rows == 50
    assert await state_of(postgres, database) == before


async def test_killed_while_rolling_back(postgres: Server, database: str, fragile: Service) -> None:
    """A rollback that dies half-way is ended by the next process, and ends equal."""
    await (await load(database, SMALL)).close()
    before = await state_of(postgres, database)
    await fragile.stop()
    await fragile.start(HOLDFAST_FAILPOINTS="RESTORE.before_commit#1=exit")
    async with fragile.client() as client:
        plan_id = await approved_plan(client, database)
        application = await final(client.apply(plan_id))
        job_id = (await client.start_rollback(application.id)).job.id
        await fragile.ended()
    await fragile.start()
    async with fragile.client() as client:
        await last_job(client, job_id)
        await client.remove_database("shop")

    assert await state_of(postgres, database) == before


async def test_connections_cut_and_server_restarted(postgres: Server, database: str, client: Holdfast) -> None:
    """Sessions ended under the executor are opened again; the job goes on where it was."""
    connection = await load(database, BIG.replace(str(2 * ORPHANS), "100000"))
    job_id = (await client.start_application(await approved_plan(client, database))).job.id
    for _ in range(3):
        await asyncio.sleep(0.4)
        sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1"
        pids = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'holdfast/job-%' AND datname = current_database()"
        for row in await connection.fetch(pids):
            await connection.execute(sessions, row["pid"])
    job = await last_job(client, job_id)

    assert job.verifications[0].backed_up_rows == 50_000
    assert await connection.fetchval("SELECT count(*) FROM reports") == 50_000
    await connection.close()
    await client.remove_database("shop")
