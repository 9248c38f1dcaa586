"""The sequences that give out a key's values: in come a session, a table and columns; out goes what tells which values they gave."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from holdfastd.catalog.model import Table
from holdfastd.names import TableName

# Owned ones (serial, identity), and whatever else the column's default depends on.
_SEQUENCES = """
SELECT attribute.attname::pg_catalog.text AS column,
       namespace.nspname::pg_catalog.text AS schema,
       relation.relname::pg_catalog.text AS name,
       sequence.seqstart AS start,
       sequence.seqmin AS lowest,
       sequence.seqincrement AS increment,
       sequence.seqcycle AS cycles,
       pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') AND pg_catalog.has_sequence_privilege(relation.oid, 'SELECT') AS is_readable,
       CURRENT_USER::pg_catalog.text AS role,
       (SELECT count(*)
        FROM pg_catalog.pg_depend AS filling
        JOIN pg_catalog.pg_attrdef AS filled ON filled.oid = filling.objid
        JOIN pg_catalog.pg_class AS holder ON holder.oid = filled.adrelid
        WHERE filling.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
          AND filling.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND filling.refobjid = relation.oid
          AND NOT holder.relispartition) > 1 AS is_shared
FROM pg_catalog.pg_attribute AS attribute
JOIN LATERAL (
    SELECT owned.objid AS oid
    FROM pg_catalog.pg_depend AS owned
    WHERE owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND owned.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND owned.refobjid = attribute.attrelid
      AND owned.refobjsubid = attribute.attnum
      AND owned.deptype IN ('a', 'i')
    UNION
    SELECT used.refobjid
    FROM pg_catalog.pg_attrdef AS filled
    JOIN pg_catalog.pg_depend AS used ON used.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND used.objid = filled.oid
    WHERE used.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND filled.adrelid = attribute.attrelid
      AND filled.adnum = attribute.attnum
) AS found ON true
JOIN pg_catalog.pg_class AS relation ON relation.oid = found.oid
JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = relation.oid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE attribute.attrelid = $1::pg_catalog.oid
  AND attribute.attname = ANY ($2::pg_catalog.text[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A sequence that counts up and gives out the values of one key column."""

    name: TableName
    start: int
    lowest: int
    increment: int
    #: It fills other columns, too, so that a value it gave out may never have been one of this key.
    is_shared: bool
    #: The role may read how far it has come; if not, `role` says who.
    is_readable: bool
    role: str


async def find_sequences(connection: asyncpg.Connection, table: Table, columns: tuple[str, ...]) -> Mapping[str, Sequence]:
    """Return the sequence by column, where there is exactly one that counts up and never begins again."""
    rows = await connection.fetch(_SEQUENCES, table.oid, list(columns))
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["column"], []).append(row)
    return {
        column: Sequence(
            name=TableName(row["schema"], row["name"]),
            start=row["start"],
            lowest=row["lowest"],
            increment=row["increment"],
            is_shared=row["is_shared"],
            is_readable=row["is_readable"],
            role=row["role"],
        )
        for column, [row, *others] in found.items()
        if not others and row["increment"] > 0 and not row["cycles"]
    }
