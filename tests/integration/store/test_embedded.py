"""The embedded store starts, is shared, and survives what kills us."""

# ruff: noqa: ASYNC220 (nothing else runs in the loop of a test)

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfastd.errors import Unavailable
from holdfastd.store import embedded, unprivileged
from holdfastd.store.cluster import Cluster
from holdfastd.store.embedded import EmbeddedPostgres
from holdfastd.store.unprivileged import Account, unprivileged_account

HOLDER = """
import asyncio, sys
from pathlib import Path
from holdfastd.store.embedded import EmbeddedPostgres
async def main():
    store = EmbeddedPostgres(Path(sys.argv[1]))
    await store.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.stop()
asyncio.run(main())
"""


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A data directory; what still runs in it afterwards is stopped."""
    # Not tmp_path: as root it cannot be entered by the account that runs the server.
    parent = Path(tempfile.mkdtemp(prefix="holdfast-embedded-"))
    parent.chmod(0o711)
    home = parent / "data"
    yield home
    if pid := _pid(home):
        os.kill(pid, signal.SIGQUIT)
    shutil.rmtree(parent, ignore_errors=True)


def _pid(home: Path) -> int:
    """The server's pid, 0 when none runs."""
    try:
        pid = int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, IndexError, ValueError):
        return 0
    return pid


