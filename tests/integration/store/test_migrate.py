"""The schema comes to be once, whoever starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from holdfastd.errors import Unavailable
from holdfastd.findings.model import Severity
from holdfastd.store import migrate as migrate_module
from holdfastd.store.documents import encode
from holdfastd.store.migrate import migrate, read_migrations
from support.postgres import Server
from support.stored import a_finding


async def _migrate(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return await migrate(connection)
    finally:
        await connection.close()


async def test_second_start_applies_nothing(database: str) -> None:
    assert [await _migrate(database), await _migrate(database)] == [len(read_migrations()), 0]


async def test_replicas_that_start_together_apply_everything_once(database: str) -> None:
    applied = await asyncio.gather(*(_migrate(database) for _ in range(6)))

    assert sorted(applied) == [0, 0, 0, 0, 0, len(read_migrations())]


async def test_store_may_be_any_supported_version(any_database: str) -> None:
    """HOLDFAST_STORE_URL may lead to an older PostgreSQL than the embedded one."""
    assert await _migrate(any_database) == len(read_migrations())


async def test_findings_of_before_get_their_ids(database: str) -> None:
    """Migration 2 computes what the service computes since."""
    plain, odd = a_finding(Severity.WARN), a_finding(Severity.WARN, 'The "Odd" One')
    about_key = replace(plain, relationship_id="public.a(b)->public.c(d)")
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA holdfastd")
    await connection.execute(read_migrations()[0].sql)
    await connection.execute("ALTER TABLE holdfastd.audits DISABLE TRIGGER ALL; ALTER TABLE holdfastd.audit_findings DISABLE TRIGGER ALL")
    for position, finding in enumerate((plain, odd, about_key), start=1):
        insert = "INSERT INTO holdfastd.audit_findings (audit_id, position, severity, document) VALUES ('a', $1, 2, $2)"
        await connection.execute(insert, position, encode(finding))
    await connection.execute(read_migrations()[1].sql)
    ids = await connection.fetch("SELECT id FROM holdfastd.audit_findings ORDER BY position")
    await connection.close()

    assert [row["id"] for row in ids] == [plain.id, odd.id, about_key.id]


async def test_edited_migration_is_refused(database: str) -> None:
    await _migrate(database)
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE holdfastd.migrations SET checksum = 'other' WHERE number = 1")
    await connection.close()

    with pytest.raises(Unavailable, match="another text of migration 1"):
        await _migrate(database)


async def test_newer_store_is_refused(database: str) -> None:
    """An older Holdfast does not work on a schema it does not know."""
    await _migrate(database)
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO holdfastd.migrations VALUES (9999, 'later', '')")
    await connection.close()

    with pytest.raises(Unavailable, match="migration 9999"):
        await _migrate(database)


async def test_role_without_create_on_database_migrates_a_prepared_schema(postgres: Server, database: str) -> None:
    """An administrator may create the schema and hand it over."""
    name = database.rpartition("/")[2]
    role = f"role_{name}"
    await postgres.execute(f"CREATE ROLE {role} LOGIN; CREATE SCHEMA holdfastd AUTHORIZATION {role}", database=name)
    try:
        assert await _migrate(postgres.dsn(name, role=role)) == len(read_migrations())
    finally:
        await postgres.execute(f"DROP OWNED BY {role}; DROP ROLE {role}", database=name)


async def test_foreign_keys_have_indexes(database: str) -> None:
    """What Holdfast asks of others holds for its own store: every referencing column leads a usable index."""
    await _migrate(database)
    connection = await asyncpg.connect(database)
    unindexed = await connection.fetch("""
        SELECT conrelid::regclass::text, conkey
        FROM pg_constraint AS fk
        WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1] AND indpred IS NULL
        )
    """)
    await connection.close()

    assert unindexed == []


@asynccontextmanager
async def _dumping(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The store of the first version, in the middle of being dumped."""
    dump = await asyncpg.connect(database)
    await dump.execute("CREATE SCHEMA holdfastd")
    await dump.execute(migrate_module._APPLIED)
    first = read_migrations()[0]
    await dump.execute(first.sql)
    await dump.execute("INSERT INTO holdfastd.migrations VALUES (1, $1, $2)", first.name, first.checksum)
    await dump.execute("BEGIN; LOCK TABLE holdfastd.jobs IN ACCESS SHARE MODE")
    try:
        yield dump
    finally:
        await dump.close()


async def test_migration_does_not_keep_replicas_from_the_store_while_it_is_dumped(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the end of the dump, but not in the queue for the table, where the replicas at work would wait behind it."""
    monkeypatch.setattr(migrate_module, "_LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(migrate_module, "_PAUSE_SECONDS", 0.2)
    async with _dumping(database) as dump:
        migrating = asyncio.create_task(_migrate(database))
        replica = await asyncpg.connect(database, command_timeout=3)
        for _ in range(3):
            await _until_it_waits(replica)
            await replica.execute("SELECT count(*) FROM holdfastd.jobs")
        await dump.execute("COMMIT")
        applied = await asyncio.wait_for(migrating, 10)
        await replica.close()

    assert applied == len(read_migrations()) - 1


async def _until_it_waits(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(5):
        while not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)


async def test_migration_is_given_up_in_the_end(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the new version is told what to look for, and the store is as it was."""
    monkeypatch.setattr(migrate_module, "_LOCK_TIMEOUT", "20ms")
    monkeypatch.setattr(migrate_module, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(migrate_module, "_TRIES", 2)
    async with _dumping(database) as dump:
        with pytest.raises(Unavailable, match="keeps its tables locked"):
            await _migrate(database)
        assert await dump.fetchval("SELECT max(number) FROM holdfastd.migrations") == 1
