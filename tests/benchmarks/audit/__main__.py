"""Measure the orphan counts of an audit on a generated database and print Markdown tables. See README.md beside this file.

python tests/benchmarks/audit [--factor 0.1] [--rounds 7] [--state no-indexes|not-vacuumed|vacuumed] [--raw FILE] [--major 18]
python tests/benchmarks/audit --report FILE
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

import asyncpg  # noqa: E402

from benchmarks.audit.arms import arms, subjects_of  # noqa: E402
from benchmarks.audit.database import State, bring_into, fill  # noqa: E402
from benchmarks.audit.measure import Sample, measure  # noqa: E402
from benchmarks.audit.report import table, tables_of  # noqa: E402
from holdfastd.catalog.read import read_catalog  # noqa: E402
from holdfastd.evidence.counting.choose import choose_all  # noqa: E402
from holdfastd.evidence.counting.model import Subject  # noqa: E402
from holdfastd.evidence.counting.statistics import read_statistics  # noqa: E402
from holdfastd.session_contract import CONTRACT  # noqa: E402
from support.postgres import Server, database_name  # noqa: E402

STATES = {"no-indexes": State.NO_INDEXES, "not-vacuumed": State.UNVACUUMED, "vacuumed": State.VACUUMED}
#: What differs from PostgreSQL's defaults: room for the data, no background work, and one process per statement, as VALIDATE has it.
SETTINGS = {
    "shared_buffers": "4GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "16GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_parallel_workers_per_gather": "0",
}
_FULL = 1.0


async def main() -> None:
    """Make the server and the database, and measure the states that were asked for."""
    options = _options()
    if options.report:
        print("\n\n".join(tables_of(options.report)))
        return
    server = Server(options.major)
    await server.start()
    try:
        for name, value in SETTINGS.items():
            await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.halt("fast")
        await server.restart()
        await _measure_states(await server.create_database("measured"), options)
    finally:
        await server.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=0.1, help="1 is 25.6 million rows")
    parser.add_argument("--rounds", type=int, default=0, help="default 3, and 7 from factor 1")
    parser.add_argument("--state", choices=STATES, action="append", help="default: one after the other")
    parser.add_argument("--raw", type=Path, help="append every sample to this file as it comes, one JSON object a line")
    parser.add_argument("--report", type=Path, help="measure nothing, print the tables of such a file")
    parser.add_argument("--major", type=int, default=18)
    options = parser.parse_args()
    options.rounds = options.rounds or (7 if options.factor >= _FULL else 3)
    return options


async def _measure_states(dsn: str, options: argparse.Namespace) -> None:
    # As in the service: no plan is kept from one statement to the next, so that planning is measured, too.
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    started = time.monotonic()
    await fill(connection, options.factor)
    version = await connection.fetchval("SHOW server_version")
    rows = await connection.fetchval(
        "SELECT sum(reltuples)::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    print(f"PostgreSQL {version}, {rows / 1e6:.1f} M rows ({database_name(dsn)} filled in {time.monotonic() - started:.0f} s),")
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} at the beginning. Medians; CPU: backend and I/O workers.\n")
    for state in [STATES[name] for name in STATES if not options.state or name in options.state]:
        await bring_into(connection, state)
        catalog = await read_catalog(connection)
        sides = subjects_of(catalog, {})
        statistics = await read_statistics(connection, catalog, [side for each in sides for side in (each.referencing, each.referenced)])
        subjects = subjects_of(catalog, statistics)
        await connection.execute(f"SET jit = {CONTRACT['jit']}")
        # What VALIDATE needs out of its way leaves pages behind that are no longer all-visible.
        between = "VACUUM" if state is State.VACUUMED else ""
        measured = await measure(connection, arms(state, subjects), options.rounds, _teller(state, options.raw), between=between)
        chosen = "; ".join(f"{_names(choice.subjects)} {choice.count.strategy}" for choice in choose_all(subjects))
        print(f"\n{table(state, measured)}\n\nChosen: {chosen}.", flush=True)
        print(f"Memory of the counting process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most.\n", flush=True)
    await connection.close()


def _teller(state: State, raw: Path | None) -> Callable[[int, str, Sample], None]:
    """Return who tells every sample at once: to the terminal, and to the file; the first round, which warms up, only to the former."""

    def tell(number: int, arm: str, sample: Sample) -> None:
        name = f"round {number}" if number else "warming up"
        print(
            f"{time.strftime('%H:%M:%S')} {state}, {name}: {arm} {sample.cpu:.3f} s CPU, {sample.wall:.3f} s", file=sys.stderr, flush=True
        )
        if raw and number:
            line = {"state": state, "round": number, "arm": arm, "wall": sample.wall, "cpu": sample.cpu, "counts": sample.counts}
            with raw.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    return tell


def _names(subjects: tuple[Subject, ...]) -> str:
    return ", ".join(f"{subject.referencing.table.name}.{subject.referencing.columns[0]}" for subject in subjects)


asyncio.run(main())
