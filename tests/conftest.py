"""Fixtures that every kind of test may use: real PostgreSQL servers, one per version and test process."""

import os
from collections.abc import AsyncIterator

import pytest

from support.postgres import MAJORS, Server, available_majors, database_name

# Before anything imports grpc: every process that tests start would print a line about forking.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[dict[int, Server]]:
    """Servers by major version, started when first asked for (see `server_of`)."""
    started: dict[int, Server] = {}
    try:
        yield started
    finally:
        for server in started.values():
            await server.stop()


async def server_of(started: dict[int, Server], major: int) -> Server:
    """Return the server of a version; the test is skipped where that version is not installed."""
    if major not in available_majors():
        pytest.skip(f"PostgreSQL {major} is not installed")
    if major not in started:
        server = started[major] = Server(major)
        await server.start()
    return started[major]


@pytest.fixture(scope="session")
async def postgres(servers: dict[int, Server]) -> Server:
    """A server of the newest version."""
    return await server_of(servers, 18)


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """DSN of an empty database, dropped afterwards."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(database_name(dsn))


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
def postgres_major(request: pytest.FixtureRequest) -> int:
    """Run the test once per major version."""
    return int(request.param)


@pytest.fixture
async def any_postgres(servers: dict[int, Server], postgres_major: int) -> Server:
    """A server of each major version in turn; skipped where a version is absent."""
    return await server_of(servers, postgres_major)


@pytest.fixture
async def any_database(any_postgres: Server) -> AsyncIterator[str]:
    """DSN of an empty database on each major version in turn, dropped afterwards."""
    dsn = await any_postgres.create_database()
    yield dsn
    await any_postgres.drop_database(database_name(dsn))
