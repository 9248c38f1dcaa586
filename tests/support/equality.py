"""When are two states of a database equal? Schema dump, rows as text ordered by their text, sequence states; schema holdfast aside."""

import re
from dataclasses import dataclass

import asyncpg

from holdfastd.names import identifier
from support.postgres import Server

_TABLES = """
SELECT namespace.nspname AS schema, relation.relname AS name
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind = 'r' AND namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast')
ORDER BY 1, 2
"""
_SEQUENCES = """
SELECT namespace.nspname AS schema, relation.relname AS name
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind = 'S' AND namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast')
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class State:
    """A database, in text."""

    schema: str
    rows: dict[str, tuple[str, ...]]
    sequences: dict[str, str]


async def state_of(server: Server, dsn: str) -> State:
    """Return the state of a database."""
    # The key of \\restrict lines is random unless fixed; servers of 2025 and later write them.
    dump = await server.program("pg_dump", "--schema-only", "--exclude-schema=holdfast", f"--dbname={dsn}")
    dump = re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET extra_float_digits = 1")
        rows = {str(tuple(table)): await _rows(connection, table) for table in await connection.fetch(_TABLES)}
        sequences = {str(tuple(name)): await _sequence(connection, name) for name in await connection.fetch(_SEQUENCES)}
    finally:
        await connection.close()
    return State(dump, rows, sequences)


async def _rows(connection: asyncpg.Connection, table: asyncpg.Record) -> tuple[str, ...]:
    name = f"{identifier(table['schema'])}.{identifier(table['name'])}"
    found = await connection.fetch(f"SELECT (whole.*)::text AS text FROM ONLY {name} AS whole ORDER BY 1")
    return tuple(row["text"] for row in found)


async def _sequence(connection: asyncpg.Connection, sequence: asyncpg.Record) -> str:
    name = f"{identifier(sequence['schema'])}.{identifier(sequence['name'])}"
    return str(tuple(await connection.fetchrow(f"SELECT last_value, is_called FROM {name}")))
