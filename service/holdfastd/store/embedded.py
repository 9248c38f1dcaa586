"""The embedded store: a PostgreSQL of our own below the data directory, shared by every replica that uses the directory.

In comes a directory; out goes a DSN on a unix socket. Whoever stops last stops the server. After kill -9 of any of us the next
start puts everything right: the locks are the kernel's (flock), and a running server is simply joined.
"""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import structlog

from holdfastd.store.binaries import Binaries, copy_binaries, find_binaries
from holdfastd.store.cluster import Cluster, NotRunning, last_line
from holdfastd.store.unprivileged import may_reach, run, unprivileged_account

log = structlog.get_logger()

#: A killed postmaster whose parent reaps late still holds its lock file for about a second.
_RETRY_SECONDS = 5.0
#: Recovery after a crash takes what it takes.
_START_SECONDS = 600
_STOP_SECONDS = 60
_PAUSE = 0.05
_LOOK_SECONDS = 1.0


class EmbeddedPostgres:
    """A PostgreSQL below a data directory, alive as long as a process uses it."""

    def __init__(self, data_dir: Path, *, major: int = 18) -> None:
        """Take the directory, which is made when missing, and the major version."""
        self._home = data_dir.expanduser().resolve()
        self._major = major
        self._account = unprivileged_account()
        self._cluster = Cluster(directory=self._home / "pg", account=self._account)
        self._users: IO[bytes] | None = None

    def dsn(self, database: str = "postgres") -> str:
        """Return the DSN of a database of the store."""
        return self._cluster.dsn(database)

    async def start(self) -> None:
        """Start the server, or join the one that runs; Unavailable when it cannot run."""
        self._make_home()
        try:
            async with self._exclusive():
                self._users = (self._home / "users.lock").open("ab")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                await self._start_or_join()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Leave the server, and stop it when nobody else uses it."""
        if self._users is None:
            return
        users, self._users = self._users, None
        with users:
            async with self._exclusive():
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    log.info("store_left_running")
                    return
                # A signal to a pid that is somebody else's now would end them.
                if await self._cluster.is_ours():
                    await self._pg_ctl("stop", "-m", "fast", "-w", "-t", str(_STOP_SECONDS))
                    self._cluster.remove_socket_directory()
                    log.info("store_stopped")

    async def keep_alive(self) -> None:
        """Start the server again whenever it dies, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._cluster.is_alive():
                continue
            log.warning("store_died")
            try:
                async with self._exclusive():
                    await self._start_or_join()
            except NotRunning as error:
                log.error("store_not_started", error=error.message)  # noqa: TRY400 (the message says all; the traceback nothing)

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        """Hold the lock under which servers are started and stopped. `users.lock` changes hands only below it."""
        with (self._home / "store.lock").open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_PAUSE)
            yield

    def _make_home(self) -> None:
        # As root, the account that runs the server passes through the directory and owns only what is inside.
        self._home.mkdir(mode=0o711 if self._account else 0o700, parents=True, exist_ok=True)
        if not may_reach(self._cluster.directory, self._account):
            name = self._account.name if self._account else ""
            raise NotRunning(f"the account {name}, which runs it for root, cannot reach {self._home}; choose another --data-dir.")

    async def _start_or_join(self) -> None:
        if not self._cluster.directory.exists():
            await self._cluster.initialise(await self._binaries())
            log.info("store_initialised", major=self._major)
        self._cluster.check_version(self._major)
        if await self._cluster.answers():
            log.info("store_joined")
            return
        self._cluster.configure()
        await self._start_server()

    async def _outwait_predecessor(self) -> None:
        """Wait while a server that nobody waits for any more recovers or stops."""
        deadline = time.monotonic() + _START_SECONDS
        while await self._cluster.is_ours():
            if await self._cluster.answers() or time.monotonic() > deadline:
                return
            await asyncio.sleep(_PAUSE)
        await self._cluster.remove_foreign_pid_file()

    async def _start_server(self) -> None:
        deadline = time.monotonic() + _RETRY_SECONDS
        arguments = ("start", "-w", "-t", str(_START_SECONDS), "-l", str(self._cluster.log_file))
        while True:
            await self._outwait_predecessor()
            code, output = await self._pg_ctl(*arguments)
            if await self._cluster.answers():
                break
            if time.monotonic() > deadline:
                raise NotRunning(f"pg_ctl ended with {code}: {last_line(output)} See {self._cluster.log_file}.")
            await asyncio.sleep(_PAUSE * 5)
        log.info("store_started", major=self._major)

    async def _pg_ctl(self, *arguments: str) -> tuple[int, str]:
        program = (await self._binaries()).program("pg_ctl")
        return await run(program, *arguments, "-D", str(self._cluster.directory), account=self._account)

    async def _binaries(self) -> Binaries:
        binaries = find_binaries(self._major)
        if may_reach(binaries.program("postgres"), self._account):
            return binaries
        return await asyncio.to_thread(copy_binaries, binaries, self._home)
