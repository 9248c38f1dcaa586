"""Estimating orphan rows from sampled blocks, within a time: in come a session and a relationship, out goes a number with its limits.

Every draw takes each block of the table with the same chance, whatever lies in its neighbours. Draws grow until the time is used up,
and all of them count: what is cut off at the end was bought by none of the others.
"""

import asyncio
import math
import time

import asyncpg

from holdfastd.evidence.counting.comparisons import share_an_order
from holdfastd.evidence.counting.intervals import Drawn, estimate
from holdfastd.evidence.counting.model import Subject
from holdfastd.evidence.counting.run import BLOCKS
from holdfastd.evidence.statements import sample_blocks_sql
from holdfastd.names import qualified
from holdfastd.sql import load_queries

_QUERIES = {**load_queries("holdfastd.evidence.counting", "estimating.sql"), **BLOCKS}
#: Blocks of the first draw; each further one is as large as the time that is left allows, and at most so many times as large.
_FIRST_BLOCKS = 128
_GROWTH = 8
#: Below this share of the time a further draw is not worth beginning.
_WORTH_DRAWING = 0.2
#: So many blocks are counted, not estimated; and all draws together take no more than this share of the table.
_LEAST_BLOCKS = 1_000
_MOST_SHARE = 0.5
_GRACE_SECONDS = 10.0


class CannotEstimateError(Exception):
    """Why there is no estimate, as half a sentence."""


async def estimate_orphans(connection: asyncpg.Connection, subject: Subject, *, seconds: float) -> tuple[int, int, int, float]:
    """Return orphan rows, their limits with 95 % confidence, and the share of the blocks that was read; errors are the driver's own."""
    async with asyncio.timeout(seconds + _GRACE_SECONDS):
        blocks = await _blocks(connection, subject)
        deadline = time.monotonic() + seconds
        share, drawn = min(_FIRST_BLOCKS / blocks, _MOST_SHARE), Drawn()
        while True:
            began = time.monotonic()
            try:
                drawn += await _draw(connection, subject, share, seconds=deadline - began)
            except (asyncpg.QueryCanceledError, asyncpg.SerializationError):
                # Out of time, or in the way of a standby's replay: what was drawn before is the estimate.
                break
            left, spent = deadline - time.monotonic(), time.monotonic() - began
            growth = min(_GROWTH, left / max(spent, 0.001) / 2, (_MOST_SHARE - drawn.share) / share)
            if left < _WORTH_DRAWING * seconds or growth < _WORTH_DRAWING:
                break
            share *= growth
    if not drawn.share:
        raise CannotEstimateError(f"not even {_FIRST_BLOCKS} blocks could be looked up within {seconds:g} seconds")
    return *estimate(drawn), drawn.share


async def _blocks(connection: asyncpg.Connection, subject: Subject) -> int:
    """Return how many blocks the referencing table has, its partitions included. CannotEstimateError when they cannot be sampled."""
    row = await connection.fetchrow(_QUERIES["measure_table"], qualified(subject.referencing.table), timeout=_GRACE_SECONDS)
    if row["foreign_partitions"]:
        raise CannotEstimateError("a partition is a foreign table, whose rows cannot be sampled")
    if row["blocks"] < _LEAST_BLOCKS:
        raise CannotEstimateError(f"the table has {row['blocks']} blocks, too few to draw from")
    return int(row["blocks"])


async def _draw(connection: asyncpg.Connection, subject: Subject, share: float, *, seconds: float) -> Drawn:
    """Draw blocks once, in a READ ONLY transaction of its own: no snapshot is held for longer than one draw."""
    sql = sample_blocks_sql(subject.catalog, subject.referencing, subject.referenced, subject.operators)
    async with connection.transaction(readonly=True):
        await connection.execute(_QUERIES["limit_draw"], str(max(1, math.ceil(seconds * 1000))), "off" if _is_probed(subject) else "on")
        row = await connection.fetchrow(sql, share * 100)
    return Drawn(share=share, certain=row["orphans"], **row)


def _is_probed(subject: Subject) -> bool:
    """Tell whether an index of the key surely serves its operator: then a few rows do not pay for hashing a whole table."""
    return share_an_order(subject) and bool(subject.referenced_statistics.ordered_indexes)
