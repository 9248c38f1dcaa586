"""The relations behind the tables of a plan, partitions included: locks, vacuum and room are theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.names import TableName

_RELATIONS = """
SELECT asked.number, relation.oid::pg_catalog.int8 AS oid, namespace.nspname AS schema, relation.relname AS name
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) WITH ORDINALITY AS asked (schema, name, number)
JOIN pg_catalog.pg_namespace AS own ON own.nspname = asked.schema
JOIN pg_catalog.pg_class AS root ON root.relnamespace = own.oid AND root.relname = asked.name
CROSS JOIN LATERAL (
  SELECT root.oid AS oid
  UNION
  SELECT tree.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(root.oid) AS tree
) AS part
JOIN pg_catalog.pg_class AS relation ON relation.oid = part.oid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """Tables by oid."""

    names: Mapping[int, TableName]
    #: Per table: itself and its partitions.
    oids: Mapping[TableName, tuple[int, ...]]

    def __getitem__(self, oid: int) -> TableName:
        """Return a name by oid."""
        return self.names[oid]

    def belongs(self, oid: int, table: TableName) -> bool:
        """Tell whether a relation is the table or a partition of it."""
        return oid in self.oids.get(table, ())

    def oids_of(self, tables: Iterable[TableName]) -> list[int]:
        """Return the oids of tables and their partitions; tables that are gone have none."""
        return sorted({oid for table in tables for oid in self.oids.get(table, ())})


async def read_relations(connection: asyncpg.Connection, tables: Sequence[TableName]) -> Relations:
    """Return the relations behind the tables."""
    rows = await connection.fetch(_RELATIONS, [table.schema for table in tables], [table.name for table in tables])
    oids: dict[TableName, tuple[int, ...]] = {}
    for row in rows:
        table = tables[row["number"] - 1]
        oids[table] = (*oids.get(table, ()), row["oid"])
    return Relations(names={row["oid"]: TableName(row["schema"], row["name"]) for row in rows}, oids=oids)
