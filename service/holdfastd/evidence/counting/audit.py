"""Counting the orphan rows of an audit: in come relationships and sessions, out go counts by relationship id.

Long counts run side by side over a few connections, as far as possible under one snapshot. Stopping is asked about all the time: the
statement that runs at that moment is cancelled on the server.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.errors import HoldfastError
from holdfastd.evidence.counting.choose import Choice, choose_all
from holdfastd.evidence.counting.model import Subject
from holdfastd.evidence.counting.run import Pace, Terms
from holdfastd.evidence.counting.snapshot import SharedSnapshot
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.evidence.orphans import count_choice, find_obstacle, not_counted
from holdfastd.inference.model import Relationship
from holdfastd.names import relationship_id

#: Connections that count; one more only holds the snapshot.
CONNECTIONS = 2
#: Expected milliseconds of the whole audit below which one connection is enough.
_WORTH_CONNECTIONS_MS = 2_000.0
_ASK_SECONDS = 0.25

OpenSession = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The count of one relationship, and how it came about."""

    relationship_id: str
    count: RowCount
    #: Strategy and reason as half a sentence; empty when the rows were not counted.
    how: str


class Listener(Protocol):
    """Who is told, and asked."""

    def raise_if_stopped(self) -> None:
        """Raise what is to end the counting."""

    async def on_counted(self, counted: Counted) -> None:
        """Take note of a count."""

    async def on_pace(self, relationship_id: str, pace: Pace, rows: float) -> None:
        """Take note of how far a long count has come in a table of so many rows, as far as known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Audit:
    """What the connections share."""

    listener: Listener
    timeout_seconds: float
    estimate_after: float | None
    choices: deque[Choice]
    counts: dict[str, RowCount]


async def count_audit(
    connection: asyncpg.Connection,
    open_session: OpenSession,
    catalog: Catalog,
    relationships: Sequence[Relationship],
    listener: Listener,
    *,
    timeout_seconds: float,
    estimate_after: timedelta | float | None = None,
) -> dict[str, RowCount]:
    """Count every relationship that has operators. HoldfastError, alone or in a group, when a connection is lost or the listener stops.

    With `estimate_after`, counts that take, or promise to take, longer than that (seconds, unless a timedelta) are estimated.
    """
    countable = [relationship for relationship in relationships if relationship.operators]
    statistics = await read_statistics(connection, catalog, [side for each in countable for side in (each.referencing, each.referenced)])
    subjects = [
        Subject(catalog=catalog, referencing=each.referencing, referenced=each.referenced, operators=each.operators, statistics=statistics)
        for each in countable
    ]
    obstacles = [find_obstacle(subject) for subject in subjects]
    choices = choose_all(subject for subject, obstacle in zip(subjects, obstacles, strict=True) if not obstacle)
    limit = estimate_after.total_seconds() if isinstance(estimate_after, timedelta) else estimate_after
    audit = _Audit(listener=listener, timeout_seconds=timeout_seconds, estimate_after=limit, choices=deque(choices), counts={})
    for subject, obstacle in zip(subjects, obstacles, strict=True):
        if obstacle:
            await _tell(audit, subject, not_counted(obstacle), how="")
    async with AsyncExitStack() as stack:
        others = await _open_others(stack, open_session, choices)
        await _count_side_by_side(audit, [connection, *others[1:]], SharedSnapshot(others[0]) if others else None)
    return audit.counts


async def _open_others(stack: AsyncExitStack, open_session: OpenSession, choices: Sequence[Choice]) -> list[asyncpg.Connection]:
    """Open the session that holds the snapshot and those that count beside the first; none when not worth it, or not to be had."""
    if len(choices) < CONNECTIONS or sum(choice.count.cost for choice in choices) < _WORTH_CONNECTIONS_MS:
        return []
    opened: list[asyncpg.Connection] = []
    # Out of connections, most likely: fewer are slower, nothing else.
    with suppress(HoldfastError):
        while len(opened) < CONNECTIONS:
            opened.append(await stack.enter_async_context(open_session()))
    return opened


async def _count_side_by_side(audit: _Audit, connections: Sequence[asyncpg.Connection], snapshot: SharedSnapshot | None) -> None:
    async with asyncio.TaskGroup() as group:
        attendants = [group.create_task(_watch(audit.listener))]
        if snapshot is not None:
            attendants.append(group.create_task(snapshot.hold()))
        await asyncio.wait([group.create_task(_count_from_queue(audit, connection, snapshot)) for connection in connections])
        for attendant in attendants:
            attendant.cancel()


async def _watch(listener: Listener) -> None:
    """Raise as soon as the listener wants to stop; that cancels whoever runs beside."""
    while True:
        listener.raise_if_stopped()
        await asyncio.sleep(_ASK_SECONDS)


async def _count_from_queue(audit: _Audit, connection: asyncpg.Connection, snapshot: SharedSnapshot | None) -> None:
    while audit.choices:
        audit.listener.raise_if_stopped()
        choice = audit.choices.popleft()
        terms = Terms(
            timeout_seconds=audit.timeout_seconds,
            snapshot=await snapshot.id() if snapshot else "",
            on_pace=partial(_tell_pace, audit, choice.subjects[0]),
            estimate_after=audit.estimate_after,
        )
        counts = await count_choice(connection, choice, terms)
        for subject, count in zip(choice.subjects, counts, strict=True):
            await _tell(audit, subject, count, how=_how(choice, count))


async def _tell_pace(audit: _Audit, subject: Subject, pace: Pace) -> None:
    await audit.listener.on_pace(_id(subject), pace, subject.referencing_statistics.rows)


async def _tell(audit: _Audit, subject: Subject, count: RowCount, *, how: str) -> None:
    audit.counts[_id(subject)] = count
    await audit.listener.on_counted(Counted(relationship_id=_id(subject), count=count, how=how))


def _how(choice: Choice, count: RowCount) -> str:
    """Return how a number came about."""
    if count.exactness is Exactness.ESTIMATED:
        return f"{count.reason}; between {count.low} and {count.high} with 95 % confidence"
    return f"{choice.count.strategy}: {choice.count.why}" if count.is_known else ""


def _id(subject: Subject) -> str:
    return relationship_id(subject.referencing, subject.referenced)
