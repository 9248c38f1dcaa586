"""Shops to check a plan on, and the plan."""

from collections.abc import AsyncIterator

import pytest

from conftest import server_of
from holdfastd.plan.model import Plan
from support.harness import Harness, harness
from support.postgres import Server, database_name
from support.shop import OVERRIDES, TABLES, Shop, open_shop

#: Prepared transactions, subscribers, an archive, an eager autovacuum, and a small lock table.
ODD = """
max_prepared_transactions = 5
wal_level = logical
archive_mode = on
autovacuum_naptime = 1s
max_connections = 20
max_locks_per_transaction = 10
"""


@pytest.fixture(scope="session")
async def plan(servers: dict[int, Server]) -> Plan:
    """What an audit of the shop leads to: two keys with an index each, and two cleanups."""
    server = await server_of(servers, 18)
    dsn = await server.create_database()
    await server.execute(TABLES, database=database_name(dsn))
    async with harness(server) as replica:
        await replica.register(dsn)
        await replica.audit()
        record = await replica.plan("shop", *OVERRIDES)
    await server.drop_database(database_name(dsn))
    return record.plan


@pytest.fixture
async def shop(postgres: Server, plan: Plan) -> AsyncIterator[Shop]:
    """A shop on the newest version."""
    async with open_shop(postgres, plan) as made:
        yield made


@pytest.fixture
async def any_shop(any_postgres: Server, plan: Plan) -> AsyncIterator[Shop]:
    """A shop on each version in turn."""
    async with open_shop(any_postgres, plan) as made:
        yield made


@pytest.fixture(scope="session")
async def odd_server() -> AsyncIterator[Server]:
    """A server with settings that others lack, for tests to change further."""
    server = Server(18)
    await server.start()
    try:
        with (server.home / "data" / "postgresql.conf").open("a") as settings:
            settings.write(ODD)
        await server.halt("fast")
        await server.restart()
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def odd_shop(odd_server: Server, plan: Plan) -> AsyncIterator[Shop]:
    """A shop on that server."""
    async with open_shop(odd_server, plan) as made:
        yield made


@pytest.fixture(scope="session")
async def replica(servers: dict[int, Server]) -> AsyncIterator[Harness]:
    """A Holdfast whose store is on none of the servers that tests do odd things to."""
    async with harness(await server_of(servers, 18)) as started:
        yield started
