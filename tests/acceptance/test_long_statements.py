"""A replica that ends amid a long statement, which waits for nobody: nothing of it is left behind, and another replica goes on."""

import signal
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import DsnSource
from support.fleet import POLICY, Fleet, is_running, running_fleet, send, until
from support.postgres import Server, database_name
from support.service import final

pytestmark = pytest.mark.slow

ROWS = 1_500_000
SHOP = f"""
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 1000);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO orders SELECT n, CASE WHEN n <= 3 THEN 5000 ELSE 1 + n % 1000 END, 'order' FROM generate_series(1, {ROWS}) AS n;
ANALYZE;
"""
#: Makes both statements take seconds.
SLOW = """
ALTER DATABASE {name} SET maintenance_work_mem = '1MB';
ALTER DATABASE {name} SET max_parallel_maintenance_workers = 0;
ALTER DATABASE {name} SET enable_hashjoin = off;
ALTER DATABASE {name} SET enable_mergejoin = off;
"""
OURS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, 'holdfast/')"
RUNS = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND starts_with(application_name, 'holdfast/') AND query LIKE $1
  AND wait_event_type IS DISTINCT FROM 'Lock'
"""
INVALID = """
SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid) + (SELECT count(*) FROM pg_constraint WHERE NOT convalidated)
"""
DONE = "SELECT step, count(*) AS times FROM holdfast.ledger WHERE entry = 'DONE' GROUP BY step"


@pytest.fixture(scope="module")
async def fleet(postgres: Server) -> AsyncIterator[Fleet]:
    async with running_fleet(postgres) as running:
        yield running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("statement", ["CREATE INDEX CONCURRENTLY%", "ALTER TABLE%VALIDATE CONSTRAINT%"], ids=["index", "validation"])
async def test_long_statement_of_a_replica_that_ends(fleet: Fleet, statement: str, number: signal.Signals) -> None:
    """SIGTERM stops the statement, SIGKILL leaves it to the target, which notices; the successor ends the job, once."""
    worker, other, _ = fleet.replicas
    dsn = await fleet.server.create_database()
    await fleet.server.execute(SHOP, database=database_name(dsn))
    for setting in SLOW.format(name=database_name(dsn)).strip().splitlines():
        await fleet.server.execute(setting)
    name = f"long-{statement[0]}-{number.name}".lower()
    async with other.client() as client:
        await client.add_database(name, DsnSource(inline=dsn))
        await final(client.audit(name))
        plan = await client.plan(name, POLICY)
        await client.approve_plan(plan.id)
        target = await asyncpg.connect(dsn)
        with fleet.only(worker):
            async with worker.client() as caller:
                job_id = (await caller.start_application(plan.id)).job.id
            await until(lambda: is_running(fleet, job_id))
        await until(lambda: target.fetchval(RUNS, statement))
        at = time.monotonic()
        send(worker, number)
        await worker.ended()
        gone = time.monotonic()
        left_at_exit = await target.fetchval(OURS.replace("'holdfast/'", f"'holdfast/{job_id}/1'"))
        job = await final(client.watch(job_id))
        events = [item async for item in client.watch(job_id) if isinstance(item, core.Event)]
        await until(lambda: _none_left(target))
        invalid, done = await target.fetchval(INVALID), await target.fetch(DONE)
        indexes = await target.fetchval("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass")
        await target.close()
    await worker.start()

    print(f"{number.name} amid {statement}: exit after {gone - at:.1f} s, {left_at_exit} sessions left then; {job.epoch=}")
    assert job.state == core.JOB_STATE_SUCCEEDED, job.error_message
    assert job.epoch == 2
    assert number is signal.SIGKILL or left_at_exit == 0
    assert [event.kind for event in events].count(core.EVENT_KIND_ENDED) == 1
    assert (invalid, indexes, {row["times"] for row in done}) == (0, 2, {1})


async def _none_left(target: asyncpg.Connection) -> bool:
    return await target.fetchval(OURS) == 0
