"""Bringing the store's schema up to date.

In comes a connection; out goes the schema `holdfastd` with every numbered migration applied once, whoever else starts at the same
moment. A migration that was applied is never edited: its checksum is kept. Whoever waits for a lock on a table keeps all others from
the table, replicas at work included; so it is tried for a moment only, again and again, and given up in the end.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import asyncpg
import structlog

from holdfastd.errors import Reason, Unavailable

log = structlog.get_logger()

#: Any number will do, as long as all replicas agree ("hold" in ASCII).
_LOCK = 0x686F6C64

_LOCK_TIMEOUT = "1s"
_TRIES = 30
#: Long enough for those who queued behind us to get their turn.
_PAUSE_SECONDS = 2.0

_APPLIED = """
CREATE TABLE IF NOT EXISTS holdfastd.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations() -> tuple[Migration, ...]:
    """Return all migrations in order."""
    found = [
        Migration(number=int(file.name.partition("_")[0]), name=file.name.removesuffix(".sql"), sql=file.read_text(encoding="utf-8"))
        for file in files("holdfastd.store").joinpath("migrations").iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


async def migrate(connection: Any) -> int:
    """Apply what is missing, all or nothing, and return how many migrations that were; Unavailable when others keep the tables locked."""
    for attempt in range(1, _TRIES + 1):
        try:
            return await _migrate(connection)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            log.warning("store_migration_waits", attempt=attempt, of=_TRIES)
        await asyncio.sleep(_PAUSE_SECONDS)
    message = (
        "The store cannot be migrated, because a transaction keeps its tables locked (a dump or another long one; pg_stat_activity shows"
        " which); wait for its end, or end it, and start again. Nothing was changed."
    )
    raise Unavailable(message, reason=Reason.STORE_UNAVAILABLE)


async def _migrate(connection: Any) -> int:
    async with connection.transaction():
        # For another replica's migration, however long it takes; it ends by itself.
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        # IF NOT EXISTS would ask for the privilege to create schemas even when the schema is there.
        if not await connection.fetchval("SELECT to_regnamespace('holdfastd') IS NOT NULL"):
            await connection.execute("CREATE SCHEMA holdfastd")
        await connection.execute(_APPLIED)
        applied = dict(await connection.fetch("SELECT number, checksum FROM holdfastd.migrations"))
        migrations = read_migrations()
        _check(applied, migrations)
        missing = [migration for migration in migrations if migration.number not in applied]
        for migration in missing:
            await connection.execute(migration.sql)
            insert = "INSERT INTO holdfastd.migrations (number, name, checksum) VALUES ($1, $2, $3)"
            await connection.execute(insert, migration.number, migration.name, migration.checksum)
    return len(missing)


def _check(applied: dict[int, str], migrations: tuple[Migration, ...]) -> None:
    known = {migration.number: migration.checksum for migration in migrations}
    for number, checksum in sorted(applied.items()):
        if number not in known:
            why = f"has migration {number}, which this version does not know; start a newer Holdfast."
        elif known[number] != checksum:
            why = f"was made by another text of migration {number}; restore the released migrations."
        else:
            continue
        raise Unavailable(f"The store {why}", reason=Reason.STORE_UNAVAILABLE, facts={"migration": str(number)})
