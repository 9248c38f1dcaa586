"""Are the tables still those that the plan was compared with? A name is no proof: somebody may have put another table in its place.

In come the tables of a plan; what goes out is their object ids, and a refusal as soon as one of them is another.
"""

from collections.abc import Iterable, Mapping

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.names import TableName, qualified

_OBJECTS = """
SELECT name, pg_catalog.to_regclass(name)::pg_catalog.oid::pg_catalog.int8 AS oid
FROM unnest($1::pg_catalog.text[]) AS given (name)
"""
_PARTITIONS = """
SELECT root.name, ARRAY(
  SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname)
  FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(root.name)) AS part
  JOIN pg_catalog.pg_class AS relation ON relation.oid = part.relid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  WHERE part.level > 0) AS partitions
FROM unnest($1::pg_catalog.text[]) AS root (name)
JOIN pg_catalog.pg_class AS given ON given.oid = pg_catalog.to_regclass(root.name) AND given.relkind = 'p'
"""


async def read_standing(connection: asyncpg.Connection, tables: Iterable[TableName]) -> Mapping[str, int | None]:
    """Return the object ids of tables by qualified name; None where there is no such table."""
    rows = await connection.fetch(_OBJECTS, [qualified(table) for table in tables])
    return {row["name"]: row["oid"] for row in rows}


async def refuse_replaced(connection: asyncpg.Connection, expected: Mapping[str, int | None]) -> None:
    """Refuse PLAN_DRIFTED when a table is not the one that it was when the work began."""
    rows = await connection.fetch(_OBJECTS, list(expected))
    changed = sorted(row["name"] for row in rows if row["oid"] != expected[row["name"]])
    if changed:
        names = ", ".join(changed)
        message = f"{names}: dropped, renamed or replaced by another table since the work began. Audit again and make a new plan."
        raise Refused(message, reason=Reason.PLAN_DRIFTED, facts={"changes": names})


async def read_partitions(connection: asyncpg.Connection, tables: Iterable[TableName]) -> Mapping[TableName, frozenset[str]]:
    """Return the qualified names of all partitions below those of the tables that are partitioned."""
    named = {qualified(table): table for table in tables}
    rows = await connection.fetch(_PARTITIONS, list(named))
    return {named[row["name"]]: frozenset(row["partitions"]) for row in rows}


async def refuse_new_partitions(connection: asyncpg.Connection, table: TableName, expected: frozenset[str]) -> None:
    """Refuse PLAN_DRIFTED when a table has a partition that it had not when the work began; keep new ones out until the transaction ends.

    A new one has no steps in the plan: what it holds was neither looked at nor cleaned up.
    """
    await connection.execute(f"LOCK TABLE ONLY {qualified(table)} IN SHARE ROW EXCLUSIVE MODE")
    found = await read_partitions(connection, [table])
    new = sorted(found.get(table, frozenset()) - expected)
    if new:
        names = ", ".join(new)
        message = (
            f"{names}: new partition of {table} since the work began; the plan has no steps for it, so the key was not added."
            " Audit again and make a new plan."
        )
        raise Refused(message, reason=Reason.PLAN_DRIFTED, facts={"changes": names})
