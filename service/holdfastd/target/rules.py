"""What every row of a table must satisfy now, foreign keys aside: in come a session and a table, out go its rules."""

import asyncpg

from holdfastd.catalog.model import Table
from holdfastd.plan.obstacles import TableRules, UniqueRule
from holdfastd.sql import load_queries

_QUERIES = load_queries("holdfastd.target", "rules.sql")


async def read_rules(connection: asyncpg.Connection, table: Table) -> TableRules:
    """Return CHECK constraints, columns that accept no NULL, unique indexes and exclusion constraints."""
    checks = await connection.fetch(_QUERIES["list_checks"], table.oid)
    required = await connection.fetch(_QUERIES["list_required"], table.oid)
    uniques = await connection.fetch(_QUERIES["list_uniques"], table.oid)
    return TableRules(
        table=table.name,
        checks=tuple((row["name"], row["expression"]) for row in checks),
        required=tuple(row["name"] for row in required),
        uniques=tuple(
            UniqueRule(
                name=row["name"],
                expressions=tuple(row["expressions"]),
                operators=tuple(row["operators"]),
                predicate=row["predicate"],
                nulls_not_distinct=row["nulls_not_distinct"],
                is_exclusion=row["is_exclusion"],
            )
            for row in uniques
        ),
    )
