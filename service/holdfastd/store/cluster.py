"""The directory of the embedded store: made by initdb, configured, asked whether its server answers.

In come a directory and an account; out go a DSN and facts about the server. Nothing is locked here: see embedded.py.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import asyncpg

from holdfastd.errors import Reason, Unavailable
from holdfastd.store.binaries import Binaries
from holdfastd.store.unprivileged import Account, give_to, run

#: Role that owns the store. Whoever may open the socket is this role: its directory has mode 0700.
ROLE = "holdfast"
#: What the server calls itself, so that it is known for what it is whichever of its databases is asked.
NAME = "holdfast_store"
#: The kernel refuses more than 107 bytes.
_LONGEST_SOCKET = 100
_HAS_PROC = Path("/proc/self/cmdline").exists()
_SETTINGS = {
    "cluster_name": NAME,
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
}


class NotRunning(Unavailable):
    """The embedded store cannot run; the message says why."""

    def __init__(self, why: str) -> None:
        """Take the cause."""
        super().__init__(f"The embedded store does not run: {why}", reason=Reason.STORE_UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A data directory of PostgreSQL."""

    directory: Path
    account: Account | None

    @property
    def log_file(self) -> Path:
        """What the running server says."""
        return self.directory / "server.log"

    def dsn(self, database: str) -> str:
        """Return the DSN of a database, through the unix socket."""
        query = urlencode({"host": str(self.socket_directory), "port": "5432"})
        return f"postgresql://{ROLE}@/{quote(database, safe='')}?{query}"

    @property
    def socket_directory(self) -> Path:
        """The directory itself, or one in the temporary directory when the path is too long for a socket."""
        if len(os.fsencode(self.directory / ".s.PGSQL.5432")) <= _LONGEST_SOCKET:
            return self.directory
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"holdfast-{os.geteuid()}-{digest}"

    async def initialise(self, binaries: Binaries) -> None:
        """Make the directory, whole or not at all."""
        unfinished = self.directory.with_suffix(".new")
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give_to(unfinished, self.account)
        access = ("--auth-local=trust", "--auth-host=reject", f"--username={ROLE}")
        options = (*access, "--encoding=UTF8", "--locale=C", "--data-checksums", f"--pgdata={unfinished}")
        code, output = await run(binaries.program("initdb"), *options, account=self.account)
        if code:
            raise NotRunning(f"initdb ended with {code}: {last_line(output)}")
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'holdfast.conf'\n")
        unfinished.rename(self.directory)

    def check_version(self, major: int) -> None:
        """Raise when the directory belongs to another major version."""
        found = (self.directory / "PG_VERSION").read_text().strip()
        if found != str(major):
            raise NotRunning(f"{self.directory} belongs to PostgreSQL {found}, not {major}; dump it there and restore it here.")

    def configure(self) -> None:
        """Write our settings and make the socket's directory, ready for a start."""
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket_directory)}
        path = self.directory / "holdfast.conf"
        path.write_text("".join(f"{name} = '{_escape(value)}'\n" for name, value in settings.items()))
        give_to(path, self.account)
        self.log_file.unlink(missing_ok=True)
        if self.socket_directory != self.directory:
            self._make_socket_directory()

    async def answers(self) -> bool:
        """Tell whether a server of this directory accepts connections."""
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            return str(await connection.fetchval("SHOW data_directory")) == str(self.directory)
        finally:
            await connection.close(timeout=5)

    def is_alive(self) -> bool:
        """Tell whether the process in the lock file exists."""
        try:
            os.kill(int(self.server_pid()), 0)
        except PermissionError:
            return True
        except (ValueError, ProcessLookupError):
            return False
        return True

    def server_pid(self) -> str:
        """Return the pid in the lock file, which may be long dead or somebody else's now; empty without a lock file."""
        try:
            return (self.directory / "postmaster.pid").read_text().partition("\n")[0].strip()
        except OSError:
            return ""

    async def is_ours(self) -> bool:
        """Tell whether the process in the lock file is a server of this directory, answering or not."""
        return f"-D {self.directory}" in await self._command()

    async def remove_foreign_pid_file(self) -> None:
        """Remove the lock file when its pid is now another program's: PostgreSQL itself would refuse to start."""
        command = await self._command()
        if command and f"-D {self.directory}" not in command:
            (self.directory / "postmaster.pid").unlink(missing_ok=True)

    async def _command(self) -> str:
        """Return how the process in the lock file was started; empty when there is none, or it is only waiting to be reaped."""
        pid = self.server_pid()
        if not pid.isdecimal():
            return ""
        if _HAS_PROC:
            return _command_line(pid)
        _, output = await run(Path("/bin/ps"), "-ww", "-o", "command=", "-p", pid, account=None)
        return output.strip()

    def remove_socket_directory(self) -> None:
        """Remove the directory that a long path needed, once it is empty."""
        if self.socket_directory != self.directory:
            with contextlib.suppress(OSError):
                self.socket_directory.rmdir()

    def _make_socket_directory(self) -> None:
        directory = self.socket_directory
        directory.mkdir(mode=0o700, exist_ok=True)
        ours = {os.geteuid(), self.account.uid if self.account else os.geteuid()}
        # Anyone may write to the temporary directory: a directory of somebody else's would hand our socket to them.
        if directory.is_symlink() or directory.stat().st_uid not in ours:
            raise NotRunning(f"{directory} belongs to somebody else; choose a shorter --data-dir.")
        directory.chmod(0o700)
        give_to(directory, self.account)


def last_line(output: str) -> str:
    """Return the last line of what a program printed."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it printed nothing.")


def _command_line(pid: str) -> str:
    try:
        return os.fsdecode(Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ")).strip()
    except OSError:
        return ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
