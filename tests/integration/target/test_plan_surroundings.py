"""Room, replication, archive and settings around a plan: each check both ways, on a real server."""

import asyncio
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from holdfastd.errors import Reason
from holdfastd.target.preflight.check import Check, Outcome, size
from holdfastd.target.preflight.look import look
from holdfastd.target.preflight.needs import needs_of_plan
from holdfastd.target.preflight.relations import read_relations
from holdfastd.target.preflight.room import read_room
from holdfastd.target.session import connect
from support.postgres import Server, database_name
from support.shop import Shop


async def test_room_on_this_machine(shop: Shop) -> None:
    """The disk of a server that runs here can be asked; its directory only by who may see it."""
    disk = (await shop.checks())["disk"]
    assert disk.passed
    assert " are free where the server keeps its data. Needed are about " in disk.message

    hidden = (await shop.checks(shop.role_dsn))["disk"]
    assert hidden.outcome is Outcome.WARNING
    assert "Needed are about " in hidden.message
    await shop.execute(hidden.cure)
    assert (await shop.checks(shop.role_dsn))["disk"].passed


async def test_the_estimated_room_is_what_an_index_takes(shop: Shop) -> None:
    """Between what it really takes and three times that: never too low."""
    await shop.execute("INSERT INTO sales.orders SELECT n, n, 'x' FROM generate_series(3001, 60000) AS n; ANALYZE sales.orders")
    connection = await connect(shop.dsn, application_name="test", read_only=True)
    try:
        needs = needs_of_plan(shop.plan)
        room = await read_room(connection, needs, await read_relations(connection, needs.tables))
    finally:
        await connection.close()
    await shop.execute("CREATE INDEX built ON sales.orders (customer_id)")
    async with shop.session() as other:
        taken = await other.fetchval("SELECT pg_relation_size('sales.built')")

    assert taken <= room.largest_index <= 3 * taken
    assert room.total > room.indexes + room.backup + room.wal


async def test_limits_that_an_index_build_meets(shop: Shop) -> None:
    """Sorting spills to temporary files, and everything is logged."""
    checks = await shop.checks()
    assert checks["temporary_files"].passed
    assert checks["write_ahead_log"].passed

    await shop.execute("INSERT INTO sales.orders SELECT n, n, 'x' FROM generate_series(3001, 30000) AS n; ANALYZE sales.orders")
    await shop.execute(f"ALTER DATABASE {shop.name} SET temp_file_limit = '64kB'")
    found = (await shop.checks())["temporary_files"]
    assert found.outcome is Outcome.WARNING
    assert size(64 * 1024) in found.message


async def test_publications(odd_shop: Shop) -> None:
    """Cleaning up a table without replica identity would fail; with one, subscribers still get no keys."""
    assert (await odd_shop.checks())["publications"].passed

    await odd_shop.execute("CREATE PUBLICATION feed FOR TABLE sales.notes")
    refused = (await odd_shop.checks())["publications"]
    assert (refused.outcome, refused.reason) == (Outcome.BLOCKS_APPLICATION, Reason.PLAN_INFEASIBLE)
    assert "sales.notes" in refused.message
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await odd_shop.execute("DELETE FROM sales.notes WHERE customer_id = 1000")

    await odd_shop.execute(refused.cure.partition(" (")[0])
    warned = (await odd_shop.checks())["publications"]
    assert warned.outcome is Outcome.WARNING
    assert "sales.notes (feed)" in warned.message

    await odd_shop.execute("ALTER TABLE sales.notes REPLICA IDENTITY DEFAULT; ALTER PUBLICATION feed SET (publish = 'insert, update')")
    assert (await odd_shop.checks())["publications"].outcome is Outcome.WARNING


async def test_subscriptions(odd_shop: Shop) -> None:
    """Keys do not look at what a subscription writes: an orphan row arrives under a validated key."""
    source = await odd_shop.server.create_database()
    await odd_shop.server.execute(
        "CREATE SCHEMA sales; CREATE TABLE sales.orders (id integer PRIMARY KEY, customer_id integer, note text);"
        "CREATE PUBLICATION feed FOR TABLE sales.orders",
        database=database_name(source),
    )
    await odd_shop.server.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')", database=database_name(source))
    await odd_shop.execute("DELETE FROM sales.orders; ALTER TABLE sales.orders ADD FOREIGN KEY (customer_id) REFERENCES people.customers")
    assert (await odd_shop.checks())["subscriptions"].passed
    try:
        await odd_shop.execute(
            f"CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port={odd_shop.server.port} user=postgres dbname={database_name(source)}'"
            " PUBLICATION feed WITH (create_slot = false, copy_data = false)"
        )
        found = (await odd_shop.checks())["subscriptions"]
        assert found.outcome is Outcome.WARNING
        assert "sales.orders (feed)" in found.message

        await odd_shop.server.execute("INSERT INTO sales.orders VALUES (1, 4711)", database=database_name(source))
        async with odd_shop.session() as other, asyncio.timeout(20):
            while not await other.fetchval("SELECT count(*) FROM sales.orders WHERE customer_id = 4711"):
                await asyncio.sleep(0.05)
    finally:
        await odd_shop.execute("DROP SUBSCRIPTION IF EXISTS feed")
        await odd_shop.server.drop_database(database_name(source))


