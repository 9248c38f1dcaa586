"""Running one count: in come a session and a SELECT that counts, out go numbers.

One count is one READ ONLY transaction. A count in parts is one as well, under one snapshot, so that the parts add up.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from holdfastd.evidence.counting.model import Count
from holdfastd.names import TableName, qualified

#: After the server should have stopped the statement, so long until the connection counts as lost.
_GRACE_SECONDS = 10.0
#: A count that is expected to be shorter has no progress worth telling.
_WORTH_PARTS_MS = 15_000.0
#: Blocks of a part, and the share of a part that may go into what every part repeats.
_PART_BLOCKS = 65_536
_MOST_REPEATED = 0.1
_NO_SUCH_SNAPSHOT = frozenset({"22023", "42704", "55000"})
_SET = """
SELECT pg_catalog.set_config(name, value, true)
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS setting (name, value)
"""
# The last part has no end: rows may lie in blocks that the table got while it was read.
_END = "(4294967295,0)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far a count in parts has come."""

    blocks_done: int
    blocks_total: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        """What remains at the same pace."""
        return self.seconds / self.blocks_done * (self.blocks_total - self.blocks_done)


#: Told after every part of a count that has parts.
OnPace = Callable[[Pace], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under what a count runs."""

    timeout_seconds: float
    #: An exported snapshot to read under; empty for one of its own.
    snapshot: str = ""
    on_pace: OnPace | None = None


async def run_count(connection: asyncpg.Connection, table: TableName, count: Count, terms: Terms) -> tuple[int | None, ...]:
    """Return the numbers of a count over a referencing table; a None says that the strategy gave up. Errors are the driver's own."""
    async with asyncio.timeout(terms.timeout_seconds + _GRACE_SECONDS):
        try:
            return await _run(connection, table, count, terms)
        except asyncpg.PostgresError as error:
            if not terms.snapshot or error.sqlstate not in _NO_SUCH_SNAPSHOT:
                raise
        # Its holder is gone, or the server behind a pooler is another one: the count is exact without it, too.
        return await _run(connection, table, count, Terms(timeout_seconds=terms.timeout_seconds, on_pace=terms.on_pace))


async def _run(connection: asyncpg.Connection, table: TableName, count: Count, terms: Terms) -> tuple[int | None, ...]:
    in_parts = terms.on_pace is not None and bool(count.part_sql) and count.cost >= _WORTH_PARTS_MS
    isolation = "repeatable_read" if in_parts or terms.snapshot else None
    async with connection.transaction(isolation=isolation, readonly=True):
        if terms.snapshot:
            # A statement without parameters; the id is one that a server gave.
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{terms.snapshot}'")
        settings = {**count.settings, "statement_timeout": _milliseconds(terms.timeout_seconds)}
        await connection.execute(_SET, list(settings), list(settings.values()))
        if in_parts and terms.on_pace is not None:
            size = await connection.fetchval(
                "SELECT pg_catalog.pg_relation_size($1::pg_catalog.text::pg_catalog.regclass)"
                " / pg_catalog.current_setting('block_size')::pg_catalog.int8",
                qualified(table),
            )
            step = part_blocks(count, size)
            if step < size:
                return await _run_parts(connection, count, size=size, step=step, on_pace=terms.on_pace)
        row = await connection.fetchrow(count.sql)
        return tuple(row)


def part_blocks(count: Count, size: int) -> int:
    """Return how many blocks a part has, so that what every part repeats stays a small share of it."""
    repeats = count.repeated / (_MOST_REPEATED * max(count.cost - count.repeated, 1))
    return max(_PART_BLOCKS, math.ceil(repeats * size))


async def _run_parts(connection: asyncpg.Connection, count: Count, *, size: int, step: int, on_pace: OnPace) -> tuple[int | None, ...]:
    started = time.monotonic()
    totals: list[int] = []
    for first in range(0, size, step):
        end = first + step
        row = await connection.fetchrow(count.part_sql, f"({first},0)", f"({end},0)" if end < size else _END)
        totals = [total + part for total, part in zip(totals or [0] * len(row), row, strict=True)]
        await on_pace(Pace(blocks_done=min(end, size), blocks_total=size, seconds=time.monotonic() - started))
    return tuple(totals)


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
