"""Two versions on one store: the replica from before an upgrade works on beside the new one, which has migrated the store."""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import asyncpg
import grpc
import pytest
from cryptography.fernet import Fernet

from holdfast import Holdfast, HoldfastError
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Override, Policy
from support.postgres import Server
from support.service import Service, final, register

ROOT = Path(__file__).resolve().parents[2]
#: The version before identities, schedules and several replicas; its store has four migrations.
OLD = "804253bfbb478a1042be4e21af15762fac349160"
SHOP = """
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 100);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer NOT NULL);
INSERT INTO reports SELECT n, 50 + n FROM generate_series(1, 100) AS n;
"""
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


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the version before; skipped in a checkout without history."""
    archive = subprocess.run(["git", "archive", OLD, "service", "clients/python"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"this checkout does not have commit {OLD[:7]}, the version before the upgrade")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@asynccontextmanager
async def replica(store: str, key: str, sources: Path = ROOT) -> AsyncIterator[Service]:
    """Run a replica of the version whose sources are given."""
    paths = f"{sources / 'service'}:{sources / 'clients/python'}"
    service = Service({"HOLDFAST_STORE_URL": store, "HOLDFAST_SECRET_KEY": key, "PYTHONPATH": paths})
    try:
        await service.start()
        yield service
    finally:
        if service.process is not None and service.process.returncode is None:
            await service.stop()
        shutil.rmtree(service.home)


async def approved_plan(client: Holdfast, database: str) -> str:
    await register(client, "shop", database)
    await final(client.audit("shop"))
    plan = await client.plan("shop", DELETE_ORPHANS)
    await client.approve_plan(plan.id)
    return plan.id


async def wait_until_blocked(client: Holdfast, job_id: str) -> None:
    """Return as soon as the job waits for somebody's lock."""
    async for item in client.watch(job_id):
        if isinstance(item, core.Event) and item.kind == core.EVENT_KIND_LOCK_WAIT:
            return
    raise AssertionError("the job ended without waiting")


async def migrations(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("SELECT max(number) FROM holdfastd.migrations")


async def audit(client: Holdfast) -> None:
    """Audit; at the second try where the old version stumbles over what the migration changed, which later ones do not."""
    try:
        await final(client.audit("shop"))
    except HoldfastError as error:
        if error.code is not grpc.StatusCode.INTERNAL:
            raise
        await final(client.audit("shop"))


def jobs_of(service: Service) -> int:
    """How many jobs a replica has taken, from its log."""
    return service.log.count('"event": "job_taken"')


def start_in_vain(service: Service) -> str:
    """Start a replica that must not start; return what it says."""
    command = [sys.executable, "-m", "holdfastd", "serve", "--listen", service.listen, "--http", service.http]
    done = subprocess.run(command, env=os.environ | service.environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


@pytest.mark.slow
async def test_old_and_new_work_side_by_side(postgres: Server, database: str, old_version: Path) -> None:
    """The new replica migrates under a running job of the old one; both then work, watch and write one unbroken audit log."""
    store, key = await postgres.create_database(), Fernet.generate_key().decode()
    look, target = await asyncpg.connect(store), await asyncpg.connect(database)
    await target.execute(SHOP)
    async with replica(store, key, old_version) as old, old.client() as through_old:
        plan_id = await approved_plan(through_old, database)
        before = await migrations(look)
        # A writer of the application, in the way of ADD FOREIGN KEY.
        writer = target.transaction()
        await writer.start()
        await target.execute("UPDATE reports SET station_id = station_id WHERE id = 1")
        job_id = (await through_old.start_application(plan_id)).job.id
        await wait_until_blocked(through_old, job_id)

        async with replica(store, key) as new, new.client() as through_new:
            after = await migrations(look)
            watched = asyncio.create_task(final(through_new.watch(job_id)))
            await writer.rollback()
            applied, applied_again = await final(through_old.watch(job_id)), await watched
            taken = {service: jobs_of(service) for service in (old, new)}
            for _ in range(30):
                for client in (through_old, through_new):
                    await audit(client)
                if all(jobs_of(service) > taken[service] for service in (old, new)):
                    break
            else:
                raise AssertionError("one of the replicas takes no more jobs")
            await audit(through_old)
            # Started through the one, watched through the other.
            undone = await final(through_old.watch((await through_new.start_rollback(job_id)).job.id))
            log = await through_new.verify_entries()

            # Once stopped, the old version cannot come back.
            stopped = await old.stop()
            refused = await asyncio.to_thread(start_in_vain, old)
            await final(through_new.audit("shop"))
    await look.close()
    await target.close()

    assert before == 4 < after
    # One lease from beginning to end: the old replica was not disturbed by the migration.
    assert applied.epoch == applied_again.epoch == 1
    assert applied.verifications[0].backed_up_rows == 50
    assert undone.kind == core.JOB_KIND_ROLLBACK
    assert log.intact
    assert stopped == 0
    assert refused in (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert refused == "holdfastd: The store has migration 5, which this version does not know; start a newer Holdfast.\n"


async def test_a_migration_beside_a_running_replica_goes_unnoticed(postgres: Server, database: str) -> None:
    """What this version has prepared becomes invalid when a newer one adds columns; callers and jobs notice nothing of it."""
    store, key = await postgres.create_database(), Fernet.generate_key().decode()
    async with replica(store, key) as service, service.client() as client:
        target = await asyncpg.connect(database)
        await target.execute(SHOP)
        await target.close()
        await approved_plan(client, database)
        look = await asyncpg.connect(store)
        for table in await look.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'holdfastd'"):
            await look.execute(f"ALTER TABLE holdfastd.{table['name']} ADD COLUMN of_a_later_version text NOT NULL DEFAULT ''")
        await look.close()
        job = await final(client.audit("shop"))
        await client.plan("shop", DELETE_ORPHANS)
        log = service.log

    assert job.epoch == 1
    assert '"code": "INTERNAL"' not in log
    assert '"event": "rpc_failed"' not in log
    assert '"event": "job_broke"' not in log
