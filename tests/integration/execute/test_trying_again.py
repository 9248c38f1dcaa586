"""Connections that break, or seem to: a job goes on as often as it takes while it gets on, and is not cut off while the server works."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.execute import lifeline, pace
from holdfastd.flows import migrations, run_migration
from holdfastd.jobs.model import EventKind
from holdfastd.store.jobs import events_after
from holdfastd.target.session import close, connect
from integration.execute.scenarios import delete
from support.harness import CALLER, Harness, harness
from support.listener import wait_until
from support.postgres import Server, database_name

#: Orphan rows for many batches.
ORDERS = """
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 20);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer);
INSERT INTO orders SELECT n, CASE WHEN n <= 400 THEN 1000 + n ELSE 1 + n % 20 END FROM generate_series(1, 600) AS n;
CREATE INDEX ON orders (customer_id);
CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.1); RETURN NULL; END $$;
CREATE TRIGGER doze AFTER DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION doze();
"""
KEY = "public.orders(customer_id)->public.customers(id)"
END = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND starts_with(application_name, 'holdfast/')"
)
#: Interruptions of the job; more than it has tries.
CUTS = 4


@pytest.fixture
async def replica(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        yield running


@pytest.fixture
async def other(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    yield connection
    await connection.close()


async def test_scattered_disconnects_do_not_use_up_the_tries(
    database: str, replica: Harness, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that gets on between its disconnects has all its tries again each time."""
    monkeypatch.setattr(run_migration, "_TRIES", CUTS - 1)
    monkeypatch.setattr(run_migration, "_LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(pace, "_LARGEST_BATCH", 40)
    monkeypatch.setattr(pace, "_SMALLEST_BATCH", 40)
    await replica.register(database)
    await replica.audit()
    plan = await replica.plan("shop", delete(KEY))
    job = await migrations.apply(replica.services, CALLER, plan.id)
    for _ in range(CUTS):
        left = await other.fetchval("SELECT count(*) FROM orders")
        await wait_until(other, "SELECT count(*) < $1 FROM orders", left)
        assert await other.fetchval(END) > 0
    ended = await replica.succeed(job)
    told = [event.happening async for event in replica.events(job)]

    assert sum(each.kind is EventKind.RETRY and "Attempt" in each.message for each in told) >= CUTS
    assert sum(item.backed_up_rows for item in ended.verifications) == 400


async def test_tries_that_get_nothing_done_are_limited(
    postgres: Server, database: str, replica: Harness, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that is told differently each time is nothing done: a job whose session always ends while it waits ends, too.

    The tries count on when it is passed on in between, and comes back because there is no other replica.
    """
    monkeypatch.setattr(run_migration, "_TRIES", CUTS - 1)
    monkeypatch.setattr(run_migration, "_TRIES_IN_A_ROW", CUTS - 2)
    monkeypatch.setattr(run_migration, "_STAYS_AWAY_SECONDS", 0.3)
    monkeypatch.setattr(run_migration, "_LONGEST_PAUSE_SECONDS", 0.1)
    await other.execute("DROP INDEX orders_customer_id_idx")
    await replica.register(database)
    await replica.audit()
    plan = await replica.plan("shop", delete(KEY))
    await other.execute("BEGIN; UPDATE orders SET customer_id = customer_id WHERE id = 500")
    job = await migrations.apply(replica.services, CALLER, plan.id)
    ending = asyncio.create_task(replica.end(job))
    cutter = await asyncpg.connect(postgres.dsn(database_name(database)))
    try:
        async with asyncio.timeout(30):
            waits = 0
            while not ending.done():
                async with replica.services.store.connection() as connection:
                    told = [event.happening.kind for event in await events_after(connection, job.id, 0, 1000)].count(EventKind.LOCK_WAIT)
                if told > waits:
                    waits = told
                    await cutter.execute(END)
                await asyncio.sleep(0.05)
    finally:
        ending.cancel()
        await cutter.close()
        await other.execute("ROLLBACK")

    ended = await ending
    assert (ended.error_reason, ended.epoch) == ("TARGET_UNREACHABLE", 2)
    # The first try made the schema; the others nothing.
    assert waits == CUTS


async def test_server_that_tells_no_states_is_waited_for(
    postgres: Server, database: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where track_activities is off nobody can tell whether the server works: a long statement is not cut off."""
    monkeypatch.setattr(lifeline, "_LOOK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(lifeline, "_PATIENCE_SECONDS", 0.3)
    await postgres.execute(f"ALTER DATABASE {database_name(database)} SET track_activities = off")
    working = await connect(database, application_name="holdfast/job/1", read_only=False)
    try:
        async with lifeline.lifeline(database, "holdfast/job/1", working):
            state = await other.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", working.get_server_pid())
            assert await working.fetchval("SELECT 'done' FROM pg_catalog.pg_sleep(1.5)") == "done"
    finally:
        await close(working)
    assert state == "disabled"
