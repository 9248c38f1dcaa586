"""What happens to servers and roles: backends end, statements are cancelled, servers die and restart, roles and connections run out.

After each, the job ends by itself or with the reason why not, and applying again, then rolling back, ends equal.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from chaos.scene import Scene, staged
from conftest import server_of
from holdfastd.jobs.model import EventKind, Job
from support.postgres import Server, available_majors
from support.proxy import Trap

MAJORS = (18, 15)
pytestmark = pytest.mark.slow

#: What the working session says when it is about to: the request passes once the fault has happened.
PLACES = {
    "index": Trap(at="CREATE INDEX CONCURRENTLY"),
    "add-key": Trap(at="NOT VALID"),
    "add-key-commit": Trap(after="NOT VALID", at="COMMIT"),
    "batch": Trap(at="DELETE FROM"),
    "batch-commit": Trap(after="DELETE FROM", at="COMMIT"),
    "validate": Trap(at="VALIDATE CONSTRAINT"),
    "validate-commit": Trap(after="VALIDATE CONSTRAINT", at="COMMIT"),
}
UNDOING = {
    "drop": Trap(at="DROP CONSTRAINT"),
    "drop-commit": Trap(after="DROP CONSTRAINT", at="COMMIT"),
    "restore-commit": Trap(after='INSERT INTO "public".', at="COMMIT"),
    "drop-index": Trap(at="DROP INDEX"),
}
_WORKERS = """
SELECT pid FROM pg_stat_activity
WHERE application_name LIKE 'holdfast/job%' AND datname = current_database() AND {which}
"""
#: Only the working session holds the lock.
WORKING = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
LOOKING_ON = "pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def scene(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """A target on a server that others use, too."""
    async with staged(postgres, await server_of(servers, request.param)) as stage:
        yield stage


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}", scope="module")
async def mortal(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A server that may be stopped and killed, and so writes to disk as one does in earnest."""
    if request.param not in available_majors():
        pytest.skip(f"PostgreSQL {request.param} is not installed")
    server = Server(request.param)
    await server.start()
    for setting in ("fsync = on", "full_page_writes = on", "synchronous_commit = on"):
        await server.execute(f"ALTER SYSTEM SET {setting}")
    await server.halt("fast")
    await server.restart()
    yield server
    await server.stop()


@pytest.fixture
async def mortal_scene(mortal: Server, postgres: Server) -> AsyncIterator[Scene]:
    """A target on a server of its own; the store is on another."""
    async with staged(postgres, mortal) as stage:
        yield stage


async def signal_backends(scene: Scene, function: str, which: str = WORKING) -> int:
    """End or cancel sessions of the job; return how many there were."""
    connection = await asyncpg.connect(scene.dsn)
    try:
        pids = [row["pid"] for row in await connection.fetch(_WORKERS.format(which=which))]
        for pid in pids:
            await connection.execute(f"SELECT {function}($1)", pid)
    finally:
        await connection.close()
    return len(pids)


def trap_at(scene: Scene, place: Trap, meanwhile: Callable[[], Awaitable[object]]) -> Trap:
    """Have something happen just before a request goes on."""
    return scene.proxy.set_trap(Trap(at=place.at, after=place.after, meanwhile=meanwhile))


@pytest.mark.parametrize("place", PLACES)
async def test_backend_ends_amid_an_application(scene: Scene, place: str) -> None:
    """A session that an operator ends is opened again, and the job goes on."""
    plan = await scene.planned()
    trap = trap_at(scene, PLACES[place], lambda: signal_backends(scene, "pg_terminate_backend"))
    application = await scene.succeed(await scene.start(plan))

    assert trap.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)


@pytest.mark.parametrize("place", UNDOING)
async def test_backend_ends_amid_a_rollback(scene: Scene, place: str) -> None:
    """So does a rollback."""
    application = await scene.succeed(await scene.start(await scene.planned()))
    trap = trap_at(scene, UNDOING[place], lambda: signal_backends(scene, "pg_terminate_backend"))
    await scene.roll_back(application)

    assert trap.sprung.is_set()


async def test_only_the_observer_ends(scene: Scene) -> None:
    """Without its observer a job names no blockers, but ends."""
    plan = await scene.planned()
    trap = trap_at(scene, PLACES["index"], lambda: signal_backends(scene, "pg_terminate_backend", LOOKING_ON))
    application = await scene.succeed(await scene.start(plan))

    assert trap.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)


