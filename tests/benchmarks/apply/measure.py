"""One arm, measured: the application runs for a while in quiet, then beside the work, then in quiet again."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

QUIET_SECONDS = 5.0

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the application met while the work was done. Seconds; statements a second; bytes."""

    seconds: float
    longest: float
    longest_statement: str
    p99: float
    #: Statements a second, to those in the quiet before.
    throughput: float
    quiet_longest: float
    wal: int
    failed: int


async def measure(dsn: str, rate: float, work: Work) -> Sample:
    """Run the application on the database, and the work beside it."""
    program = str(Path(__file__).with_name("load.py"))
    load = await asyncio.create_subprocess_exec(sys.executable, program, dsn, str(rate), stdout=asyncio.subprocess.PIPE, limit=2**30)
    connection = await asyncpg.connect(dsn)
    while not await connection.fetchval(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'bench-load' AND xact_start IS NULL AND query <> ''"
    ):
        await asyncio.sleep(0.05)
    began = time.monotonic()
    await asyncio.sleep(QUIET_SECONDS)
    position = await connection.fetchval("SELECT pg_current_wal_lsn()")
    started = time.monotonic()
    await work()
    ended = time.monotonic()
    wal = await connection.fetchval("SELECT pg_current_wal_lsn() - $1::pg_lsn", position)
    await asyncio.sleep(1)
    load.terminate()
    told, _ = await load.communicate()
    await connection.close()
    return _judge(json.loads(told), started - began, ended - began, int(wal))


def _judge(told: dict[str, object], started: float, ended: float, wal: int) -> Sample:
    """Statements that were due while the work was done belong to it, also those that ended later."""
    done: list[tuple[float, float, str]] = told["done"]  # type: ignore[assignment]
    quiet = [took for at, took, _ in done if at - took < started]
    busy = sorted((took, sql) for at, took, sql in done if started <= at - took <= ended)
    finished = sum(1 for at, _, _ in done if started <= at <= ended)
    before = sum(1 for at, _, _ in done if 1 <= at <= started) / (started - 1)
    return Sample(
        seconds=ended - started,
        longest=busy[-1][0],
        longest_statement=busy[-1][1],
        p99=statistics.quantiles([took for took, _ in busy], n=100)[98],
        throughput=finished / (ended - started) / before,
        quiet_longest=max(quiet),
        wal=wal,
        failed=sum(told["failed"].values()),  # type: ignore[attr-defined]
    )
