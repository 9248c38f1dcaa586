"""Measure the orphan counts of an audit on a generated database and print a Markdown table. See README.md beside this file.

python tests/benchmarks/audit [--factor 0.1] [--rounds 3] [--major 18]
"""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

import asyncpg  # noqa: E402

from benchmarks.audit.arms import CONTROL, FEW, FEW_SCRIPT, FLOOR, HOLDFAST, PARTS, SCRIPTS, VALIDATE, arms, subjects_of  # noqa: E402
from benchmarks.audit.database import RELATIONSHIPS, State, bring_into, fill  # noqa: E402
from benchmarks.audit.measure import Measured, measure  # noqa: E402
from holdfastd.catalog.read import read_catalog  # noqa: E402
from holdfastd.evidence.counting.choose import choose_all  # noqa: E402
from holdfastd.evidence.counting.model import Subject  # noqa: E402
from holdfastd.evidence.counting.statistics import read_statistics  # noqa: E402
from holdfastd.target.session import CONTRACT  # noqa: E402
from support.postgres import Server, database_name  # noqa: E402

#: What differs from PostgreSQL's defaults: room for the data, no background work, and one process per statement, as VALIDATE has it.
SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "autovacuum": "off",
    "max_parallel_workers_per_gather": "0",
}
_MOST_DRIFT = 0.1


async def main() -> None:
    """Make the server and the database, and measure every state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=0.1, help="1 is 25.6 million rows")
    parser.add_argument("--rounds", type=int, default=0, help="default 3, and 7 from factor 1")
    parser.add_argument("--major", type=int, default=18)
    options = parser.parse_args()
    rounds = options.rounds or (7 if options.factor >= 1 else 3)
    server = Server(options.major)
    await server.start()
    try:
        for name, value in SETTINGS.items():
            await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.halt("fast")
        await server.restart()
        await _measure_states(await server.create_database("measured"), options.factor, rounds)
    finally:
        await server.stop()


async def _measure_states(dsn: str, factor: float, rounds: int) -> None:
    connection = await asyncpg.connect(dsn)
    started = time.monotonic()
    await fill(connection, factor)
    version = await connection.fetchval("SHOW server_version")
    rows = await connection.fetchval(
        "SELECT sum(reltuples)::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    print(
        f"PostgreSQL {version}, {rows / 1e6:.1f} M rows ({database_name(dsn)} filled in {time.monotonic() - started:.0f} s), {rounds} rounds,"
    )
    print(
        f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} at the beginning. Medians; CPU is that of the backend and the I/O workers.\n"
    )
    for state in (State.NO_INDEXES, State.UNVACUUMED, State.VACUUMED):
        await bring_into(connection, state)
        catalog = await read_catalog(connection)
        sides = subjects_of(catalog, {})
        statistics = await read_statistics(connection, catalog, [side for each in sides for side in (each.referencing, each.referenced)])
        subjects = subjects_of(catalog, statistics)
        await connection.execute(f"SET jit = {CONTRACT['jit']}")
        # What VALIDATE needs out of its way leaves pages behind that are no longer all-visible.
        between = "VACUUM" if state is State.VACUUMED else ""
        _print(state, await measure(connection, arms(state, subjects), rounds, between=between), subjects)
    await connection.close()


def _print(state: State, measured: Measured, subjects: list[Subject]) -> None:
    drift = measured.drift()
    counts = measured.samples[HOLDFAST][0].counts
    print(f"### {state} ({sum(counts.values())} orphan rows in {len(RELATIONSHIPS)} relationships; control drifts {drift:.0%})\n")
    print("| arm | wall s | CPU s | Holdfast ÷ arm, CPU | wall |\n|---|---|---|---|---|")
    for name in (HOLDFAST, PARTS, SCRIPTS, VALIDATE, FLOOR, FEW, FEW_SCRIPT, CONTROL):
        if name in measured.samples:
            told = _ratios(measured, FEW if name == FEW_SCRIPT else HOLDFAST, name) if drift <= _MOST_DRIFT else "withheld | withheld"
            told = " | " if name in {HOLDFAST, FEW, CONTROL} else told
            print(f"| {name} | {measured.wall(name):.3f} | {measured.cpu(name):.3f} | {told} |")
    print(
        "\nChosen: " + "; ".join(f"{_names(choice.subjects)} {choice.count.strategy}" for choice in choose_all(subjects)) + ".\n",
        flush=True,
    )


def _ratios(measured: Measured, ours: str, theirs: str) -> str:
    return f"{measured.cpu(ours) / measured.cpu(theirs):.2f} | {measured.wall(ours) / measured.wall(theirs):.2f}"


def _names(subjects: tuple[Subject, ...]) -> str:
    return ", ".join(f"{subject.referencing.table.name}.{subject.referencing.columns[0]}" for subject in subjects)


asyncio.run(main())
