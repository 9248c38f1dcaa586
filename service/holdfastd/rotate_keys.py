"""`holdfastd rotate-keys`: every stored DSN is encrypted anew with the first key, so that the others can be dropped.

One transaction does it, with its entry in the audit log: killed before its end, nothing was done; run again, there is nothing to do.
"""

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from holdfastd.config.model import ConfigError, RotateKeys
from holdfastd.errors import HoldfastError, Refused
from holdfastd.store import audit_log, databases
from holdfastd.store.embedded import EmbeddedPostgres
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What was done."""

    renewed: int
    #: Encrypted with the first key before.
    current: int
    #: Databases whose DSN none of the keys opens.
    unreadable: tuple[str, ...]

    def __str__(self) -> str:
        """Return the sentences to print."""
        text = f"{_dsns(self.renewed)} encrypted anew with the first key; {_dsns(self.current)} already."
        if self.unreadable:
            names = ", ".join(self.unreadable)
            text += f" None of the keys opens the DSN of {names}: restore the key, or update them, before you drop a key."
        return text


async def rotate_keys(command: RotateKeys) -> Rotation:
    """Rotate, in the store of the command; ConfigError when there is none, or no key."""
    try:
        secrets = Secrets(command.secret_key, command.data_dir)
        async with _store(command) as store:
            return await rotate(store, secrets)
    except HoldfastError as error:
        raise ConfigError(error.message) from error


async def rotate(store: Store, secrets: Secrets) -> Rotation:
    """Encrypt every stored DSN that another key encrypted with the first one."""
    renewed, current, unreadable = 0, 0, []
    async with store.transaction() as connection:
        stored = await databases.list_encrypted(connection)
        if stored and not secrets.has_keys:
            message = "There is no key to encrypt with: set HOLDFAST_SECRET_KEY to the new key and the old one, separated by a comma."
            raise ConfigError(message)
        for name, token in stored:
            try:
                fresh = secrets.renew(token)
            except Refused:
                unreadable.append(name)
                continue
            if fresh == token:
                current += 1
                continue
            await databases.set_encrypted(connection, name, fresh)
            renewed += 1
        if renewed:
            await audit_log.append(connection, principal=_operator(), action="keys.rotate", details={"databases": str(renewed)})
    return Rotation(renewed=renewed, current=current, unreadable=tuple(unreadable))


@asynccontextmanager
async def _store(command: RotateKeys) -> AsyncIterator[Store]:
    """Open the store; the embedded one is started, or joined while a replica uses it."""
    embedded = None if command.store_url else EmbeddedPostgres(command.data_dir / "store")
    if embedded and not (command.data_dir / "store" / "pg").is_dir():
        message = f"There is no store in {command.data_dir}; give the --data-dir of the service, or HOLDFAST_STORE_URL."
        raise ConfigError(message)
    try:
        if embedded:
            await embedded.start()
        store = await Store.open(command.store_url or (embedded.dsn() if embedded else ""))
        try:
            yield store
        finally:
            await store.close()
    finally:
        if embedded:
            await embedded.stop()


def _operator() -> str:
    """Return who runs this, as the audit log names it: nobody logged in, but somebody may read the keys."""
    return f"local:{pwd.getpwuid(os.geteuid()).pw_name}"


def _dsns(count: int) -> str:
    return f"{count} stored DSN was" if count == 1 else f"{count} stored DSNs were"
