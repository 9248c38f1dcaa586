"""Registered databases."""

from collections.abc import Collection
from dataclasses import astuple
from typing import Any

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.errors import AlreadyExists, Conflict, NotFound, Reason
from holdfastd.store.documents import searchable
from holdfastd.store.model import USUAL_SETTINGS, DatabaseRecord, DatabaseSettings, DsnKind, Registration

_COLUMNS = """
    name, host, port, database_name, role, dsn_kind, dsn_reference, dsn_encrypted,
    system_identifier, database_oid, server_version_number, server_version
"""


async def add(connection: Any, registration: Registration, settings: DatabaseSettings = USUAL_SETTINGS) -> DatabaseRecord:
    """Register a database; AlreadyExists when its name is taken, or the same database has another name."""
    insert = f"""
        INSERT INTO databases ({_COLUMNS}, reachable, four_eyes, max_running_jobs)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, true, $13, $14)
        RETURNING *
    """
    try:
        async with connection.transaction():
            row = await connection.fetchrow(insert, *_values(registration), *astuple(settings))
    except asyncpg.UniqueViolationError as error:
        raise await _taken(connection, registration, error) from None
    return _record(row)


async def get(connection: Any, name: str) -> DatabaseRecord:
    """Return a database by name; NotFound when there is none."""
    row = await connection.fetchrow("SELECT * FROM databases WHERE name = $1", searchable(name))
    if row is None:
        raise _not_found(name)
    return _record(row)


async def list_page(connection: Any, after: str, limit: int, visible: Collection[str] | None = None) -> tuple[DatabaseRecord, ...]:
    """Return databases by name, those after the given name, the visible ones or all."""
    query = "SELECT * FROM databases WHERE name > $1 AND ($3::text[] IS NULL OR name = ANY ($3)) ORDER BY name LIMIT $2"
    rows = await connection.fetch(query, searchable(after), limit, visible)
    return tuple(_record(row) for row in rows)


async def update(connection: Any, registration: Registration, *, if_etag: str = "") -> DatabaseRecord:
    """Replace what is known about the database of that name; Conflict when it changed since the caller saw it."""
    name = registration.name
    await _lock(connection, name, if_etag)
    change = f"""
        UPDATE databases
        SET ({_COLUMNS}, reachable, etag) = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, true, gen_random_uuid()::text)
        WHERE name = $1
        RETURNING *
    """
    try:
        async with connection.transaction():
            row = await connection.fetchrow(change, *_values(registration))
    except asyncpg.UniqueViolationError as error:
        raise await _taken(connection, registration, error) from None
    return _record(row)


async def set_settings(connection: Any, name: str, settings: DatabaseSettings, *, if_etag: str = "") -> DatabaseRecord:
    """Replace the settings of a database; Conflict when it changed since the caller saw it."""
    await _lock(connection, name, if_etag)
    change = """
        UPDATE databases SET (four_eyes, max_running_jobs, etag) = ($2, $3, gen_random_uuid()::text) WHERE name = $1 RETURNING *
    """
    return _record(await connection.fetchrow(change, searchable(name), *astuple(settings)))


async def _lock(connection: Any, name: str, if_etag: str) -> None:
    current = await connection.fetchrow("SELECT etag FROM databases WHERE name = $1 FOR UPDATE", searchable(name))
    if current is None:
        raise _not_found(name)
    if if_etag and if_etag != current["etag"]:
        message = f"Database {name} changed since you read it; read it again and repeat the update."
        raise Conflict(message, reason=Reason.ETAG_MISMATCH, facts={"database": name})


async def set_reachable(connection: Any, name: str, *, reachable: bool) -> None:
    """Note whether the last connection succeeded."""
    await connection.execute("UPDATE databases SET reachable = $2 WHERE name = $1 AND reachable <> $2", name, reachable)


async def list_encrypted(connection: Any) -> tuple[tuple[str, bytes], ...]:
    """Return name and encrypted DSN of every database that has one, locked against changes until the transaction ends."""
    rows = await connection.fetch("SELECT name, dsn_encrypted FROM databases WHERE dsn_encrypted IS NOT NULL ORDER BY name FOR UPDATE")
    return tuple((row["name"], row["dsn_encrypted"]) for row in rows)


async def set_encrypted(connection: Any, name: str, token: bytes) -> None:
    """Replace the encrypted DSN by the same one under another key; that is no change that an etag tells."""
    await connection.execute("UPDATE databases SET dsn_encrypted = $2 WHERE name = $1", name, token)


async def remove(connection: Any, name: str) -> None:
    """Forget a database with its audits, plans and jobs; Conflict while a job works on it. The audit log stays."""
    database_id = await connection.fetchval("SELECT id FROM databases WHERE name = $1 FOR UPDATE", searchable(name))
    if database_id is None:
        raise _not_found(name)
    unfinished = "SELECT id FROM jobs WHERE database_id = $1 AND state IN ('QUEUED', 'RUNNING') ORDER BY id LIMIT 1"
    job_id = await connection.fetchval(unfinished, database_id)
    if job_id is not None:
        message = f"Job {job_id} works on database {name}; wait for it or cancel it."
        raise Conflict(message, reason=Reason.DATABASE_BUSY, facts={"database": name, "job_id": job_id})
    await connection.execute("DELETE FROM databases WHERE id = $1", database_id)


def _values(registration: Registration) -> tuple[Any, ...]:
    identity = registration.identity
    return (
        registration.name,
        registration.host,
        registration.port,
        registration.database_name,
        registration.role,
        registration.dsn_kind,
        registration.dsn_reference,
        registration.dsn_encrypted,
        identity.system_identifier,
        identity.database_oid,
        identity.version_number,
        identity.version,
    )


def _record(row: Any) -> DatabaseRecord:
    identity = Identity(
        system_identifier=row["system_identifier"],
        database_oid=row["database_oid"],
        database_name=row["database_name"],
        version_number=row["server_version_number"],
        version=row["server_version"],
    )
    same = ("id", "name", "reachable", "host", "port", "database_name", "role", "dsn_reference", "dsn_encrypted", "create_time", "etag")
    settings = DatabaseSettings(four_eyes=row["four_eyes"], max_running_jobs=row["max_running_jobs"])
    return DatabaseRecord(dsn_kind=DsnKind(row["dsn_kind"]), identity=identity, settings=settings, **{name: row[name] for name in same})


async def _taken(connection: Any, registration: Registration, error: Any) -> AlreadyExists:
    name, identity = registration.name, registration.identity
    if error.constraint_name != "databases_identity_key":
        message = f"Database {name} is registered already; choose another name, or update it."
        return AlreadyExists(message, reason=Reason.DATABASE_EXISTS, facts={"database": name})
    query = "SELECT name FROM databases WHERE (system_identifier, database_oid) = ($1, $2)"
    other = await connection.fetchval(query, identity.system_identifier, identity.database_oid) or ""
    message = f"This database is registered as {other}; use that name, or remove it first."
    return AlreadyExists(message, reason=Reason.DATABASE_REGISTERED_TWICE, facts={"database": name, "registered_as": other})


def _not_found(name: str) -> NotFound:
    message = f"There is no database {name!r}; list the databases, or add it."
    return NotFound(message, reason=Reason.DATABASE_NOT_FOUND, facts={"database": name})
