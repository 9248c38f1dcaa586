"""Databases are audited by themselves, by whichever replica is there, and what came of it can be followed over time."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from google.protobuf.duration_pb2 import Duration

from holdfast import Holdfast, HoldfastError
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1.database_service_pb2 import DsnSource
from holdfast.v1.schedule_service_pb2 import Schedule
from support.postgres import Server, database_name
from support.service import Service

HOURLY = Schedule(interval=Duration(seconds=3600))
ORDERS = "public.orders(customer_id)->public.customers(id)"
NOTES = "public.notes(customer_id)->public.customers(id)"
TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 200);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers);
INSERT INTO orders SELECT n, n FROM generate_series(1, 200) AS n;
ALTER TABLE orders DISABLE TRIGGER ALL;
UPDATE orders SET customer_id = id + 1000 WHERE id <= 3;
ALTER TABLE orders ENABLE TRIGGER ALL;
"""


@pytest.fixture
async def store(postgres: Server) -> AsyncIterator[str]:
    """DSN of the store of all replicas."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(database_name(dsn))


@pytest.fixture
async def replicas(store: str, database: str) -> AsyncIterator[list[Service]]:
    """Three replicas that share a store and know where the shop is."""
    environment = {"HOLDFAST_STORE_URL": store, "SHOP_DSN": database}
    services = [Service(environment) for _ in range(3)]
    try:
        for service in services:
            await service.start()
        yield services
    finally:
        for service in services:
            if service.process is not None and service.process.returncode is None:
                await service.kill()
            shutil.rmtree(service.home, ignore_errors=True)


async def pass_hours(store: str, hours: float) -> None:
    """Let the schedules believe that it is so much later."""
    connection = await asyncpg.connect(store)
    shift = "UPDATE holdfastd.schedules SET due_time = due_time - $1 * interval '1 hour', next_time = next_time - $1 * interval '1 hour'"
    await connection.execute(shift, hours)
    await connection.close()


async def audits_that_ended(client: Holdfast, count: int) -> list[audit_pb.Audit]:
    """Wait until so many audits succeeded, and return all there are, newest first."""
    async with asyncio.timeout(40):
        while True:
            found = list((await client.list_audits(database="shop")).audits)
            if sum(audit.state == audit_pb.AUDIT_STATE_SUCCEEDED for audit in found) >= count:
                return found
            await asyncio.sleep(0.2)


async def holdfast(service: Service, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    command = (sys.executable, "-m", "holdfast.cli", "--server", service.listen, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=os.environ | {"COLUMNS": "120"})
    out, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode or 0, out.decode()


async def test_three_replicas_keep_a_schedule(replicas: list[Service], store: str, database: str) -> None:
    """One audit per due time; its history, its comparison, and the runs that nobody was there for."""
    first, second, _ = replicas
    target = await asyncpg.connect(database)
    await target.execute(TABLES)
    async with first.client() as client:
        await client.add_database("shop", DsnSource(env="SHOP_DSN"))
        schedule = (await client.set_schedule("shop", HOURLY)).schedule
        assert (schedule.database, schedule.last_audit_id) == ("shop", "")

        await pass_hours(store, 1)
        (audit,) = await audits_that_ended(client, 1)
        await target.execute("CREATE TABLE notes (id integer PRIMARY KEY, customer_id integer REFERENCES customers)")
        await target.execute("ALTER TABLE orders DISABLE TRIGGER ALL")
        await target.execute("UPDATE orders SET customer_id = id + 1000 WHERE id <= 15")
        await pass_hours(store, 1)
        later, earlier = await audits_that_ended(client, 2)
        assert earlier.id == audit.id
        assert {(await client.get_job(each.job_id)).job.principal for each in (earlier, later)} == {"schedule:shop"}

        # Nothing but the counts is said of the rows; any replica answers.
        async with second.client() as other:
            counts = (await other.list_orphan_counts("shop", relationship_id=ORDERS)).counts
            compared = await other.compare_audits("shop")
        assert [(count.audit_id, count.orphan_rows.value) for count in counts] == [(later.id, 15), (earlier.id, 3)]
        changes = {change.relationship_id: (change.kind, change.message) for change in compared.relationships}
        assert changes[ORDERS] == (audit_pb.CHANGE_KIND_CHANGED, "12 more orphan rows")
        assert changes[NOTES][0] == audit_pb.CHANGE_KIND_APPEARED
        appeared = {change.finding.id for change in compared.findings if change.kind == audit_pb.CHANGE_KIND_APPEARED}
        assert f"disabled_key:{ORDERS}" in appeared

        for service in replicas:
            await service.stop()
        await pass_hours(store, 3.5)
        await second.start()

    async with second.client() as client, asyncio.timeout(20):
        while not (schedule := (await client.get_schedule("shop")).schedule).missed_runs:
            await asyncio.sleep(0.1)
        assert (schedule.missed_runs, schedule.last_audit_id) == (3, later.id)
        assert schedule.missed_reason.startswith("No replica was there to start it at ")
        assert '"schedule_missed"' in second.log
        actions = [entry.action for entry in (await client.list_entries(database="shop")).entries]
        assert (actions.count("audit.start"), actions.count("schedule.miss")) == (2, 1)

        code, out = await holdfast(second, "history", "shop", "orders.customer_id")
        assert (code, out.count("audit-")) == (0, 2)
        assert (await holdfast(second, "audits", "compare", "shop", "--fail-on", "warn"))[0] == 1
        code, out = await holdfast(second, "-o", "json", "schedules", "set", "shop", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin")
        assert (code, json.loads(out)["schedule"]["cron"]) == (0, "30 2 * * *")
        await client.remove_database("shop")
        assert list((await client.list_schedules()).schedules) == []
    await target.close()


async def test_what_can_never_be_due_is_refused(client: Holdfast) -> None:
    """With the field and an example, whether or not there is such a database."""
    for schedule, field in (
        (Schedule(cron="0 0 30 2 *"), "schedule.cron"),
        (Schedule(cron="0 2 * * *", time_zone="Mars/Base"), "schedule.time_zone"),
        (Schedule(interval=Duration(seconds=30)), "schedule.interval"),
    ):
        with pytest.raises(HoldfastError) as refused:
            await client.set_schedule("nowhere", schedule)
        assert (refused.value.reason, refused.value.metadata["field"]) == ("INVALID_FIELD", field)
