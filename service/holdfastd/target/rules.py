"""What every row of a table must satisfy now, foreign keys aside: in come a session and a table, out go its rules."""

from dataclasses import dataclass

import asyncpg

from holdfastd.catalog.model import Table
from holdfastd.plan.obstacles import TableRules, UniqueRule
from holdfastd.sql import load_queries


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """What PostgreSQL computes when a row is written, beyond its columns."""

    #: What it belongs to, in words.
    owner: str
    sql: str


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


async def read_expressions(connection: asyncpg.Connection, table: Table) -> tuple[Expression, ...]:
    """Return the expressions of generated columns, indexes and CHECK constraints."""
    rows = await connection.fetch(_QUERIES["list_expressions"], table.oid)
    return tuple(Expression(owner=row["owner"], sql=row["expression"]) for row in rows)


async def read_loose_functions(connection: asyncpg.Connection, table: Table) -> tuple[str, ...]:
    """Return the functions that those expressions call by name and that run under the search_path of whoever writes a row."""
    return tuple(row["function"] for row in await connection.fetch(_QUERIES["list_loose_functions"], table.oid))
