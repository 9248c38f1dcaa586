"""What an audit and an application need of a target: in comes a session, out goes one check per need, passed ones included.

A check that fails names what it blocks and the statement that cures it. Nothing is tried out, so nothing is changed or locked.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg

from holdfastd.catalog.model import Catalog, TableKind
from holdfastd.names import TableName, identifier, identifiers, qualified, readable
from holdfastd.target.access import (
    SchemaAccess,
    ServerAccess,
    TableAccess,
    read_schema_access,
    read_server_access,
    read_table_access,
)
from holdfastd.target.errors import FAILURES, translate
from holdfastd.target.identity import session_role
from holdfastd.target.session import OLDEST_MAJOR

Blocks = Literal["audit", "application", ""]

_NEWEST_MAJOR = 18
_SHOWN = 5
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked."""

    #: Stable name.
    id: str
    passed: bool
    #: What fails without it; empty when passed.
    blocks: Blocks
    #: What was seen, in words.
    message: str
    #: What to do about it; empty when passed.
    cure: str


async def check(
    connection: asyncpg.Connection, catalog: Catalog | None, *, tables: Collection[TableName] | None = None
) -> tuple[Check, ...]:
    """Check the server, and the tables of the catalog (or only those named) when there is one."""
    try:
        server = await read_server_access(connection)
        major = connection.get_server_version().major
        checks = [
            _direct_connection(server, connection.get_server_pid()),
            _version(major),
            _writable(server),
            _own_schema(server),
        ]
        if catalog is not None:
            chosen = [table for table in catalog.tables.values() if tables is None or table.name in tables]
            ours = [table for table in chosen if table.kind is not TableKind.FOREIGN]
            access = await read_table_access(connection, [table.oid for table in ours])
            schemas = await read_schema_access(connection, sorted({table.name.schema for table in ours}))
            checks += _of_tables(server.role, access, schemas)
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    return tuple(checks)


def _of_tables(role: str, tables: Sequence[TableAccess], schemas: Sequence[SchemaAccess]) -> list[Check]:
    return [
        _schema_usage(role, schemas),
        _select(role, tables),
        _row_security(role, tables),
        _ownership(role, tables),
        _references(role, tables),
        _index_builds(role, schemas),
    ]


def _direct_connection(server: ServerAccess, pid: int) -> Check:
    return _judge(
        "direct_connection",
        passed=server.pid == pid,
        blocks="application",
        good="The session is connected to the server itself.",
        bad="A connection pooler stands between Holdfast and the server; locks and settings of a session do not survive it.",
        cure="Register the DSN of the server itself, not of the pooler.",
    )


def _version(major: int) -> Check:
    newer = f"; Holdfast is tested up to {_NEWEST_MAJOR}" if major > _NEWEST_MAJOR else ""
    return _judge(
        "version",
        passed=major >= OLDEST_MAJOR,
        blocks="audit",
        good=f"The target runs PostgreSQL {major}{newer}.",
        bad=f"The target runs PostgreSQL {major}.",
        cure=f"Upgrade to PostgreSQL {OLDEST_MAJOR} or newer.",
    )


def _writable(server: ServerAccess) -> Check:
    if server.is_standby:
        seen, cure = "The target is a standby.", "Register the primary to apply plans."
    else:
        seen = "Transactions on the target are read-only by default."
        cure = "Lift default_transaction_read_only for the role, the database or the server."
    return _judge(
        "writable",
        passed=not server.is_standby and not server.is_read_only,
        blocks="application",
        good="The target accepts writes.",
        bad=seen,
        cure=cure,
    )


def _own_schema(server: ServerAccess) -> Check:
    return _judge(
        "own_schema",
        passed=server.may_create_schema or server.has_own_schema,
        blocks="application",
        good="Schema holdfast is there or can be created.",
        bad=f"Role {identifier(server.role)} may not create schema holdfast, where backups and the ledger go.",
        cure=f"GRANT CREATE ON DATABASE {identifier(server.database)} TO {identifier(server.role)}",
    )


def _schema_usage(role: str, schemas: Sequence[SchemaAccess]) -> Check:
    closed = [schema.name for schema in schemas if not schema.may_use]
    return _judge(
        "schema_usage",
        passed=not closed,
        blocks="audit",
        good="All schemas may be used.",
        bad=f"Role {identifier(role)} may not use {_some(map(readable, closed), 'schema')}; their tables cannot be counted.",
        cure=f"GRANT USAGE ON SCHEMA {identifiers(closed)} TO {identifier(role)}",
    )