@asynccontextmanager
async def held(scene: Scene, sql: str) -> AsyncIterator[asyncpg.Connection]:
    """Keep a transaction of the application open."""
    connection = await asyncpg.connect(scene.dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(sql)
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


#: What the job waits for, what it is seen doing meanwhile.
_WAITING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'holdfast/job%'"
WAITS = {
    "index-waits-for-writers": ("UPDATE reports SET note = 'busy' WHERE id = 1", "CREATE INDEX"),
    "index-waits-for-snapshots": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM stations", "CREATE INDEX"),
    "key-waits": ("UPDATE stations SET id = id WHERE id = 1", "NOT VALID"),
    "validate-waits": ("LOCK TABLE lines IN SHARE MODE; LOCK TABLE reports IN SHARE UPDATE EXCLUSIVE MODE", "VALIDATE CONSTRAINT"),
}


@pytest.mark.parametrize("function", ["pg_terminate_backend", "pg_cancel_backend"])
@pytest.mark.parametrize("wait", WAITS)
async def test_backend_ends_while_it_waits(scene: Scene, wait: str, function: str) -> None:
    """Ended or cancelled while it waits for a lock, the job is no more confused than while it works."""
    sql, statement = WAITS[wait]
    plan = await scene.planned()
    reached = asyncio.Event()
    waiting: list[AbstractAsyncContextManager[asyncpg.Connection]] = []

    async def hold() -> None:
        holder = held(scene, sql)
        await holder.__aenter__()
        waiting.append(holder)
        reached.set()

    scene.proxy.set_trap(Trap(at=statement, meanwhile=hold))
    job = await scene.start(plan)
    await asyncio.wait_for(reached.wait(), timeout=20)
    await scene.wait_until(_WAITING)
    assert await signal_backends(scene, function) == 1
    for holder in waiting:
        await holder.__aexit__(None, None, None)
    application = await scene.succeed(job)

    await scene.check_applied(application)
    await scene.roll_back(application)


@pytest.mark.parametrize("place", ["add-key", "batch", "validate"])
async def test_statement_is_cancelled(scene: Scene, place: str) -> None:
    """pg_cancel_backend is no cancellation of the job: the statement is tried again."""
    plan = await scene.planned()

    async def cancel_when_seen() -> None:
        async def cancel() -> None:
            await signal_backends(scene, "pg_cancel_backend")

        for delay in (0.0, 0.002, 0.005):
            asyncio.get_running_loop().call_later(delay, lambda: tasks.append(asyncio.create_task(cancel())))

    tasks: list[asyncio.Task[None]] = []
    trap_at(scene, PLACES[place], cancel_when_seen)
    application = await scene.succeed(await scene.start(plan))
    await asyncio.gather(*tasks)

    await scene.check_applied(application)
    await scene.roll_back(application)


async def kill_postmaster(server: Server) -> None:
    """End the postmaster as a power failure would, and wait until its children have noticed."""
    data = server.home / "data"
    postmaster = int((data / "postmaster.pid").read_text().partition("\n")[0])
    os.kill(postmaster, signal.SIGKILL)
    async with asyncio.timeout(20):
        while any(_works_in(entry, data) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            await asyncio.sleep(0.05)
    # Where nobody waits for orphaned processes, the number in these files is a process for ever.
    (data / "postmaster.pid").unlink()
    (server.home / f".s.PGSQL.{server.port}.lock").unlink()


def _works_in(entry: Path, data: Path) -> bool:
    try:
        return entry.joinpath("cwd").readlink() == data
    except OSError:
        return False


async def crash(server: Server, how: str) -> None:
    """Stop the server in one of three ways, and start it again."""
    if how == "killed":
        await kill_postmaster(server)
    else:
        await server.halt(how)
    await server.restart()


@pytest.mark.parametrize("how", ["immediate", "killed", "fast"])
@pytest.mark.parametrize("place", ["index", "add-key-commit", "batch-commit", "validate-commit"])
async def test_server_dies_amid_an_application(mortal_scene: Scene, place: str, how: str) -> None:
    """A server that dies and comes back is gone on with."""
    plan = await mortal_scene.planned()
    trap = trap_at(mortal_scene, PLACES[place], lambda: crash(mortal_scene.server, how))
    job = await mortal_scene.start(plan)
    await asyncio.wait_for(trap.happened(), timeout=30)
    application = await mortal_scene.succeed(job)

    await mortal_scene.check_applied(application)
    await mortal_scene.roll_back(application)


@pytest.mark.parametrize("how", ["immediate", "killed"])
@pytest.mark.parametrize("place", ["drop-commit", "restore-commit"])
async def test_server_dies_amid_a_rollback(mortal_scene: Scene, place: str, how: str) -> None:
    """So is a rollback."""
    application = await mortal_scene.succeed(await mortal_scene.start(await mortal_scene.planned()))
    trap = trap_at(mortal_scene, UNDOING[place], lambda: crash(mortal_scene.server, how))
    await mortal_scene.roll_back(application)

    assert trap.sprung.is_set()


async def test_server_dies_right_after_a_commit(mortal_scene: Scene) -> None:
    """What the job took for done is still done after a crash, though the server's default is not to wait for the disk."""
    await mortal_scene.server.execute("ALTER SYSTEM SET synchronous_commit = off; ", database="postgres")
    await mortal_scene.server.execute("SELECT pg_reload_conf()")
    plan = await mortal_scene.planned()
    trap = trap_at(mortal_scene, PLACES["validate"], lambda: crash(mortal_scene.server, "killed"))
    job = await mortal_scene.start(plan)
    await asyncio.wait_for(trap.happened(), timeout=30)
    application = await mortal_scene.succeed(job)
    await mortal_scene.server.execute("ALTER SYSTEM SET synchronous_commit = on")

    await mortal_scene.check_applied(application)
    await mortal_scene.roll_back(application)


async def as_operator(scene: Scene, *statements: str) -> None:
    """Run statements as the superuser, around the proxy."""
    connection = await asyncpg.connect(scene.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def end_sessions_after(scene: Scene, *statements: str) -> None:
    """Change something that new sessions feel, then make the job open new ones."""
    await as_operator(scene, *statements)
    await signal_backends(scene, "pg_terminate_backend", "true")


SETTINGS = {
    "statement-timeout": "statement_timeout = '200ms'",
    "lock-timeout": "lock_timeout = '20ms'",
    "read-only": "default_transaction_read_only = on",
    "serializable": "default_transaction_isolation = 'serializable'",
    "hostile-path": "search_path = 'nowhere'",
    "idle-timeout": "idle_in_transaction_session_timeout = '100ms'",
    "temp-limit": "temp_file_limit = 0",
}


@pytest.mark.parametrize("setting", SETTINGS)
async def test_settings_of_the_database_change_amid_the_run(scene: Scene, setting: str) -> None:
    """Sessions run under the contract, whatever the database or the role says."""
    plan = await scene.planned()
    name = scene.dsn.rpartition("/")[2]
    change = f"ALTER DATABASE {name} SET {SETTINGS[setting]}"
    trap = trap_at(scene, PLACES["add-key"], lambda: end_sessions_after(scene, change))
    application = await scene.succeed(await scene.start(plan))
    await as_operator(scene, "SET default_transaction_read_only = off", f"ALTER DATABASE {name} RESET ALL")

    assert trap.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)


async def test_transaction_timeout_of_the_database(scene: Scene) -> None:
    """A transaction_timeout that others set does not end an index build."""
    if scene.server.major < 17:
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    plan = await scene.planned()
    name = scene.dsn.rpartition("/")[2]
    building = Trap(at="CREATE INDEX CONCURRENTLY")
    async with held(scene, "UPDATE reports SET note = 'busy' WHERE id = 1"):
        await as_operator(scene, f"ALTER DATABASE {name} SET transaction_timeout = '500ms'")
        scene.proxy.set_trap(building)
        job = await scene.start(plan)
        await building.happened()
        await asyncio.sleep(1.0)
    await as_operator(scene, f"ALTER DATABASE {name} RESET ALL")
    application = await scene.succeed(job)

    assert await retries(scene, application) == []
    await scene.check_applied(application)
    await scene.roll_back(application)


async def retries(scene: Scene, job: Job) -> list[str]:
    """What the job had to try again."""
    return [event.happening.message for event in await scene.events(job) if event.happening.kind is EventKind.RETRY]


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def humble_scene(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """The service works as a role that is no superuser."""
    role = f"worker_{os.urandom(4).hex()}"
    async with staged(postgres, await server_of(servers, request.param), role=role) as stage:
        yield stage


#: How a door is closed and opened again; `{role}` and `{database}` are the target's.
DOORS = {
    "no-connections-left": ("ALTER ROLE {role} CONNECTION LIMIT 0", "ALTER ROLE {role} CONNECTION LIMIT -1"),
    "database-full": ("ALTER DATABASE {database} CONNECTION LIMIT 0", "ALTER DATABASE {database} CONNECTION LIMIT -1"),
    "database-closed": ("ALTER DATABASE {database} ALLOW_CONNECTIONS false", "ALTER DATABASE {database} ALLOW_CONNECTIONS true"),
    "role-locked": ("ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"),
    "connect-revoked": (
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {role}",
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC, {role}",
    ),
}
#: A wrong role or password does not mend itself: the job ends and says so; applying again goes on.
_ENDS_THE_JOB = {"role-locked", "connect-revoked"}


@pytest.mark.parametrize("door", DOORS)
async def test_door_is_closed_for_a_while(humble_scene: Scene, door: str) -> None:
    """Who is let in no more tries again, or says why it ended; nothing is half done when it goes on."""
    scene = humble_scene
    plan = await scene.planned()
    name = scene.dsn.rpartition("/")[2]
    role = await scene.ask("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()")
    close, reopen = (sql.format(role=role, database=name) for sql in DOORS[door])

    async def shut() -> None:
        await scene.server.execute(close)
        everybody = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        await scene.server.execute(everybody)

    trap = trap_at(scene, PLACES["batch-commit"], shut)
    job = await scene.start(plan)
    await asyncio.wait_for(trap.happened(), timeout=20)
    await asyncio.sleep(2.0)
    await scene.server.execute(reopen)
    ended = await scene.end(job)

    if ended.state == "FAILED":
        assert door in _ENDS_THE_JOB, f"{ended.error_reason}: {ended.error_message}"
        assert ended.error_reason in {"TARGET_LOGIN_REFUSED", "MISSING_PRIVILEGE"}, ended.error_message
        ended = await scene.succeed(await scene.start(plan))
    await scene.check_applied(ended)
    await scene.roll_back(ended)
