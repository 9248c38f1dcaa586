"""Audit many databases behind a slow line with 1, 2 and 4 replicas, and print how many that makes in a minute. See README.md beside this file.

python tests/benchmarks/fleet [--databases 200] [--milliseconds 20] [--replicas 1,2,4]
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import asyncpg  # noqa: E402
from cryptography.fernet import Fernet  # noqa: E402

from benchmarks.fleet.line import long_line  # noqa: E402
from holdfast import Holdfast  # noqa: E402
from samples.load import load_sample  # noqa: E402
from support.postgres import Server  # noqa: E402
from support.service import Service, register  # noqa: E402

SAMPLE = "gaztime"
#: Jobs of one replica at a time: the default of HOLDFAST_JOBS.
AT_ONCE = 4
_TIMES = """
SELECT count(*) FILTER (WHERE state <> 'SUCCEEDED') AS failed,
       extract(epoch FROM max(end_time) - min(create_time))::float8 AS seconds,
       avg(extract(epoch FROM end_time - start_time))::float8 AS each
FROM holdfastd.jobs WHERE id = ANY ($1)
"""
_UNENDED = "SELECT count(*) FROM holdfastd.jobs WHERE state IN ('QUEUED', 'RUNNING')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All databases audited once. `busy`: share of the machine's cores that worked."""

    replicas: int
    databases: int
    seconds: float
    each: float
    busy: float

    @property
    def per_minute(self) -> float:
        return self.databases / self.seconds * 60


async def main(databases: int, milliseconds: float, replicas: Iterable[int]) -> None:
    """Prepare everything, measure, print, and leave nothing."""
    async with AsyncExitStack() as stack:
        targets, stores = Server(), Server()
        for server in (targets, stores):
            await server.start()
            stack.push_async_callback(server.stop)
        names = await fill(targets, databases)
        port = await stack.enter_async_context(long_line(targets.port, milliseconds / 1000))
        store = await stores.create_database("store")
        settings = {"HOLDFAST_STORE_URL": store, "HOLDFAST_SECRET_KEY": Fernet.generate_key().decode(), "HOLDFAST_LOG_FORMAT": "json"}
        runs = []
        for number in replicas:
            runs.append(await measure(settings, number, names, targets.dsn("{name}").replace(f":{targets.port}/", f":{port}/"), store))
            print(f"  {number} replicas: {runs[-1].seconds:.1f} s", file=sys.stderr, flush=True)
    report(runs, milliseconds)


async def fill(server: Server, databases: int) -> list[str]:
    """Make copies of the sample; return their names."""
    await load_sample(await server.create_database("sample"), SAMPLE)
    names = [f"shop-{number:04d}" for number in range(1, databases + 1)]
    for name in names:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE sample STRATEGY FILE_COPY')
    return names


async def measure(settings: dict[str, str], number: int, names: list[str], dsn: str, store: str) -> Run:
    """Audit every database once with so many replicas."""
    services = [Service(settings) for _ in range(number)]
    try:
        await asyncio.gather(*(service.start() for service in services))
        async with services[0].client() as client:
            if not (await client.list_databases(page_size=1)).databases:
                await in_turn(names, lambda name: register(client, name, dsn.format(name=name)))
            before = busy_and_idle()
            job_ids = await in_turn(names, lambda name: start(client, name))
            connection = await asyncpg.connect(store)
            try:
                while await connection.fetchval(_UNENDED):
                    await asyncio.sleep(0.2)
                busy, idle = (now - then for now, then in zip(busy_and_idle(), before, strict=True))
                times = await connection.fetchrow(_TIMES, job_ids)
            finally:
                await connection.close()
    finally:
        await asyncio.gather(*(service.discard() for service in services))
    assert not times["failed"], f"{times['failed']} audits did not succeed"
    return Run(replicas=number, databases=len(names), seconds=times["seconds"], each=times["each"], busy=busy / (busy + idle))


async def start(client: Holdfast, name: str) -> str:
    """Queue an audit and return the id of its job."""
    return (await client.start_audit(name)).job.id


async def in_turn(names: list[str], work: Callable[[str], Awaitable[str | None]], at_once: int = 16) -> list[str | None]:
    """Do something for every name, some at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(name: str) -> str | None:
        async with room:
            return await work(name)

    return await asyncio.gather(*map(one, names))


def busy_and_idle() -> tuple[int, int]:
    """Return what all cores have done since the machine started, in ticks."""
    user, nice, system, idle, waiting, *more = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return user + nice + system + sum(more), idle + waiting


def report(runs: list[Run], milliseconds: float) -> None:
    """Print the table."""
    first = runs[0]
    print(
        f"{first.databases} databases, {milliseconds:g} ms away, {AT_ONCE} jobs per replica at a time, {os.cpu_count()} cores for everything\n"
    )
    print("| replicas | seconds | databases per minute | growth | one audit | cores busy |")
    print("|---:|---:|---:|---:|---:|---:|")
    for run in runs:
        growth = run.per_minute / first.per_minute
        print(f"| {run.replicas} | {run.seconds:.1f} | {run.per_minute:.0f} | {growth:.2f} | {run.each:.2f} s | {run.busy:.0%} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Audit many databases behind a slow line with several numbers of replicas.")
    parser.add_argument("--databases", type=int, default=200)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--replicas", default="1,2,4")
    options = parser.parse_args()
    asyncio.run(main(options.databases, options.milliseconds, [int(number) for number in options.replicas.split(",")]))