async def test_replication_slots(odd_shop: Shop) -> None:
    """Nobody reads it: the server keeps everything for it."""
    assert (await odd_shop.checks())["replication_slots"].passed

    await odd_shop.execute("SELECT pg_create_physical_replication_slot('left_behind', true)")
    try:
        found = (await odd_shop.checks())["replication_slots"]
        assert found.outcome is Outcome.WARNING
        assert "left_behind" in found.message
    finally:
        await odd_shop.execute("SELECT pg_drop_replication_slot('left_behind')")


async def test_a_synchronous_standby_that_is_missing(odd_shop: Shop) -> None:
    """Every commit would hang, so nothing is begun."""
    assert (await odd_shop.checks())["synchronous_standbys"].passed

    async with server_setting(odd_shop.server, "synchronous_standby_names", "ANY 2 (a, b, c)"):
        found = (await odd_shop.checks())["synchronous_standbys"]
        assert (found.outcome, found.reason) == (Outcome.BLOCKS_APPLICATION, Reason.TARGET_READ_ONLY)
        assert "asks for 2, and 0 follow" in found.message


async def test_a_follower_is_seen(odd_shop: Shop, follower: None) -> None:
    """In sync it lets commits through; a role that may not see it is not told that all is well."""
    async with server_setting(odd_shop.server, "synchronous_standby_names", "follower"):
        await until(odd_shop, "synchronous_standbys", lambda check: check.passed)
        hidden = await odd_shop.checks(odd_shop.role_dsn)
    standbys = (await odd_shop.checks())["standbys"]

    assert standbys.passed
    assert standbys.message.startswith("1 standby follows: follower is ")
    assert [hidden[name].message.split(":")[0] for name in ("standbys", "synchronous_standbys")] == ["Could not be told"] * 2


@pytest.fixture
async def follower(odd_server: Server, tmp_path: Path) -> AsyncIterator[None]:
    """A program that receives the server's log as a standby would."""
    access = odd_server.home / "data" / "pg_hba.conf"
    access.write_text(access.read_text() + "host replication all 127.0.0.1/32 trust\n")
    await odd_server.execute("SELECT pg_reload_conf()")
    source = f"host=127.0.0.1 port={odd_server.port} user=postgres application_name=follower"
    options = ("--dbname", source, "--directory", str(tmp_path), "--synchronous", "--status-interval=1")
    program = odd_server.binaries.program("pg_receivewal")
    process = await asyncio.create_subprocess_exec(program, *options, stdout=DEVNULL, stderr=DEVNULL)
    yield
    process.terminate()
    await process.wait()


async def test_the_archive(odd_shop: Shop) -> None:
    """Off, failing, and working."""
    async with odd_shop.session() as other:
        off = await other.fetchval("SHOW archive_command")
    assert off in ("", "(disabled)")
    async with server_setting(odd_shop.server, "archive_command", "/bin/false"):
        await odd_shop.execute("CREATE TABLE public.t (); SELECT pg_switch_wal()")
        failing = await until(odd_shop, "archive", lambda check: "fails" in check.message)
        assert failing.outcome is Outcome.WARNING
    async with server_setting(odd_shop.server, "archive_command", "/bin/true"):
        await odd_shop.execute("CREATE TABLE public.u (); SELECT pg_switch_wal()")
        working = await until(odd_shop, "archive", lambda check: check.passed)
        assert working.message.startswith("Write-ahead log was archived ")


async def test_no_archive(shop: Shop) -> None:
    """As far as the server tells."""
    found = (await shop.checks())["archive"]

    assert found.outcome is Outcome.WARNING
    assert "as far as the server tells" in found.message


