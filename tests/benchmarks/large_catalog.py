"""Read a catalog of thousands of tables on a real server and print how long it took, and how much memory, as a Markdown table.

python tests/benchmarks/large_catalog.py [--tables 10000] [--major 18]
python tests/benchmarks/large_catalog.py --read DSN     # only read, a database of your own; prints JSON

The reading process is one of its own, so that its peak memory is the catalog's and not the generator's.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

import asyncpg  # noqa: E402

from holdfastd.catalog.model import Catalog  # noqa: E402
from holdfastd.catalog.read import read_catalog  # noqa: E402
from holdfastd.target.session import connect  # noqa: E402
from support.postgres import Server  # noqa: E402

#: Tables made in one transaction: each holds locks until it ends.
_BATCH = 250
_SCHEMAS = 20
#: Ten columns, a key, a second index, a check; every second table has a declared key, every fifth a view that joins.
_TABLE = """
CREATE TABLE s{schema}.t{number} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    t{other}_id bigint{declared},
    owner_id integer NOT NULL,
    kind varchar(20) NOT NULL DEFAULT 'plain' CHECK (kind <> ''),
    amount_{number} numeric(10, 2),
    note text,
    tags text[],
    details jsonb DEFAULT '{{}}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz
);
CREATE INDEX ON s{schema}.t{number} (t{other}_id);
COMMENT ON COLUMN s{schema}.t{number}.owner_id IS 'who made row {number}';
"""
_VIEW = """
CREATE VIEW s{schema}.v{number} AS
SELECT a.*, b.kind AS other_kind FROM s{schema}.t{number} AS a LEFT JOIN s{other_schema}.t{other} AS b ON b.id = a.t{other}_id;
"""


async def main() -> None:
    """Make the server and its tables, and have them read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--major", type=int, default=18)
    parser.add_argument("--read", metavar="DSN")
    options = parser.parse_args()
    if options.read:
        print(json.dumps(await _read(options.read)))
        return
    server = await Server(options.major).start()
    try:
        dsn = await server.create_database("large")
        await _fill(dsn, options.tables)
        print("| tables | columns | keys | definitions | seconds | longest snapshot | peak RSS | of it before reading |")
        print("|---|---|---|---|---|---|---|---|")
        measured = await _measure(dsn)
        print(
            "| {tables} | {columns} | {keys} | {definitions} | {seconds:.1f} | {snapshot:.1f} s | {peak:.0f} MB | {start:.0f} MB |".format(
                **measured
            )
        )
    finally:
        await server.stop()


async def _fill(dsn: str, tables: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for schema in range(_SCHEMAS):
            await connection.execute(f"CREATE SCHEMA s{schema}")
        for first in range(0, tables, _BATCH):
            await connection.execute("".join(_table(number) for number in range(first, min(first + _BATCH, tables))))
            print(f"\r{first + _BATCH} tables", end="", file=sys.stderr)
        await connection.execute("VACUUM ANALYZE")
    finally:
        print(file=sys.stderr)
        await connection.close()


def _table(number: int) -> str:
    """Return the SQL of one table; it points at an earlier one."""
    other = number * 7 // 11
    names = {"number": number, "schema": number % _SCHEMAS, "other": other, "other_schema": other % _SCHEMAS}
    declared = " REFERENCES s{other_schema}.t{other}".format(**names) if number % 2 else ""
    return _TABLE.format(**names, declared=declared) + (_VIEW.format(**names) if number % 5 == 0 else "")


async def _measure(dsn: str) -> dict[str, float]:
    """Have another process read, and watch how long it holds a snapshot."""
    reader = await asyncio.create_subprocess_exec(sys.executable, __file__, "--read", dsn, stdout=asyncio.subprocess.PIPE)
    watcher = await asyncpg.connect(dsn)
    longest = 0.0
    reading = asyncio.create_task(reader.communicate())
    try:
        while not reading.done():
            held = await watcher.fetchval(
                "SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity WHERE application_name = 'reader'"
            )
            longest = max(longest, float(held or 0))
            await asyncio.wait([reading], timeout=0.05)
    finally:
        await watcher.close()
    output, _ = await reading
    return {**json.loads(output), "snapshot": longest}


async def _read(dsn: str) -> dict[str, float]:
    """Read once and say what it cost."""
    connection = await connect(dsn, application_name="reader", read_only=True)
    start = _peak()
    began = time.perf_counter()
    try:
        catalog = await read_catalog(connection, with_definitions=True)
    finally:
        await connection.close()
    return {**_sizes(catalog), "seconds": time.perf_counter() - began, "start": start, "peak": _peak()}


def _sizes(catalog: Catalog) -> dict[str, float]:
    return {
        "tables": len(catalog.tables),
        "columns": sum(len(table.columns) for table in catalog.tables.values()),
        "keys": len(catalog.foreign_keys),
        "definitions": len(catalog.definitions),
    }


def _peak() -> float:
    """Peak resident memory of this process in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asyncio.run(main())
