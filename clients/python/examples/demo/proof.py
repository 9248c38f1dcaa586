"""The proof that a rollback is exact: in comes a database, out go digests of its schema, its rows and its sequences."""

import asyncio
import hashlib
from dataclasses import dataclass

import asyncpg
from stage import Stage

#: Without a fixed key, newer versions of pg_dump write a random one into every dump.
_RESTRICT_KEY = "--restrict-key=holdfast"
_TABLES = """
SELECT pg_catalog.quote_ident(schemaname) || '.' || pg_catalog.quote_ident(tablename)
FROM pg_catalog.pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'holdfast')
ORDER BY 1
"""
_SEQUENCES = """
SELECT schemaname, sequencename, last_value
FROM pg_catalog.pg_sequences
WHERE schemaname <> 'holdfast'
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a database holds, as digests; schema holdfast aside."""

    schema: str
    rows: dict[str, str]
    sequences: str


async def read_state(stage: Stage) -> State:
    """Read the whole database."""
    connection = await asyncpg.connect(stage.dsn)
    try:
        tables = [record[0] for record in await connection.fetch(_TABLES)]
        rows = {table: await _rows(connection, table) for table in tables}
        sequences = repr([tuple(record) for record in await connection.fetch(_SEQUENCES)])
    finally:
        await connection.close()
    return State(schema=await _dump(stage), rows=rows, sequences=_digest(sequences.encode()))


async def _rows(connection: asyncpg.Connection, table: str) -> str:
    records = await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")
    return _digest("\n".join(record[0] for record in records).encode())


async def _dump(stage: Stage) -> str:
    options = ("--schema-only", "--exclude-schema=holdfast", f"--dbname={stage.dsn}")
    process = await asyncio.create_subprocess_exec(
        stage.binaries.program("pg_dump"),
        *(_RESTRICT_KEY, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    dump, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"pg_dump failed: {complaint.decode().strip()}")
    return _digest(dump)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
