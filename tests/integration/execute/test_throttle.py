"""What a throttle sees of a real server, and through whose eyes."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from conftest import server_of
from holdfastd.execute import throttle
from holdfastd.execute.throttle import Throttling
from holdfastd.jobs.model import Throttle
from holdfastd.store.unprivileged import give_to
from holdfastd.target.session import connect
from support.postgres import Server


@asynccontextmanager
async def observing(dsn: str, **limits: float) -> AsyncIterator[Throttling]:
    observer = await connect(dsn, application_name="holdfast/job-1/1", read_only=True)
    try:
        yield Throttling(observer=observer, throttle=Throttle(**limits))
    finally:
        await observer.close()


async def until(throttling: Throttling, limit: str | None) -> str:
    """Look until a limit is exceeded, or none is; return what is said about it."""
    async with asyncio.timeout(20):
        while True:
            found = await throttling.exceeded()
            if [excess.limit for excess in found] == ([limit] if limit else []):
                return "".join(excess.text for excess in found)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def busy_sessions(dsn: str, count: int, statement: str = "SELECT pg_sleep(60)") -> AsyncIterator[None]:
    connections = [await asyncpg.connect(dsn) for _ in range(count)]
    working = [asyncio.create_task(connection.execute(statement)) for connection in connections]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for connection in connections:
            await connection.close()


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_LOOK_EVERY_SECONDS", 0.2)


async def plain_role(server: Server, name: str) -> None:
    await server.execute(f"DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN")


async def test_active_sessions_are_counted_without_privileges(postgres: Server, database: str) -> None:
    """A role that may see nothing of other sessions knows at least how many are in a transaction; idle ones do not count."""
    await plain_role(postgres, "throttle_plain")
    name = database.rsplit("/", 1)[-1]
    idle = [await asyncpg.connect(database) for _ in range(6)]
    try:
        for dsn in (database, postgres.dsn(name, role="throttle_plain")):
            async with observing(dsn, max_active_sessions=3) as throttling:
                await until(throttling, None)
                async with busy_sessions(database, 5):
                    said = await until(throttling, "max_active_sessions")
                await until(throttling, None)
            assert said.endswith("other sessions are active (limit 3)")
            assert int(said.split()[0]) == 5
    finally:
        for connection in idle:
            await connection.close()
        await postgres.execute("DROP ROLE throttle_plain")


async def test_wal_rate_of_a_writer(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE filled (pad text)")
        write = """
            DO $$ BEGIN FOR n IN 1 .. 400 LOOP
              INSERT INTO filled SELECT repeat('x', 1000) FROM generate_series(1, 500); PERFORM pg_sleep(0.02);
            END LOOP; END $$
        """
        async with observing(database, max_wal_bytes_per_second=2_000_000) as throttling:
            await until(throttling, None)
            async with busy_sessions(database, 1, write):
                said = await until(throttling, "max_wal_rate")
            await until(throttling, None)
    finally:
        await connection.close()

    assert said.endswith("of WAL are written a second (limit 2 MB)")


@pytest.fixture(scope="module")
async def pair(servers: dict[int, Server]) -> AsyncIterator[tuple[Server, Server]]:
    """A primary, and a standby that streams from it."""
    await server_of(servers, 18)
    primary, standby = Server(18), Server(18)
    await primary.start()
    try:
        access = primary.home / "data" / "pg_hba.conf"
        access.write_text(access.read_text() + "host replication all 127.0.0.1/32 trust\n")
        await primary.execute("SELECT pg_reload_conf()")
        standby.home = Path(tempfile.mkdtemp(prefix=f"holdfast-pg{standby.major}-"))
        standby.home.chmod(0o711)
        (standby.home / "owner").write_text(str(os.getpid()))
        give_to(standby.home, standby._account)
        source = f"host=127.0.0.1 port={primary.port} user=postgres"
        await standby.program("pg_basebackup", "-d", source, "-D", f"{standby.home}/data", "-R", "-X", "stream", "-c", "fast", "--no-sync")
        await standby.restart()
        try:
            yield primary, standby
        finally:
            await standby.stop()
    finally:
        await primary.stop()


async def test_replica_that_replays_nothing_holds_back_until_it_does(pair: tuple[Server, Server]) -> None:
    """While replay stands still the primary's own figures do."""
    primary, standby = pair
    async with observing(primary.dsn(), max_replica_lag_seconds=1.5) as throttling:
        await until(throttling, None)
        await standby.execute("SELECT pg_wal_replay_pause()")
        await primary.execute("CREATE TABLE news (id integer)")
        said = await until(throttling, "max_replica_lag")
        await standby.execute("SELECT pg_wal_replay_resume()")
        await until(throttling, None)

    assert said.startswith("replica walreceiver is ")
    assert said.endswith(" s behind (limit 1.5 s)")


async def test_lag_that_may_not_be_seen_is_told_once(pair: tuple[Server, Server]) -> None:
    """Holding back for ever because a GRANT is missing would help nobody."""
    primary, _ = pair
    await plain_role(primary, "throttle_blind")
    async with observing(primary.dsn(role="throttle_blind"), max_replica_lag_seconds=0.001) as throttling:
        assert await throttling.exceeded() == ()
        said, throttling.blind = throttling.blind, ""
        throttling._last = None
        assert await throttling.exceeded() == ()

    assert said == "How far 1 replica(s) are behind is not visible: GRANT pg_monitor to the role; nothing is held back for it."
    assert throttling.blind == ""
