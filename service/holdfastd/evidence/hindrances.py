"""What would make PostgreSQL refuse a cleanup, though no key in the catalog speaks against it. Reads only.

In come a session, tables and rows by address; out goes half a sentence that says what stands in the way, empty when nothing does.
"""

from collections.abc import Collection

import asyncpg

from holdfastd.catalog.model import Catalog, Operator, Table
from holdfastd.evidence.statements import from_only, orphan_condition
from holdfastd.names import ColumnSet, identifier

_UNFOLLOWED = """
SELECT fk.conname AS name, fk.conrelid::pg_catalog.regclass::text AS relation,
  ARRAY(SELECT attribute.attname::text FROM unnest(fk.conkey) WITH ORDINALITY AS key (number, position)
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = fk.conrelid AND attribute.attnum = key.number
    ORDER BY key.position) AS referencing,
  ARRAY(SELECT attribute.attname::text FROM unnest(fk.confkey) WITH ORDINALITY AS key (number, position)
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = fk.confrelid AND attribute.attnum = key.number
    ORDER BY key.position) AS referenced
FROM pg_catalog.pg_constraint AS fk
WHERE fk.contype = 'f' AND fk.conparentid = 0 AND fk.confrelid = $1::oid AND fk.conrelid <> ALL ($2::oid[])
ORDER BY fk.conname
"""
_UNPUBLISHABLE = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_publication_tables AS published
  JOIN pg_catalog.pg_publication AS publication USING (pubname)
  JOIN pg_catalog.pg_class AS relation ON relation.oid = $1::oid
  WHERE published.schemaname = $2 AND published.tablename = $3
  AND CASE WHEN $4::boolean THEN publication.pubdelete ELSE publication.pubupdate END
  AND (relation.relreplident = 'n' OR relation.relreplident = 'd'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS key WHERE key.indrelid = relation.oid AND key.indisprimary)))
"""
_CHECKS = """
SELECT conname AS name, pg_catalog.pg_get_expr(conbin, conrelid) AS expression
FROM pg_catalog.pg_constraint
WHERE conrelid = $1::oid AND contype = 'c'
ORDER BY conname
"""


async def find_unfollowed(connection: asyncpg.Connection, catalog: Catalog, table: Table, addresses: Collection[str]) -> str:
    """Look for rows that reference the given ones by keys outside the catalog: those of a single partition, or of an extension's table."""
    known = [table.oid for table in catalog.tables.values()]
    for key in await connection.fetch(_UNFOLLOWED, table.oid, known):
        pairs = zip(key["referencing"], key["referenced"], strict=True)
        match = " AND ".join(f"referencing.{identifier(left)} = referenced.{identifier(right)}" for left, right in pairs)
        query = (
            f"SELECT EXISTS (SELECT FROM {from_only(table)} AS referenced JOIN ONLY {key['relation']} AS referencing ON {match}"
            " WHERE referenced.ctid = ANY ($1::text[]::tid[]))"
        )
        if await connection.fetchval(query, list(addresses)):
            return f"rows of {key['relation']} reference them by {key['name']}, a key that Holdfast does not follow"
    return ""


async def find_publication(connection: asyncpg.Connection, table: Table, *, deletes: bool) -> str:
    """Tell whether a table is published in such a way that nobody can delete or change its rows."""
    if not await connection.fetchval(_UNPUBLISHABLE, table.oid, table.name.schema, table.name.name, deletes):
        return ""
    return f"{table.name} is published without a replica identity, so PostgreSQL refuses to delete or change its rows"


async def find_forbidding_check(
    connection: asyncpg.Connection, catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, operators: tuple[Operator, ...]
) -> str:
    """Look for a CHECK that an orphan row would break with NULL in its referencing columns."""
    table = catalog.tables[referencing.table]
    values = ", ".join(
        f"NULL::{column.type.formatted} AS {identifier(column.name)}"
        if column.name in referencing.columns
        else f"referencing.{identifier(column.name)}"
        for column in table.columns
    )
    condition = orphan_condition(catalog, referencing, referenced, operators)
    changed = f"(SELECT {values} FROM {from_only(table)} AS referencing WHERE {condition}) AS {identifier(table.name.name)}"
    for check in await connection.fetch(_CHECKS, table.oid):
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {changed} WHERE NOT ({check['expression']}))"):
            return f"the CHECK {check['name']} on {table.name} does not let them be NULL"
    return ""