async def _value(store: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(store.dsn())
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def _other_process(home: Path) -> subprocess.Popen[bytes]:
    """Another replica on the same directory, ready."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDER, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    while b"ready" not in (line := process.stdout.readline()):
        assert line
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(timeout=60)


async def test_rows_survive_a_stop(home: Path) -> None:
    """Start, stop, start: the rows are there, and between the starts no process is."""
    store = EmbeddedPostgres(home)
    await store.start()
    await _value(store, "CREATE TABLE kept AS SELECT 7 AS n")
    await store.stop()
    stopped = _pid(home)
    await store.start()
    number = await _value(store, "SELECT n FROM kept")
    await store.stop()

    assert (stopped, number, _pid(home)) == (0, 7, 0)


async def test_nobody_else_can_connect(home: Path) -> None:
    """No TCP, and a socket behind a directory of mode 0700."""
    store = EmbeddedPostgres(home)
    await store.start()
    try:
        assert await _value(store, "SHOW listen_addresses") == ""
        assert (home / "pg").stat().st_mode & 0o777 == 0o700
    finally:
        await store.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else run the server")
async def test_root_has_an_unprivileged_account_run_it(home: Path) -> None:
    store = EmbeddedPostgres(home)
    await store.start()
    try:
        assert Path("/proc", str(_pid(home))).stat().st_uid != 0
    finally:
        await store.stop()


async def test_last_one_stops_it(home: Path) -> None:
    """Replicas on one directory share one server; whoever leaves first leaves it running."""
    store = EmbeddedPostgres(home)
    await store.start()
    other = await asyncio.to_thread(_other_process, home)
    shared = _pid(home)
    await store.stop()
    still = _pid(home)
    await asyncio.to_thread(_end, other)

    assert shared == still != 0
    assert _pid(home) == 0


async def test_replicas_that_start_cold_at_one_moment_share_it(home: Path) -> None:
    stores = [EmbeddedPostgres(home) for _ in range(3)]
    await asyncio.gather(*(store.start() for store in stores))
    identifiers = {await _value(store, "SELECT system_identifier FROM pg_control_system()") for store in stores}
    await asyncio.gather(*(store.stop() for store in stores))

    assert len(identifiers) == 1
    assert _pid(home) == 0


async def test_killed_replica_leaves_nothing_behind(home: Path) -> None:
    """After kill -9 of its only user the server goes on; the next start joins it, and the next stop stops it."""
    killed = await asyncio.to_thread(_other_process, home)
    before = _pid(home)
    killed.kill()
    killed.communicate()
    store = EmbeddedPostgres(home)
    await store.start()
    joined = _pid(home)
    await store.stop()

    assert joined == before != 0
    assert _pid(home) == 0


async def test_killed_server_is_started_again(home: Path) -> None:
    """After kill -9 of PostgreSQL itself, too; `keep_alive` does it while we run."""
    store = EmbeddedPostgres(home)
    await store.start()
    await _value(store, "CREATE TABLE kept AS SELECT 7 AS n")
    guard = asyncio.create_task(store.keep_alive())
    killed = _pid(home)
    os.kill(killed, signal.SIGKILL)
    number = None
    async with asyncio.timeout(30):
        while number is None:
            try:
                number = await _value(store, "SELECT n FROM kept")
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
    guard.cancel()
    await store.stop()

    assert number == 7
    assert _pid(home) == 0


@pytest.fixture
async def recycled(home: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process of the server's account, whose pid the lock file of a crashed server names."""
    store = EmbeddedPostgres(home)
    await store.start()
    await store.stop()
    account = unprivileged_account()
    innocent = subprocess.Popen(["sleep", "60"], user=account.uid if account else None, cwd="/")
    lock_file = home / "pg" / "postmaster.pid"
    lock_file.write_text(f"{innocent.pid}\n{home / 'pg'}\n1\n5432\n{home / 'pg'}\n\n0 0\nready\n")
    yield innocent
    lock_file.unlink(missing_ok=True)
    innocent.kill()
    innocent.wait()


async def test_recycled_pid_does_not_hold_up_a_start(home: Path, recycled: subprocess.Popen[bytes]) -> None:
    """PostgreSQL itself refuses to start as long as any process of its account has the pid of the crashed server."""
    store = EmbeddedPostgres(home)
    await store.start()
    await store.stop()

    assert recycled.poll() is None


async def test_recycled_pid_is_never_signalled(home: Path, recycled: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the start fails and cleans up behind itself."""

    async def keep(_: Cluster) -> None:
        """Leave the lock file where it is."""

    monkeypatch.setattr(Cluster, "remove_foreign_pid_file", keep)
    monkeypatch.setattr(embedded, "_RETRY_SECONDS", 0)
    with pytest.raises(Unavailable, match="pg_ctl ended with 1"):
        await EmbeddedPostgres(home).start()

    assert recycled.poll() is None


async def test_unfinished_initdb_is_made_again(home: Path) -> None:
    (home / "pg.new").mkdir(parents=True)
    (home / "pg.new" / "PG_VERSION").write_text("18\n")
    store = EmbeddedPostgres(home)
    await store.start()
    await store.stop()

    assert (home / "pg" / "postgresql.conf").exists()
    assert not (home / "pg.new").exists()


async def test_long_path_has_its_socket_elsewhere(home: Path) -> None:
    """Sockets have names of at most 107 bytes."""
    store = EmbeddedPostgres(home / ("long" * 30))
    await store.start()
    answer = await _value(store, "SELECT 1")
    await store.stop()

    assert answer == 1
    assert not store._cluster.socket_directory.exists()


async def test_directory_of_another_version_is_refused(home: Path) -> None:
    (home / "pg").mkdir(parents=True)
    (home / "pg" / "PG_VERSION").write_text("12\n")

    with pytest.raises(Unavailable, match="belongs to PostgreSQL 12"):
        await EmbeddedPostgres(home).start()


async def test_version_that_is_not_installed_is_refused(home: Path) -> None:
    with pytest.raises(Unavailable, match="No programs of PostgreSQL 9"):
        await EmbeddedPostgres(home, major=9).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else run the server")
async def test_unreachable_directory_is_refused(tmp_path: Path) -> None:
    """Rather than opening up directories that are not ours."""
    tmp_path.chmod(0o700)

    with pytest.raises(Unavailable, match="cannot reach"):
        await EmbeddedPostgres(tmp_path / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else run the server")
async def test_unreachable_programs_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment below /root is closed to the account that runs the server."""
    site_packages = Path(asyncpg.__file__).parents[1]
    real = unprivileged._may_pass
    closed = site_packages.stat().st_ino

    def may_pass(directory: os.stat_result, account: Account) -> bool:
        return directory.st_ino != closed and real(directory, account)

    monkeypatch.setattr(unprivileged, "_may_pass", may_pass)
    store = EmbeddedPostgres(home)
    await store.start()
    program = Path("/proc", str(_pid(home)), "exe").readlink()
    await store.stop()

    assert program.is_relative_to(home)