def _select(role: str, tables: Sequence[TableAccess]) -> Check:
    unreadable = [access.table for access in tables if not access.may_select]
    return _judge(
        "select",
        passed=not unreadable,
        blocks="audit",
        good="All tables may be read.",
        bad=f"Role {identifier(role)} may not read {_some(map(str, unreadable), 'table')}; their rows cannot be counted.",
        cure=_grant("SELECT", unreadable, role),
    )


def _row_security(role: str, tables: Sequence[TableAccess]) -> Check:
    filtered = [access.table for access in tables if access.is_filtered]
    return _judge(
        "row_security",
        passed=not filtered,
        blocks="audit",
        good="No row is hidden by row security.",
        bad=f"Row security hides rows of {_some(map(str, filtered), 'table')}; a count would be wrong, so none is made.",
        cure=f"ALTER ROLE {identifier(role)} BYPASSRLS",
    )


def _ownership(role: str, tables: Sequence[TableAccess]) -> Check:
    foreign = [access for access in tables if not access.is_owned]
    named = _some((str(access.table) for access in foreign), "table")
    return _judge(
        "ownership",
        passed=not foreign,
        blocks="application",
        good="All tables may be altered.",
        bad=f"Only its owner may alter a table: role {identifier(role)} does not own {named}.",
        cure=_membership(role, foreign),
    )


def _membership(role: str, foreign: Sequence[TableAccess]) -> str:
    """Return how to become an owner; membership in a superuser would hand out the whole server, so its tables need another owner."""
    owners = sorted({access.owner for access in foreign if not access.owner_is_superuser})
    grant = f"GRANT {identifiers(owners)} TO {identifier(role)}" if owners else ""
    table = next((qualified(access.table) for access in foreign if access.owner_is_superuser), "")
    if not table:
        return grant
    give = f"a superuser owns some: ALTER TABLE {table} OWNER TO app_owner, for each of them, then GRANT app_owner TO {identifier(role)}"
    return f"{grant}; {give}" if grant else give[0].upper() + give[1:]


def _references(role: str, tables: Sequence[TableAccess]) -> Check:
    closed = [access.table for access in tables if not access.may_reference]
    return _judge(
        "references",
        passed=not closed,
        blocks="application",
        good="All tables may be referenced.",
        bad=f"Role {identifier(role)} may not make keys that reference {_some(map(str, closed), 'table')}.",
        cure=_grant("REFERENCES", closed, role),
    )


def _index_builds(role: str, schemas: Sequence[SchemaAccess]) -> Check:
    closed = [schema.name for schema in schemas if not schema.may_create]
    return _judge(
        "index_builds",
        passed=not closed,
        blocks="application",
        good="Indexes may be built in all schemas.",
        bad=f"Role {identifier(role)} may not build indexes in {_some(map(readable, closed), 'schema')}.",
        cure=f"GRANT CREATE ON SCHEMA {identifiers(closed)} TO {identifier(role)}",
    )


def _judge(name: str, *, passed: bool, blocks: Blocks, good: str, bad: str, cure: str) -> Check:
    """Return a check that says only what applies."""
    if passed:
        return Check(id=name, passed=True, blocks="", message=good, cure="")
    return Check(id=name, passed=False, blocks=blocks, message=bad, cure=cure)


def _grant(privilege: str, tables: Sequence[TableName], role: str) -> str:
    """Return the GRANT on these tables, or on all of their schemas when naming each would fill a page."""
    if len(tables) <= _NAMED:
        objects = ", ".join(map(qualified, tables))
    else:
        objects = "ALL TABLES IN SCHEMA " + identifiers(sorted({table.schema for table in tables}))
    return f"GRANT {privilege} ON {objects} TO {identifier(role)}"


def _some(names: Iterable[str], noun: str) -> str:
    """Return names for a sentence, the first few of many."""
    every = list(names)
    if len(every) <= _SHOWN:
        return f"{noun} {every[0]}" if len(every) == 1 else f"{noun}s {', '.join(every)}"
    return f"{len(every)} {noun}s, among them {', '.join(every[:_SHOWN])}"
