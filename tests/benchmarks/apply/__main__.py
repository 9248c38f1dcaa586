"""Apply one plan by hand and by Holdfast while an application works, and print a Markdown table. See README.md beside this file.

python tests/benchmarks/apply [--factor 1] [--orphans 60000] [--rounds 3] [--rate 400] [--major 18] [--memory]
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "clients/python"), str(ROOT / "tests")]

import asyncpg  # noqa: E402

from benchmarks.apply.database import ROWS, count_orphans, fill, naive_script, policy  # noqa: E402
from benchmarks.apply.measure import Sample, measure  # noqa: E402
from holdfast import Holdfast  # noqa: E402
from support.postgres import Server, database_name  # noqa: E402
from support.service import Service, final, register, running_service  # noqa: E402

#: As a server is run: what is committed is on disk.
SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "1GB", "max_wal_size": "4GB"}
#: What was asked for: seconds, shares.
LOCK_BUDGET = 0.4
LONGEST, THROUGHPUT, TIME = LOCK_BUDGET + 0.2, 0.7, 1.5


async def main() -> None:
    """Make the server and the database, run the arms in turns, print."""
    options = _options()
    server = Server(options.major)
    await server.start()
    try:
        for name, value in SETTINGS.items():
            await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.halt("fast")
        await server.restart()
        if options.memory:
            await _measure_memory(server, options)
        else:
            await _measure_arms(server, options)
    finally:
        await server.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=1.0, help="1 is 5.35 million rows")
    parser.add_argument("--orphans", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=400, help="statements of the application a second")
    parser.add_argument("--major", type=int, default=18)
    parser.add_argument(
        "--memory", action="store_true", help="the service's memory for 1, 3 and 10 times as many orphan rows, no application"
    )
    return parser.parse_args()


async def _measure_arms(server: Server, options: argparse.Namespace) -> None:
    template = await server.create_database("template_rows")
    await fill(template, factor=options.factor, orphans=options.orphans)
    rows = sum(ROWS.values()) * options.factor / 1e6
    print(
        f"PostgreSQL {options.major}, {rows:.2f} M rows, {await count_orphans(template)} orphan rows, {options.rate:g} statements a second;"
        f" {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} at the beginning. Medians of {options.rounds}.\n",
        flush=True,
    )
    samples: dict[str, list[Sample]] = {"by hand": [], "Holdfast": []}
    async with running_service() as service, service.client() as client:
        for number in range(options.rounds):
            for arm, taken in samples.items():
                dsn = await server.create_database(f"{arm.replace(' ', '_').lower()}_{number}", template="template_rows")
                taken.append(await _run(arm, dsn, options.rate, client))
                assert not await count_orphans(dsn)
                print(f"round {number + 1}, {arm}: {taken[-1]}", file=sys.stderr, flush=True)
                await server.drop_database(database_name(dsn))
        peak = _peak_memory(service)
    print(_table(samples))
    print(f"\nMemory of the service: {peak} MB at most.")


async def _run(arm: str, dsn: str, rate: float, client: Holdfast) -> Sample:
    if arm == "by hand":
        return await measure(dsn, rate, lambda: _by_hand(dsn))
    plan_id = await _planned(client, dsn)

    async def apply() -> None:
        await final(client.apply(plan_id))

    sample = await measure(dsn, rate, apply)
    await client.remove_database("bench")
    return sample


async def _planned(client: Holdfast, dsn: str) -> str:
    await register(client, "bench", dsn)
    await final(client.audit("bench"))
    plan = await client.plan("bench", policy())
    await client.approve_plan(plan.id)
    return plan.id


async def _by_hand(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in naive_script():
            await connection.execute(statement)
    finally:
        await connection.close()


async def _measure_memory(server: Server, options: argparse.Namespace) -> None:
    print("| orphan rows | memory of the service at most |\n|---|---|")
    for times in (1, 3, 10):
        dsn = await server.create_database(f"rows_{times}")
        await fill(dsn, factor=options.factor, orphans=options.orphans * times)
        orphans = await count_orphans(dsn)
        async with running_service() as service, service.client() as client:
            await final(client.apply(await _planned(client, dsn)))
            print(f"| {orphans} | {_peak_memory(service)} MB |", flush=True)
        await server.drop_database(database_name(dsn))


def _peak_memory(service: Service) -> int:
    """Return the greatest resident memory of the service so far, in MB."""
    assert service.process is not None
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024  # type: ignore[index]


def _table(samples: dict[str, list[Sample]]) -> str:
    hand, ours = samples["by hand"], samples["Holdfast"]

    def median(taken: list[Sample], field: str) -> float:
        return statistics.median(getattr(each, field) for each in taken)

    longest = max(each.longest for each in ours)
    ratio = median(ours, "seconds") / median(hand, "seconds")
    through = median(ours, "throughput")
    rows = [
        (
            "longest stall of a statement, s",
            *(max(each.longest for each in taken) for taken in (hand, ours)),
            _met(longest <= LONGEST, f"≤ {LONGEST:.1f}"),
        ),
        ("99th percentile, s", median(hand, "p99"), median(ours, "p99"), ""),
        ("statements a second, to the quiet before", median(hand, "throughput"), through, _met(through >= THROUGHPUT, f"≥ {THROUGHPUT}")),
        ("time, s", median(hand, "seconds"), median(ours, "seconds"), _met(ratio <= TIME, f"≤ {TIME} × by hand; {ratio:.2f}")),
        ("WAL, MB", median(hand, "wal") / 1e6, median(ours, "wal") / 1e6, ""),
        ("failed statements", sum(each.failed for each in hand), sum(each.failed for each in ours), ""),
        ("longest stall in the quiet before, s", *(max(each.quiet_longest for each in taken) for taken in (hand, ours)), ""),
    ]
    lines = [f"| {name} | {_number(by_hand)} | {_number(by_us)} | {bar} |" for name, by_hand, by_us, bar in rows]
    return "\n".join(["| | by hand | Holdfast | asked for |", "|---|---|---|---|", *lines])


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def _met(is_met: bool, bar: str) -> str:  # noqa: FBT001 (a cell of a table)
    return bar if is_met else f"{bar} **missed**"


asyncio.run(main())
