"""The guards that hardly ever have to act, each made to act: fence, lock, half-built index, a row that came in between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from holdfastd.errors import Conflict, LeaseLost, Reason
from holdfastd.execute import failpoints, ledger
from holdfastd.execute.session import open_session
from holdfastd.flows import jobs, migrations
from holdfastd.flows.backups import purge_backups
from holdfastd.target.identity import read_identity
from integration.execute.scenarios import delete
from support.harness import CALLER, Harness, harness
from support.postgres import Server

SQL = """
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 20);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL);
INSERT INTO reports SELECT n, 10 + n / 2 FROM generate_series(1, 40) AS n;
"""
DELETE = delete("public.reports(station_id)->public.stations(id)")


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application."""
    connection = await asyncpg.connect(database)
    await connection.execute(SQL)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(postgres: Server, database: str, connection: asyncpg.Connection) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        await running.register(database)
        await running.audit()
        yield running
    failpoints.arm("")


async def wait_until(connection: asyncpg.Connection, question: str) -> None:
    async with asyncio.timeout(30):
        while not await connection.fetchval(question):
            await asyncio.sleep(0.02)


async def test_who_was_overtaken_may_not_write(replica: Harness, database: str, connection: asyncpg.Connection) -> None:
    """The fence lets only the last job and epoch write, whatever the sessions think."""
    job = await replica.apply(await replica.plan("shop", DELETE))
    async with open_session(database, job) as session:
        await ledger.claim(session, await read_identity(session.work))
        await connection.execute("UPDATE holdfast.fence SET epoch = epoch + 1")

        with pytest.raises(LeaseLost):
            await ledger.hold_fence(session)


async def test_who_slept_does_not_end_its_successor(replica: Harness, database: str) -> None:
    """Only sessions of earlier epochs are ended; who finds one of a later epoch has lost the job."""
    job = await replica.apply(await replica.plan("shop", DELETE))
    async with open_session(database, replace(job, epoch=10)) as successor:
        with pytest.raises(LeaseLost):
            async with open_session(database, replace(job, epoch=9)):
                pass

        assert await successor.work.fetchval("SELECT 1") == 1


@pytest.mark.slow
async def test_two_jobs_do_not_work_on_one_database(replica: Harness, database: str) -> None:
    """The second finds the lock taken, by the first session's application name."""
    job = await replica.apply(await replica.plan("shop", DELETE))
    other = await replica.roll_back(job)
    async with open_session(database, job):
        with pytest.raises(Conflict) as refused:
            async with open_session(database, other):
                pass

    assert refused.value.reason is Reason.DATABASE_BUSY
    assert job.id in refused.value.message


async def test_half_built_index_is_built_again(replica: Harness, connection: asyncpg.Connection) -> None:
    """What a build left behind invalid is dropped and built anew, not taken for done."""
    plan = await replica.plan("shop", DELETE)
    name = next(step.object_name for step in plan.plan.steps if step.kind == "CREATE_INDEX")
    failpoints.arm("CREATE_INDEX.before_exec#1=raise")
    broken = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    # What a build leaves behind that was cut off, without having to cut one off at the right moment.
    await connection.execute(f"CREATE INDEX {name} ON reports (station_id)")
    await connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", name)
    ended = await replica.apply(plan)

    assert broken.error_reason == "INTERNAL"
    assert ended.verifications[0].validated
    assert await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = $1::regclass", name)


@pytest.mark.slow
async def test_row_that_came_before_ours_was_put_back(replica: Harness, connection: asyncpg.Connection) -> None:
    """A key that is taken after the look and before the restore stops the rollback; nothing is overwritten or left out."""
    application = await replica.apply(await replica.plan("shop", DELETE))
    failpoints.arm("RESTORE.begun#1=sleep:1")
    job = await migrations.roll_back(replica.services, CALLER, application.id)
    await wait_until(connection, "SELECT count(*) = 0 FROM pg_constraint WHERE contype = 'f'")
    await connection.execute("INSERT INTO reports VALUES (40, 1)")
    ended = await replica.end(job)

    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert await connection.fetchval("SELECT station_id FROM reports WHERE id = 40") == 1
    assert await connection.fetchval("SELECT count(*) FROM holdfast.backup WHERE restored_by IS NOT NULL") == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", ["PURGE.before_commit", "PURGE.committed"])
async def test_purge_that_broke_is_done_again(replica: Harness, connection: asyncpg.Connection, place: str) -> None:
    """A purge ends between whole batches: what is gone is marked, what is there is whole, and purging again ends it."""
    plan = await replica.plan("shop", DELETE)
    await replica.apply(plan)
    failpoints.arm(f"{place}#1=raise")
    with pytest.raises(failpoints.FailpointReached):
        await purge_backups(replica.services, CALLER, "shop", plan.id, timedelta())
    left = await connection.fetchval("SELECT count(*) FROM holdfast.backup")
    failpoints.arm("")
    if left:
        await purge_backups(replica.services, CALLER, "shop", plan.id, timedelta())

    assert left == (19 if place == "PURGE.before_commit" else 0)
    assert await connection.fetchval("SELECT count(*) FROM holdfast.backup") == 0


@pytest.mark.slow
async def test_cancelled_between_two_steps(replica: Harness, connection: asyncpg.Connection) -> None:
    """A cancelled application can be rolled back, and leaves nothing half done."""
    plan = await replica.plan("shop", DELETE)
    failpoints.arm("ADD_FOREIGN_KEY.effected#1=sleep:1")
    job = await migrations.apply(replica.services, CALLER, plan.id)
    await wait_until(connection, "SELECT count(*) = 1 FROM pg_constraint WHERE contype = 'f'")
    await jobs.cancel(replica.services, CALLER, job.id)
    ended = await replica.end(job)
    await replica.roll_back(ended)

    assert ended.state == "CANCELLED"
    assert await connection.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 0
    assert await connection.fetchval("SELECT count(*) FROM reports") == 40
