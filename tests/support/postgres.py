"""Throw-away PostgreSQL servers for tests: real ones, of every major version found on the machine."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import asyncpg

from holdfastd.errors import Unavailable
from holdfastd.names import identifier
from holdfastd.store.binaries import Binaries, copy_binaries, find_binaries
from holdfastd.store.unprivileged import give_to, may_reach, run, unprivileged_account

MAJORS = (15, 16, 18)
SUPERUSER = "postgres"
#: Roles that log in with a password over TCP are members of this one; everybody else is trusted.
PASSWORD_GROUP = "needs_password"


@cache
def available_majors() -> tuple[int, ...]:
    """Major versions whose programs are on this machine."""
    found = []
    for major in MAJORS:
        try:
            find_binaries(major)
        except Unavailable:
            continue
        found.append(major)
    return tuple(found)


class Server:
    """One cluster in a directory of its own: unix socket and a port on 127.0.0.1, fast and unsafe (fsync=off)."""

    def __init__(self, major: int = 18) -> None:
        self.major = major
        self.port = 0
        self.home = Path()
        self.binaries: Binaries = find_binaries(major)
        self._account = unprivileged_account()

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.home / "data" / "server.log"

    def dsn(self, database: str = "postgres", *, role: str = SUPERUSER, password: str = "") -> str:
        """DSN over TCP; the role is the superuser unless said otherwise."""
        login = f"{role}:{password}" if password else role
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def socket_dsn(self, database: str = "postgres", *, role: str = SUPERUSER) -> str:
        """DSN through the unix socket."""
        return f"postgresql://{role}@/{database}?{urlencode({'host': str(self.home), 'port': self.port})}"

    async def start(self) -> "Server":
        """Make the cluster and start it."""
        _remove_abandoned()
        # pytest's tmp_path is 0700 of root, where the account that runs the server could not enter.
        self.home = Path(tempfile.mkdtemp(prefix=f"holdfast-pg{self.major}-"))
        self.home.chmod(0o711)
        (self.home / "owner").write_text(str(os.getpid()))
        give_to(self.home, self._account)
        if not may_reach(self.binaries.program("postgres"), self._account):
            self.binaries = copy_binaries(self.binaries, self.home)
        data = self.home / "data"
        options = ("--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8", "--locale=C", "--no-sync", f"--pgdata={data}")
        await self._run("initdb", *options)
        for name, text in (("postgresql.conf", _SETTINGS), ("pg_hba.conf", _ACCESS)):
            path = data / name
            path.write_text(path.read_text() + text if name == "postgresql.conf" else text)
        await self.restart()
        await self.execute(f"CREATE ROLE {PASSWORD_GROUP}")
        return self

    async def restart(self) -> None:
        """Start the server again, after `halt` or for the first time, on the same port."""
        for _ in range(3):
            self.port = self.port or _free_port()
            settings = f"-p {self.port} -k {self.home}"
            code, output = await self._pg_ctl("start", "-w", "-t", "60", "-l", str(self.log_file), "-o", settings)
            if code == 0:
                return
            self.port = 0
        raise RuntimeError(output + self.log_file.read_text())

    async def halt(self, mode: str = "immediate") -> None:
        """Stop the server and keep its files."""
        await self._pg_ctl("stop", "-m", mode, "-w", "-t", "60")

    async def stop(self) -> None:
        """Stop the server and delete its files."""
        await self.halt()
        shutil.rmtree(self.home, ignore_errors=True)

    async def create_database(self, name: str = "", *, template: str | None = None) -> str:
        """Create a database, under a new name unless one is given, and return its DSN."""
        name = name or f"test_{secrets.token_hex(6)}"
        await self.execute(f"CREATE DATABASE {identifier(name)} TEMPLATE {identifier(template or 'template0')}")
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database and throw out whoever is connected."""
        await self.execute(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    async def execute(self, sql: str, *, database: str = "postgres") -> None:
        """Run SQL as superuser, in a session of its own."""
        connection = await asyncpg.connect(self.dsn(database))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def program(self, name: str, *arguments: str) -> str:
        """Run a program of this version, such as `pg_dump` or `psql`, and return what it printed; raise when it fails."""
        return await self._run(name, *arguments)

    async def _pg_ctl(self, *arguments: str) -> tuple[int, str]:
        return await run(self.binaries.program("pg_ctl"), *arguments, "-D", str(self.home / "data"), account=self._account)

    async def _run(self, name: str, *arguments: str) -> str:
        code, output = await run(self.binaries.program(name), *arguments, account=self._account)
        if code:
            raise RuntimeError(f"{name} ended with {code}: {output}")
        return output


_SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 100
shared_buffers = 32MB
log_min_error_statement = panic
"""

_ACCESS = f"""
local all all trust
host all +{PASSWORD_GROUP} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


def database_name(dsn: str) -> str:
    """Name of the database in a DSN that `Server.dsn` made."""
    return dsn.rpartition("/")[2].partition("?")[0]


def _remove_abandoned() -> None:
    """Stop and delete the servers of test processes that were killed."""
    for owner in Path(tempfile.gettempdir()).glob("holdfast-pg*/owner"):
        if _is_alive(_number(owner)):
            continue
        server = _number(owner.parent / "data" / "postmaster.pid")
        with contextlib.suppress(OSError):
            if f"{owner.parent}/data".encode() in Path("/proc", str(server), "cmdline").read_bytes():
                os.kill(server, signal.SIGQUIT)
        shutil.rmtree(owner.parent, ignore_errors=True)


def _number(file: Path) -> int:
    """Return the number in the first line; 0 when there is none (yet)."""
    try:
        return int(file.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return 0


def _is_alive(pid: int) -> bool:
    # 0: a process that has only begun to write its own.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _free_port() -> int:
    # Ports below the ephemeral range are not taken by outgoing connections between this moment and the server's bind.
    for attempt in range(200):
        port = 20000 + (os.getpid() * 31 + attempt * 37 + secrets.randbelow(1000)) % 12000
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")
