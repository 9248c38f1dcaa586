"""Why a role may not read tables: in come a session and tables, out goes the first thing that is missing, with its cure."""

from dataclasses import dataclass

import asyncpg

from holdfastd.evidence.model import HIDDEN_ROWS
from holdfastd.names import TableName, identifier
from holdfastd.target.errors import FAILURES, grant_on_table, translate

_ACCESS = """
SELECT CURRENT_USER::pg_catalog.text AS role,
       pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') AS may_enter,
       pg_catalog.has_table_privilege(relation.oid, 'SELECT') AS may_read,
       pg_catalog.row_security_active(relation.oid) AS is_filtered
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = $1
  AND relation.relname = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPrivilege:
    """What a role lacks, as half a sentence, and the SQL that cures it."""

    reason: str
    cure: str


async def find_missing_privilege(connection: asyncpg.Connection, tables: tuple[TableName, ...]) -> MissingPrivilege | None:
    """Return what keeps the session's role from reading the tables; None when nothing is found."""
    for table in dict.fromkeys(tables):
        try:
            access = await connection.fetchrow(_ACCESS, table.schema, table.name)
        except FAILURES as error:
            raise translate(error, role="") from error
        missing = access and _missing(table, access)
        if missing:
            return missing
    return None


async def explain_missing_privilege(connection: asyncpg.Connection, tables: tuple[TableName, ...]) -> str:
    """Return the same as half a sentence; a role can also lack what a view, function or column needs."""
    missing = await find_missing_privilege(connection, tables)
    return missing.reason if missing else "the role lacks a privilege that reading these tables needs"


def _missing(table: TableName, access: asyncpg.Record) -> MissingPrivilege | None:
    role = identifier(access["role"])
    if not access["may_enter"]:
        cure = f"GRANT USAGE ON SCHEMA {identifier(table.schema)} TO {role}"
        return MissingPrivilege(reason=f"role {role} may not use schema {identifier(table.schema)}; run {cure}", cure=cure)
    if not access["may_read"]:
        cure = grant_on_table("SELECT", table, access["role"])
        return MissingPrivilege(reason=f"role {role} may not read {table}; run {cure}", cure=cure)
    if access["is_filtered"]:
        cure = f"ALTER ROLE {role} BYPASSRLS"
        reason = f"{HIDDEN_ROWS} {table} from role {role}, so a count would be wrong; run {cure}, or audit as another role"
        return MissingPrivilege(reason=reason, cure=cure)
    return None
