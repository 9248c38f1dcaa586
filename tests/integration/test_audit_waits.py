"""An audit that somebody holds up says who it is, while it waits and when it gives up."""

import asyncio

import asyncpg
import pytest

from holdfastd.flows import audits
from holdfastd.jobs.model import EventKind, JobState
from support.harness import CALLER, harness
from support.postgres import Server

SHOP = """
CREATE TABLE customers (id integer PRIMARY KEY);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer DEFAULT 0 CHECK (customer_id > -1));
"""


@pytest.fixture
async def blocker(database: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(database, server_settings={"application_name": "somebody"})
    await connection.execute(SHOP)
    yield connection
    await connection.close()


async def test_an_audit_names_who_holds_it_up(postgres: Server, database: str, blocker: asyncpg.Connection) -> None:
    """By application and pid, in an event and in what it waits for; it goes on when the lock is gone."""
    async with harness(postgres) as replica:
        await replica.register(database)
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        _, job = await audits.start(replica.services, CALLER, "shop")
        async with asyncio.timeout(14):
            async for event in replica.events(job):
                if event.happening.kind is EventKind.LOCK_WAIT:
                    break
        await transaction.rollback()
        ended = await replica.end(job)

    assert "somebody" in event.happening.message
    assert [each.pid for each in event.happening.blockers] == [blocker.get_server_pid()]
    assert ended.state is JobState.SUCCEEDED


@pytest.mark.slow
async def test_an_audit_that_gives_up_names_whom_it_gave_way_to(postgres: Server, database: str, blocker: asyncpg.Connection) -> None:
    """The failure says whose lock it was."""
    async with harness(postgres) as replica:
        await replica.register(database)
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        _, job = await audits.start(replica.services, CALLER, "shop")
        ended = await replica.end(job)
        await transaction.rollback()

    assert (ended.state, ended.error_reason) == (JobState.FAILED, "LOCK_TIMEOUT")
    assert f"pid {blocker.get_server_pid()} (somebody" in ended.error_message
