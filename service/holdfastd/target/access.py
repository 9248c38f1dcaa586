"""What a role may do with tables and schemas: in comes a session, out go rows of facts that the preflight judges."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.names import TableName

# A superuser's membership in every role is not what is asked for: is_owned tells what works.
_TABLES = """
SELECT namespace.nspname AS schema,
       relation.relname AS name,
       owner.rolname::pg_catalog.text AS owner,
       owner.rolsuper AS owner_is_superuser,
       pg_catalog.pg_has_role(relation.relowner, 'USAGE') AS is_owned,
       pg_catalog.pg_has_role(relation.relowner, 'MEMBER') AS is_member,
       pg_catalog.has_table_privilege(relation.oid, 'SELECT') AS may_select,
       pg_catalog.has_table_privilege(relation.oid, {locking}) AS may_lock,
       pg_catalog.has_table_privilege(relation.oid, 'REFERENCES') AS may_reference_all,
       ARRAY(SELECT attribute.attname::pg_catalog.text FROM pg_catalog.pg_attribute AS attribute
             WHERE attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
               AND pg_catalog.has_column_privilege(relation.oid, attribute.attnum, 'REFERENCES')) AS referenceable,
       pg_catalog.row_security_active(relation.oid) AS is_filtered,
       pg_catalog.has_schema_privilege(relation.relowner, relation.relnamespace, 'USAGE') AS owner_may_use_schema,
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'UPDATE', 'DELETE']) AS wanted (privilege)
             WHERE pg_catalog.has_table_privilege(relation.relowner, relation.oid, privilege)) AS owner_may
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS asked (schema, name)
JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = asked.schema
JOIN pg_catalog.pg_class AS relation ON relation.relnamespace = namespace.oid AND relation.relname = asked.name
JOIN pg_catalog.pg_roles AS owner ON owner.oid = relation.relowner
ORDER BY namespace.nspname, relation.relname
"""
_LOCKING = "'UPDATE, DELETE, TRUNCATE'"
_LOCKING_17 = "'UPDATE, DELETE, TRUNCATE, MAINTAIN'"

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
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) AS is_superuser,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       (SELECT setting.reset_val FROM pg_catalog.pg_settings AS setting WHERE setting.name = 'default_transaction_read_only') = 'on'
           AS is_read_only,
       (SELECT setting.reset_val FROM pg_catalog.pg_settings AS setting WHERE setting.name = 'session_replication_role')
           AS replication_role,
       {may_set} AS may_set_replication_role,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schema,
       coalesce(
           (SELECT pg_catalog.has_schema_privilege(own.oid, 'CREATE') FROM pg_catalog.pg_namespace AS own WHERE own.nspname = 'holdfast'),
           false
       ) AS has_own_schema
"""
_MAY_SET = "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER)"
_MAY_SET_15 = "pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"

_PARAMETER_PRIVILEGES_MAJOR = 15
_MAINTAIN_MAJOR = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAccess:
    """What the session's role may do with one table, and what its owner may."""

    table: TableName
    owner: str
    owner_is_superuser: bool
    is_owned: bool
    #: Member of the owner; without inheriting from it, that is not enough.
    is_member: bool
    may_select: bool
    #: May be locked in SHARE mode.
    may_lock: bool
    may_reference_all: bool
    #: Columns that keys may reference.
    referenceable: frozenset[str]
    #: Row security would hide rows from it.
    is_filtered: bool
    owner_may_use_schema: bool
    #: Of SELECT, UPDATE and DELETE, what the owner may do: it can revoke its own rights.
    owner_may: frozenset[str]

    def may_reference(self, columns: Sequence[str]) -> bool:
        """Tell whether a key may reference these columns, or any when none is named."""
        return self.may_reference_all or (bool(columns) and self.referenceable.issuperset(columns))


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
    is_superuser: bool
    is_standby: bool
    is_read_only: bool
    #: `replica` and `local` keep keys from being enforced.
    replication_role: str
    may_set_replication_role: bool
    may_create_schema: bool
    #: Schema `holdfast` is there and may be used.
    has_own_schema: bool


async def read_role(connection: asyncpg.Connection) -> str:
    """Return the role whose rights count."""
    return str(await connection.fetchval("SELECT CURRENT_USER::pg_catalog.text"))


async def read_table_access(connection: asyncpg.Connection, tables: Sequence[TableName]) -> tuple[TableAccess, ...]:
    """Return what the role may do with the tables, by name; those that are not there are left out."""
    locking = _LOCKING_17 if connection.get_server_version().major >= _MAINTAIN_MAJOR else _LOCKING
    rows = await connection.fetch(_TABLES.format(locking=locking), [table.schema for table in tables], [table.name for table in tables])
    return tuple(_table_access(row) for row in rows)


def _table_access(row: asyncpg.Record) -> TableAccess:
    return TableAccess(
        table=TableName(row["schema"], row["name"]),
        owner=row["owner"],
        owner_is_superuser=row["owner_is_superuser"],
        is_owned=row["is_owned"],
        is_member=row["is_member"],
        may_select=row["may_select"],
        may_lock=row["may_lock"],
        may_reference_all=row["may_reference_all"],
        referenceable=frozenset(row["referenceable"]),
        is_filtered=row["is_filtered"],
        owner_may_use_schema=row["owner_may_use_schema"],
        owner_may=frozenset(row["owner_may"]),
    )


async def read_schema_access(connection: asyncpg.Connection, names: Sequence[str]) -> tuple[SchemaAccess, ...]:
    """Return what the role may do with the schemas, by name."""
    rows = await connection.fetch(_SCHEMAS, list(names))
    return tuple(SchemaAccess(name=row["name"], may_use=row["may_use"], may_create=row["may_create"]) for row in rows)


async def read_server_access(connection: asyncpg.Connection) -> ServerAccess:
    """Return what the session is connected to."""
    may_set = _MAY_SET_15 if connection.get_server_version().major >= _PARAMETER_PRIVILEGES_MAJOR else _MAY_SET
    return ServerAccess(**await connection.fetchrow(_SERVER.format(may_set=may_set)))
