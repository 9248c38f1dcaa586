"""Running the programs of PostgreSQL, which refuse to run as root.

In come programs and directories; as root they run as an unprivileged account, otherwise as whoever we are. Modes of directories
that are not ours are never changed.
"""

import asyncio
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: The first that exists is taken: a dedicated account before one that other programs share.
_ACCOUNTS = ("holdfast", "postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account to run PostgreSQL as; None when we are not root and simply run it ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    return Account(name="65534", uid=65534, gid=65534)


def may_reach(path: Path, account: Account | None) -> bool:
    """Tell whether the account may pass through every directory on the way to the path."""
    if account is None:
        return True
    return all(_may_pass(parent.stat(), account) for parent in path.resolve().parents)


def give_to(path: Path, account: Account | None) -> None:
    """Make the account the owner of a directory that we made."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


async def run(program: Path, *arguments: str, account: Account | None) -> tuple[int, str]:
    """Run a program to its end and return its exit code and what it printed.

    The output goes to a file: a server started by pg_ctl inherits it, and reading a pipe would then wait for the server to end.
    """
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            # A program that nobody waits for would go on in a directory that somebody else may use next.
            process.terminate()
            await process.wait()
            raise
        output.seek(0)
        return code, output.read().decode(errors="replace")


def _may_pass(directory: os.stat_result, account: Account) -> bool:
    if directory.st_uid == account.uid:
        return bool(directory.st_mode & stat.S_IXUSR)
    if directory.st_gid == account.gid:
        return bool(directory.st_mode & stat.S_IXGRP)
    return bool(directory.st_mode & stat.S_IXOTH)


def _environment() -> dict[str, str]:
    # PGPORT, PGDATA and the like would redirect the programs; LC_* would translate what they print.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG", "HOLDFAST_"))}
    return kept | {"LC_ALL": "C"}
