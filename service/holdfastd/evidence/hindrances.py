"""What would make PostgreSQL refuse a cleanup, as far as it can be known without trying. Reads only.

In come a session, tables and rows by address; out goes half a sentence that says what stands in the way, empty when nothing does.
"""

from collections.abc import Collection, Sequence

import asyncpg

from holdfastd.catalog.model import Catalog, ForeignKey, Match, Table
from holdfastd.evidence.model import Edge
from holdfastd.evidence.statements import from_only, key_match, orphan_condition
from holdfastd.names import identifier
from holdfastd.plan.changed import Change, changed_rows, questions
from holdfastd.target.errors import is_about_rows, sqlstate
from holdfastd.target.rules import read_rules

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


async def find_refused_change(connection: asyncpg.Connection, change: Change, *parameters: object) -> str:
    """Look for a rule of a table that rows would break with other values: a CHECK, a domain, a unique key. Tells, tries nothing.

    What a trigger would say cannot be known without trying.
    """
    for name, value in change.values.items():
        column = change.table.column(name)
        if column.generated or column.identity == "a":
            return f"{name} of {change.table.name} is GENERATED ALWAYS, so no UPDATE can give it a value"
        if not await _does_type_take(connection, change.table, name, value):
            return f"{name} of {change.table.name} is of a domain that does not allow the value"
    for question in questions(change, await read_rules(connection, change.table)):
        try:
            async with connection.transaction():
                answers = await connection.fetchval(question.sql, *parameters)
        except asyncpg.PostgresError as error:
            if not is_about_rows(error):
                raise
            return f"a rule of {change.table.name} cannot be computed with the new values (SQLSTATE {sqlstate(error)})"
        for hindrance, is_met in zip(question.hindrances, answers, strict=True):
            if is_met:
                return hindrance
    return ""


async def _does_type_take(connection: asyncpg.Connection, table: Table, name: str, value: str) -> bool:
    """Tell whether a column's domain accepts a value; any other type does."""
    declared = table.column(name).type
    if declared.oid == declared.base_oid:
        return True
    try:
        # Of a transaction, or of a part of it: what fails in it leaves the rest alone.
        async with connection.transaction():
            await connection.fetchval(f"SELECT ({value}::{declared.formatted}) IS NULL")
    except asyncpg.IntegrityConstraintViolationError:
        return False
    return True


async def find_followers(connection: asyncpg.Connection, catalog: Catalog, change: Change, edges: Sequence[Edge]) -> str:
    """Look for rows that reference the old values of the changed columns: they would be left without, or change along."""
    for edge in edges:
        changes_key = edge.referenced.table == change.table.name and change.values.keys() & set(edge.referenced.columns)
        if not changes_key:
            continue
        match = key_match(
            catalog, edge.referencing, edge.referenced, edge.operators, referencing_alias="follower", referenced_alias="referencing"
        )
        query = (
            f"SELECT EXISTS (SELECT FROM {from_only(change.table)} AS referencing"
            f" JOIN {from_only(catalog.tables[edge.referencing.table])} AS follower ON {match} WHERE {change.condition})"
        )
        if await connection.fetchval(query):
            return f"rows of {edge.referencing.table} reference the values that would change"
    return ""


async def find_forbidding(connection: asyncpg.Connection, catalog: Catalog, change: Change, edges: Sequence[Edge]) -> str:
    """Look for keys of the same table that the new values would break: PostgreSQL checks them, though they be NOT VALID."""
    for edge in edges:
        if edge.referencing.table != change.table.name or not change.values.keys() & set(edge.referencing.columns):
            continue
        orphan = orphan_condition(catalog, edge.referencing, edge.referenced, edge.operators, alias="coming")
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM (SELECT * FROM {changed_rows(change)}) AS coming WHERE {orphan})"):
            return (
                f"with the new values, some rows would be orphan rows of {edge.referencing}, whose key is enforced by then;"
                " clean those up first"
            )
    return ""


async def count_partial_nulls(connection: asyncpg.Connection, catalog: Catalog, key: ForeignKey) -> int:
    """Count the rows that MATCH FULL forbids, though they are no orphan rows: some of their columns are NULL, others are not."""
    if key.match is not Match.FULL or len(key.referencing.columns) == 1:
        return 0
    names = [f"referencing.{identifier(name)}" for name in key.referencing.columns]
    some, every = (f" {word} ".join(f"{name} IS NULL" for name in names) for word in ("OR", "AND"))
    source = f"{from_only(catalog.tables[key.referencing.table])} AS referencing"
    counted: int = await connection.fetchval(f"SELECT pg_catalog.count(*) FROM {source} WHERE ({some}) AND NOT ({every})")
    return counted
