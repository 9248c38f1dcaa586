"""What a role may do with tables and schemas: in comes a session, out go rows of facts that the preflight judges."""

from dataclasses import dataclass

import asyncpg

from holdfastd.names import TableName

_TABLES = """
SELECT namespace.nspname AS schema,
       relation.relname AS name,
       pg_catalog.pg_get_userbyid(relation.relowner)::pg_catalog.text AS owner,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = relation.relowner) AS owner_is_superuser,
       pg_catalog.pg_has_role(relation.relowner, 'USAGE') AS is_owned,
       pg_catalog.has_table_privilege(relation.oid, 'SELECT') AS may_select,
       pg_catalog.has_table_privilege(relation.oid, 'REFERENCES') AS may_reference,
       pg_catalog.row_security_active(relation.oid) AS is_filtered
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.oid = ANY ($1::pg_catalog.oid[])
ORDER BY namespace.nspname, relation.relname
"""

_SCHEMAS = """
SELECT namespace.nspname AS name,
       pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') AS may_use,
       pg_catalog.has_schema_privilege(namespace.oid, 'CREATE') AS may_create
FROM pg_catalog.pg_namespace AS namespace
WHERE namespace.nspname = ANY ($1::pg_catalog.text[])
ORDER BY namespace.nspname
"""

# A default that the role, the database or the server sets; our own SET does not show in reset_val.
_SERVER = """
SELECT pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.current_database()::pg_catalog.text AS database,
       CURRENT_USER::pg_catalog.text AS role,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       (SELECT setting.reset_val FROM pg_catalog.pg_settings AS setting WHERE setting.name = 'default_transaction_read_only') = 'on'
           AS is_read_only,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schema,
       coalesce(
           (SELECT pg_catalog.has_schema_privilege(own.oid, 'CREATE') FROM pg_catalog.pg_namespace AS own WHERE own.nspname = 'holdfast'),
           false
       ) AS has_own_schema
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAccess:
    """What the session's role may do with one table."""

    table: TableName
    owner: str
    owner_is_superuser: bool
    is_owned: bool
    may_select: bool
    may_reference: bool
    #: Row security would hide rows from it.
    is_filtered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaAccess:
    """What the session's role may do with one schema."""

    name: str
    may_use: bool
    may_create: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccess:
    """What the session is connected to, and as whom."""

    #: The backend that answered; another one than the session was given when a pooler stands between.
    pid: int
    database: str
    role: str
    is_standby: bool
    is_read_only: bool
    may_create_schema: bool
    #: Schema `holdfast` is there and may be used.
    has_own_schema: bool


async def read_table_access(connection: asyncpg.Connection, oids: list[int]) -> tuple[TableAccess, ...]:
    """Return what the role may do with the tables, by name."""
    return tuple(
        TableAccess(
            table=TableName(row["schema"], row["name"]),
            owner=row["owner"],
            owner_is_superuser=bool(row["owner_is_superuser"]),
            is_owned=row["is_owned"],
            may_select=row["may_select"],
            may_reference=row["may_reference"],
            is_filtered=row["is_filtered"],
        )
        for row in await connection.fetch(_TABLES, oids)
    )


async def read_schema_access(connection: asyncpg.Connection, names: list[str]) -> tuple[SchemaAccess, ...]:
    """Return what the role may do with the schemas, by name."""
    rows = await connection.fetch(_SCHEMAS, names)
    return tuple(SchemaAccess(name=row["name"], may_use=row["may_use"], may_create=row["may_create"]) for row in rows)


async def read_server_access(connection: asyncpg.Connection) -> ServerAccess:
    """Return what the session is connected to."""
    return ServerAccess(**await connection.fetchrow(_SERVER))
