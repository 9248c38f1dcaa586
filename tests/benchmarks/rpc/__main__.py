"""Compare the service with a bare grpc.aio server in turns, and print a Markdown table. See README.md beside this file.

python tests/benchmarks/rpc [--rounds 5] [--seconds 2] [--at-once 50] [--events 10000] [--streams 1,10]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "clients/python"), str(ROOT / "tests")]
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from holdfast import Holdfast  # noqa: E402
from holdfast.v1 import job_service_pb2 as pb  # noqa: E402
from holdfastd.jobs.model import JobState  # noqa: E402
from holdfastd.store import leases  # noqa: E402
from holdfastd.store.documents import encode  # noqa: E402
from holdfastd.store.pool import Store  # noqa: E402
from support.postgres import Server  # noqa: E402
from support.service import Service  # noqa: E402
from support.stored import add_audit, add_database, an_event  # noqa: E402

HERE = Path(__file__).parent
#: What was asked for.
CALLS, MESSAGES = 0.7, 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two servers."""

    name: str
    address: str
    pid: int
    get: str
    watch: str

    def cpu_seconds(self) -> float:
        """What the server has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


async def main() -> None:
    """Start PostgreSQL and both servers, measure, stop all."""
    options = _options()
    postgres = await Server().start()
    try:
        dsn = await postgres.create_database()
        job_id = await _job(dsn, options.events)
        service = Service({"HOLDFAST_STORE_URL": dsn})
        await service.start()
        try:
            await _compare(service, dsn, job_id, options)
        finally:
            await service.discard()
    finally:
        await postgres.stop()


async def _compare(service: Service, dsn: str, job_id: str, options: argparse.Namespace) -> None:
    async with Holdfast(service.listen) as client:
        answer = await client.get_job(job_id)
        messages = [message async for message in client.watch_job(job_id)]
    texts = (dsn, job_id, answer.SerializeToString().hex(), messages[len(messages) // 2].SerializeToString().hex(), str(len(messages)))
    bare = await asyncio.create_subprocess_exec(sys.executable, str(HERE / "bare.py"), *texts, stdout=asyncio.subprocess.PIPE)
    try:
        assert bare.stdout is not None
        address = f"127.0.0.1:{(await bare.stdout.readline()).decode().strip()}"
        assert service.process is not None
        sides = (
            Side(name="bare", address=address, pid=bare.pid, get="/bare.Bare/Get", watch="/bare.Bare/Watch"),
            Side(
                name="holdfastd",
                address=service.listen,
                pid=service.process.pid,
                get="/holdfast.v1.JobService/GetJob",
                watch="/holdfast.v1.JobService/WatchJob",
            ),
        )
        await _measure(sides, job_id, options)
    finally:
        bare.terminate()
        await bare.wait()


async def _measure(sides: tuple[Side, ...], job_id: str, options: argparse.Namespace) -> None:
    get, watch = (message(id=job_id).SerializeToString().hex() for message in (pb.GetJobRequest, pb.WatchJobRequest))
    print("| what | bare /s | holdfastd /s | ratio | wanted | bare p50, p99 ms | holdfastd p50, p99 ms | CPU µs bare | CPU µs holdfastd |")
    print("|---|---|---|---|---|---|---|---|---|")
    for what in ("get", *options.streams.split(",")):
        rounds: dict[str, list[Mapping[str, float]]] = {side.name: [] for side in sides}
        for number in range(options.rounds):
            # Who goes first changes, so that a machine that slows down harms both.
            for side in sides if number % 2 else sides[::-1]:
                before = side.cpu_seconds()
                if what == "get":
                    result = await _load("unary", side.address, side.get, get, options.at_once, options.seconds)
                else:
                    result = await _load("stream", side.address, side.watch, watch, what)
                cost = (side.cpu_seconds() - before) / result["count"] * 1e6
                rounds[side.name].append({**result, "cpu": cost})
        name = f"GetJob, {options.at_once} at once" if what == "get" else f"WatchJob, {options.events} events, {what} at once"
        print(_line(name, rounds, CALLS if what == "get" else MESSAGES), flush=True)


async def _load(*words: object) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "load.py"), *map(str, words)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return dict(json.loads(out))


def _line(name: str, rounds: Mapping[str, list[Mapping[str, float]]], wanted: float) -> str:
    def median(side: str, key: str) -> float:
        return statistics.median(result.get(key, 0) for result in rounds[side])

    def latency(side: str) -> str:
        return f"{median(side, 'p50') * 1e3:.1f}, {median(side, 'p99') * 1e3:.1f}" if "p50" in rounds[side][0] else "–"

    ratio = median("holdfastd", "rate") / median("bare", "rate")
    numbers = f"{median('bare', 'rate'):.0f} | {median('holdfastd', 'rate'):.0f} | {ratio:.2f} | {wanted}"
    return f"| {name} | {numbers} | {latency('bare')} | {latency('holdfastd')} | {median('bare', 'cpu'):.0f} | {median('holdfastd', 'cpu'):.0f} |"


async def _job(dsn: str, events: int) -> str:
    """Make an ended job with so many events."""
    store = await Store.open(dsn)
    try:
        await add_audit(store, await add_database(store))
        async with store.transaction() as connection:
            job = await leases.claim(connection, "bench", timedelta(minutes=5))
            assert job is not None
            insert = """
                INSERT INTO events (job_id, sequence, document)
                SELECT $1, number, $2 FROM generate_series(1, $3) AS number
            """
            happening = an_event("Relationship public.orders.customer_id counted: 8 orphan rows.")
            await connection.execute(insert, job.id, encode(happening), events - 1)
            await connection.execute("UPDATE jobs SET last_sequence = $2 WHERE id = $1", job.id, events - 1)
            await leases.finish(connection, job, JobState.SUCCEEDED)
        return job.id
    finally:
        await store.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--streams", default="1,10", help="how many watch at once, in turn")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