async def test_event_triggers(shop: Shop) -> None:
    """Named; disabled ones, and those for other commands, fire on nothing of the plan."""
    await shop.execute(
        "CREATE FUNCTION public.look() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER off ON ddl_command_end EXECUTE FUNCTION public.look(); ALTER EVENT TRIGGER off DISABLE;"
        "CREATE EVENT TRIGGER other ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION public.look()"
    )
    assert (await shop.checks())["event_triggers"].passed

    await shop.execute("CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION public.look()")
    found = (await shop.checks())["event_triggers"]
    assert found.outcome is Outcome.WARNING
    assert "guard (ddl_command_start)" in found.message


async def test_settings_of_the_database(shop: Shop) -> None:
    """Timeouts are overridden and told; what nobody overrides is warned about."""
    before = await shop.checks()
    assert before["autovacuum"].passed
    assert before["lock_table"].passed

    await shop.execute(
        f"ALTER DATABASE {shop.name} SET statement_timeout = '5s'; ALTER DATABASE {shop.name} SET track_counts = off;"
        f"ALTER DATABASE {shop.name} SET session_replication_role = replica"
    )
    after = await shop.checks()
    assert after["session_settings"].passed
    assert "statement_timeout = 5000" in after["session_settings"].message
    assert after["autovacuum"].outcome is Outcome.WARNING
    assert after["replication_role"].passed
    assert "sets it to origin" in after["replication_role"].message

    blocked = (await shop.checks(shop.role_dsn))["replication_role"]
    assert blocked.outcome is Outcome.BLOCKS_APPLICATION
    await shop.execute(f"GRANT SET ON PARAMETER session_replication_role TO {shop.roles['role']}")
    assert (await shop.checks(shop.role_dsn))["replication_role"].passed


async def test_partitions_fill_the_lock_table(odd_shop: Shop) -> None:
    """Each partition and each index takes a place, of everybody's: this server has few."""
    few = (await odd_shop.checks())["lock_table"]
    # Customers with their index, orders with theirs, and notes.
    assert few.message == "The steps lock 5 tables and indexes at most; the lock table holds 250."

    await odd_shop.execute(
        "DROP TABLE sales.notes; CREATE TABLE sales.notes (customer_id integer, text text) PARTITION BY RANGE (customer_id)"
    )
    await odd_shop.execute("""
        DO $$ BEGIN FOR n IN 1..130 LOOP
          EXECUTE format('CREATE TABLE sales.p%s PARTITION OF sales.notes FOR VALUES FROM (%s) TO (%s)', n, n, n + 1);
          COMMIT;
        END LOOP; END $$""")
    many = (await odd_shop.checks())["lock_table"]
    assert many.outcome is Outcome.WARNING
    assert "may lock 135 tables and indexes" in many.message


async def test_what_cannot_be_read_or_takes_too_long_is_told(shop: Shop) -> None:
    """Never a pass, and the session goes on."""

    async def forbidden(session: asyncpg.Connection) -> Check:
        raise AssertionError(await session.fetchval("SELECT pg_catalog.pg_read_file('postgresql.conf')"))

    async def endless(session: asyncpg.Connection) -> Check:
        raise AssertionError(await session.fetchval("SELECT pg_catalog.pg_sleep(60)"))

    async def broken(session: asyncpg.Connection) -> Check:
        raise AssertionError(await session.fetchval("SELECT 1 / 0"))

    connection = await connect(shop.role_dsn, application_name="test", read_only=True)
    try:
        found = [await look(connection, "probe", question, timeout_ms=50) for question in (forbidden, endless, broken)]
        assert await connection.fetchval("SHOW statement_timeout") == "0"
    finally:
        await connection.close()

    assert [each.outcome for each in found] == [Outcome.WARNING] * 3
    assert [each.message for each in found] == [
        "Could not be told: the role may not read it.",
        "Could not be told: the server did not answer within 0.05 s.",
        "Could not be told: the server refused the question (SQLSTATE 22012).",
    ]


@asynccontextmanager
async def server_setting(server: Server, name: str, value: str) -> AsyncIterator[None]:
    """Set something for the whole server, and wait until new sessions see it."""
    await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await _reload(server, name, value)
    try:
        yield
    finally:
        await server.execute(f"ALTER SYSTEM RESET {name}")
        await _reload(server, name, "")


async def _reload(server: Server, name: str, value: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(10):
            while await connection.fetchval("SELECT current_setting($1)", name) not in (value, value or "(disabled)"):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def until(shop: Shop, name: str, is_met: Callable[[Check], bool]) -> Check:
    """Return the check once it says what is waited for."""
    async with asyncio.timeout(20):
        while not is_met(check := (await shop.checks())[name]):
            await asyncio.sleep(0.1)
    return check
