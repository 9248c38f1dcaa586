"""Restoring and purging as users do it, and kill -9 amid a restore: start again, same end, nothing twice."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from holdfast import Holdfast, HoldfastError
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Override, Policy
from support.equality import state_of
from support.postgres import Server
from support.service import Service, final, register, running_service

SHOP = """
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 100);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL);
INSERT INTO reports SELECT n, 50 + n FROM generate_series(1, 100) AS n;
CREATE TABLE visits (id integer PRIMARY KEY, station_id integer NOT NULL);
INSERT INTO visits SELECT n, 50 + n FROM generate_series(1, 100) AS n;
"""
TABLES = ("reports", "visits")
POLICY = Policy(
    overrides=[
        Override(
            relationship_id=f"public.{table}(station_id)->public.stations(id)",
            include=True,
            on_delete=core.ON_DELETE_CASCADE,
            orphan_action=core.ORPHAN_ACTION_DELETE,
        )
        for table in TABLES
    ]
)
#: Each cleanup has one batch; the second visit is the second batch.
PLACES = (
    "RESTORE.before_commit#2",
    *(pytest.param(place, marks=pytest.mark.slow) for place in ("RESTORE.begun#1", "RESTORE.executed#1", "RESTORE.committed#1")),
)


@pytest.fixture(scope="module")
async def fragile() -> AsyncIterator[Service]:
    """A service that tests kill."""
    async with running_service({"HOLDFAST_ALLOW_FAILPOINTS": "1"}) as running:
        yield running


async def applied(client: Holdfast, database: str) -> str:
    """Apply the plan to the shop and bring half of what was missing back; return the id of the application."""
    connection = await asyncpg.connect(database)
    await connection.execute(SHOP)
    await register(client, "shop", database)
    await final(client.audit("shop"))
    plan = await client.plan("shop", POLICY)
    await client.approve_plan(plan.id)
    job = await final(client.apply(plan.id))
    await connection.execute("INSERT INTO stations SELECT generate_series(101, 125)")
    await connection.close()
    return job.id


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_killed_while_restoring(postgres: Server, database: str, fragile: Service, place: str) -> None:
    """The next process ends the restore; what is back is back once, and a rollback brings the rest."""
    await fragile.stop()
    await fragile.start(HOLDFAST_FAILPOINTS=f"{place}=exit")
    async with fragile.client() as client:
        application = await applied(client, database)
        job_id = (await client.start_restore(application, relink=True)).job.id
        await fragile.ended()
    await fragile.start()
    connection = await asyncpg.connect(database)
    async with fragile.client() as client:
        job = await final(client.watch(job_id))
        restored = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
        await final(client.roll_back(application))
        await client.remove_database("shop")
    await connection.execute("DELETE FROM stations WHERE id > 100")
    await connection.close()

    assert (job.epoch > 1, job.kind, restored) == (True, core.JOB_KIND_RESTORE, [75, 75])
    assert [item.backed_up_rows for item in job.verifications] == [25, 25]
    after = await state_of(postgres, database)
    assert [len(after.rows[str(("public", table))]) for table in TABLES] == [100, 100]


async def test_restored_listed_and_purged_by_a_client(database: str, client: Holdfast) -> None:
    """The whole life of a backup through the contract: kept, partly back, purged; then gone for good."""
    application = await applied(client, database)
    with pytest.raises(HoldfastError) as refusal:
        await client.start_restore(application)
    assert (refusal.value.reason, refusal.value.metadata["relinkable"]) == ("RESTORE_REJECTED", "50")
    await final(client.restore(application, relink=True, relationship_ids=[POLICY.overrides[0].relationship_id]))
    (backup,) = (await client.list_backups("shop")).backups
    assert (backup.rows, backup.restored_rows) == (75, 25)
    assert [(item.table, item.rows) for item in backup.tables] == [("public.reports", 25), ("public.visits", 50)]

    with pytest.raises(HoldfastError) as refusal:
        await client.purge_backups("shop", plan_id=backup.plan_id)
    assert refusal.value.reason == "BACKUP_RETAINED"
    (purged,) = (await client.purge_backups("shop", older_than=timedelta())).backups
    assert (purged.rows, purged.restored_rows, purged.HasField("purge_time")) == (75, 25, True)
    with pytest.raises(HoldfastError) as refusal:
        await client.start_rollback(application)
    assert refusal.value.reason == "BACKUP_GONE"
    await client.remove_database("shop")
