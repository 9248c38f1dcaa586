"""Running one count: in come a session and a SELECT that counts, out go numbers.

One count is one READ ONLY transaction. A count in parts is one as well, under one snapshot, so that the parts add up.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import asyncpg

from holdfastd.evidence.counting.model import Count
from holdfastd.names import TableName, qualified
from holdfastd.sql import load_queries

#: After the server should have stopped the statement, so long until the connection counts as lost.
_GRACE_SECONDS = 10.0
#: A count that is expected to be shorter has no progress worth telling.
_WORTH_PARTS_MS = 15_000.0
#: Blocks of a part, and the share of a part that may go into what every part repeats.
PART_BLOCKS = 65_536
MOST_REPEATED = 0.1
_NO_SUCH_SNAPSHOT = frozenset({"22023", "42704", "55000"})
BLOCKS = load_queries("holdfastd.evidence.counting", "blocks.sql")
_SET = """
SELECT pg_catalog.set_config(name, value, true)
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS setting (name, value)
"""
_END = "(4294967295,0)"
#: A SELECT and its parameters.
_Part = tuple[str, tuple[str, ...]]


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
    #: Seconds after which a count is estimated instead; None: never.
    estimate_after: float | None = None

    @property
    def limit_seconds(self) -> float:
        """After so many seconds an exact count is stopped."""
        return self.timeout_seconds if self.estimate_after is None else min(self.timeout_seconds, self.estimate_after)


async def run_count(connection: asyncpg.Connection, table: TableName, count: Count, terms: Terms) -> tuple[int | None, ...]:
    """Return the numbers of a count over a referencing table; a None says that the strategy gave up. Errors are the driver's own."""
    async with asyncio.timeout(terms.limit_seconds + _GRACE_SECONDS):
        try:
            return await _run(connection, table, count, terms)
        except asyncpg.PostgresError as error:
            if not terms.snapshot or error.sqlstate not in _NO_SUCH_SNAPSHOT:
                raise
        # Its holder is gone, or the server behind a pooler is another one: the count is exact without it, too.
        return await _run(connection, table, count, replace(terms, snapshot=""))


async def _run(connection: asyncpg.Connection, table: TableName, count: Count, terms: Terms) -> tuple[int | None, ...]:
    in_parts = terms.on_pace is not None and bool(count.part_sql or count.part_sqls) and count.cost >= _WORTH_PARTS_MS
    isolation = "repeatable_read" if in_parts or terms.snapshot else None
    async with connection.transaction(isolation=isolation, readonly=True):
        if terms.snapshot:
            # A statement without parameters; the id is one that a server gave.
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{terms.snapshot}'")
        settings = {**count.settings, "statement_timeout": _milliseconds(terms.limit_seconds)}
        await connection.execute(_SET, list(settings), list(settings.values()))
        if in_parts and terms.on_pace is not None:
            measured = await connection.fetchrow(BLOCKS["measure_table"], qualified(table))
            # Every part reads its blocks of all partitions; what block numbers are in another database, nobody knows.
            size = 0 if measured["foreign_partitions"] else measured["largest"]
            if count.part_sqls:
                return await _run_parts(connection, [(sql, ()) for sql in count.part_sqls], terms, size=size)
            step = part_blocks(count, size)
            if step < size:
                return await _run_parts(connection, block_parts(count, size, step), terms, size=size)
        row = await connection.fetchrow(count.sql)
        return tuple(row)


def part_blocks(count: Count, size: int) -> int:
    """Return how many blocks a part has, so that what every part repeats stays a small share of it."""
    repeats = count.repeated / (MOST_REPEATED * max(count.cost - count.repeated, 1))
    return max(PART_BLOCKS, math.ceil(repeats * size))


def block_parts(count: Count, size: int, step: int) -> list[_Part]:
    """Return the parts of a count of so many blocks each. The last one has no end: the table may have grown."""
    ends = [*range(step, size, step)]
    return [(count.part_sql, (f"({first},0)", f"({end},0)" if end else _END)) for first, end in zip((0, *ends), (*ends, None), strict=True)]


async def _run_parts(connection: asyncpg.Connection, parts: Sequence[_Part], terms: Terms, *, size: int) -> tuple[int | None, ...]:
    """Return the sums over parts of about the same size; a None as soon as one part is."""
    started = time.monotonic()
    totals: list[int] = []
    for number, (sql, ends) in enumerate(parts, start=1):
        row = await connection.fetchrow(sql, *ends)
        if None in tuple(row):
            return (None,) * len(row)
        totals = [total + part for total, part in zip(totals or [0] * len(row), row, strict=True)]
        spent = time.monotonic() - started
        if terms.on_pace is not None:
            total = max(size, len(parts))
            await terms.on_pace(Pace(blocks_done=total * number // len(parts), blocks_total=total, seconds=spent))
        # The limit is the whole count's, not a part's: one millisecond stops the next part when nothing is left.
        await connection.execute(_SET, ["statement_timeout"], [_milliseconds(terms.limit_seconds - spent)])
    return tuple(totals)


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
