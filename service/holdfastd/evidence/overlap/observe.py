"""Looking at rows: in come a session and hypotheses, out goes how the values of each meet the keys it may point at.

Bounded in everything: values per sample, keys per probe, time per statement and in all. What cannot be read, in time or at all, is left
out; only a lost connection is an error, because nothing more can be asked over it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from holdfastd.catalog.model import Catalog, Table
from holdfastd.evidence.counting.model import Statistics
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.evidence.model import Overlap
from holdfastd.evidence.overlap.measure import KeyFacts, Sample, key_rows, measure
from holdfastd.evidence.overlap.order import columns_of, plan_probes, why_unseen
from holdfastd.evidence.overlap.statements import READ, SAMPLED, Probe, Range, key_sql, probe_sql
from holdfastd.inference.model import Hypothesis
from holdfastd.names import ColumnSet, TableName, relationship_id
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES, is_connection_lost, translate

QUERIES = load_queries("holdfastd.evidence.overlap", "queries.sql")
#: Probes per statement.
_BATCH = 32
#: A statement about several may take so long; about one that failed with others, so long.
_TOGETHER_SECONDS = 5.0
_ALONE_SECONDS = 2.0
_LOCK_MS = 200
#: After the server should have stopped the statement, so long until the connection counts as lost.
_GRACE_SECONDS = 10.0
_CATALOG_SECONDS = 30.0

OnProgress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look at the rows shares."""

    connection: asyncpg.Connection
    catalog: Catalog
    statistics: Statistics
    deadline: float
    keys: dict[ColumnSet, KeyFacts | None] = field(default_factory=dict)
    overlaps: dict[str, Overlap] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


async def observe(
    connection: asyncpg.Connection,
    catalog: Catalog,
    hypotheses: Sequence[Hypothesis],
    *,
    budget_seconds: float,
    on_progress: OnProgress | None = None,
) -> Mapping[str, Overlap]:
    """Return overlaps by relationship id, for as many hypotheses as the budget allows. Unavailable when the connection is lost.

    `on_progress` is told how many probes of how many are done; what it raises ends the look.
    """
    deadline = time.monotonic() + budget_seconds
    try:
        statistics = await read_statistics(connection, catalog, columns_of(hypotheses))
        unreadable = await _find_unreadable(connection, catalog, hypotheses)
        look = _Look(connection=connection, catalog=catalog, statistics=statistics, deadline=deadline)
        probes = plan_probes(catalog, hypotheses, unreadable, statistics)
        for done in range(0, len(probes), _BATCH):
            if look.seconds_left <= 0:
                break
            await _look_at(look, probes[done : done + _BATCH])
            if on_progress is not None:
                await on_progress(min(done + _BATCH, len(probes)), len(probes))
    except FAILURES as error:
        raise translate(error, role="") from error
    return {**dict(_unseen(catalog, hypotheses, unreadable)), **look.overlaps}


async def _find_unreadable(connection: asyncpg.Connection, catalog: Catalog, hypotheses: Sequence[Hypothesis]) -> frozenset[TableName]:
    named = {columns.table for each in hypotheses for columns in (each.referencing, *(target.referenced for target in each.targets))}
    oids = {catalog.tables[name].oid: name for name in named}
    rows = await connection.fetch(QUERIES["list_readable"], list(oids), timeout=_CATALOG_SECONDS)
    return frozenset(named - {oids[row["oid"]] for row in rows})


def _unseen(catalog: Catalog, hypotheses: Sequence[Hypothesis], unreadable: frozenset[TableName]) -> Iterator[tuple[str, Overlap]]:
    for each in hypotheses:
        for target in each.targets:
            reason = why_unseen(catalog, each, target.referenced, unreadable)
            if reason:
                yield relationship_id(each.referencing, target.referenced), Overlap(sampled=0, found=0, unseen=reason)


async def _look_at(look: _Look, probes: Sequence[Probe]) -> None:
    """Look up the samples of some probes."""
    wanted = dict.fromkeys(aim.referenced for probe in probes for aim in probe.aims)
    unknown = [key for key in wanted if key not in look.keys]
    for start in range(0, len(unknown), _BATCH):
        await _learn(look, unknown[start : start + _BATCH])
    await _compare(look, probes)


async def _learn(look: _Look, keys: Sequence[ColumnSet]) -> None:
    """Note what is known of some keys: together, or one by one when one of them spoils it for the others."""
    rows = await _ask(look, key_sql(look.catalog, keys), alone=len(keys) == 1)
    if rows is None and len(keys) > 1:
        for key in keys:
            await _learn(look, [key])
        return
    look.keys.update(dict.fromkeys(keys))
    for row in rows or ():
        key = keys[row["number"]]
        look.keys[key] = KeyFacts(
            rows=key_rows(row["rows"], look.catalog.tables[key.table].row_estimate),
            lowest=row["lowest"],
            highest=row["highest"],
            length=row["length"],
            digits=row["digits"],
            columns=len(key.columns),
        )


async def _compare(look: _Look, probes: Sequence[Probe]) -> None:
    """Look samples up in their keys: together, or one by one as above."""
    rows = await _ask(look, probe_sql(look.catalog, probes, _ranges(look, probes)), alone=len(probes) == 1)
    if rows is None and len(probes) > 1:
        for probe in probes:
            await _compare(look, [probe])
        return
    for row in rows or ():
        _note(look, probes[row["number"]], row)


async def _ask(look: _Look, sql: str, *, alone: bool) -> list[asyncpg.Record] | None:
    """Run one SELECT in a transaction of its own; None when the server refuses it, or it takes too long."""
    seconds = min(_ALONE_SECONDS if alone else _TOGETHER_SECONDS, look.seconds_left)
    if seconds <= 0:
        return None
    limit = str(max(1, int(seconds * 1000)))
    try:
        async with asyncio.timeout(seconds + _GRACE_SECONDS), look.connection.transaction(readonly=True):
            await look.connection.execute(
                "SELECT pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $2, true)",
                limit,
                f"{_LOCK_MS}ms",
            )
            rows: list[asyncpg.Record] = await look.connection.fetch(sql)
            return rows
    except FAILURES as error:
        if is_connection_lost(error):
            raise
        return None


def _note(look: _Look, probe: Probe, row: asyncpg.Record) -> None:
    """Take note of what one probe found in each of its keys."""
    table = look.catalog.tables[probe.referencing.table]
    for place, aim in enumerate(probe.aims):
        key = look.keys.get(aim.referenced)
        if key is None:
            continue
        sample = Sample(
            sampled=row["sampled"],
            found=row["found"][place],
            found_rows=(row["found_rows"][place] or 0) / row["rows"] if row["rows"] else None,
            varied=row["rows"] ** 2 / row["squares"] if row["rows"] else None,
            is_whole=row["sampled"] < SAMPLED and (probe.hops or _is_read_whole(table, row["rows"] or 0)),
            inside=row["inside"][place],
            near=row["near"][place] or 0,
            lowest=row["lowest"][place],
            highest=row["highest"][place],
        )
        look.overlaps[relationship_id(probe.referencing, aim.referenced)] = measure(sample, key)


def _is_read_whole(table: Table, rows_read: float) -> bool:
    return table.row_estimate <= READ and rows_read < READ


def _ranges(look: _Look, probes: Sequence[Probe]) -> dict[ColumnSet, Range]:
    known = {aim.referenced: look.keys.get(aim.referenced) for probe in probes for aim in probe.aims}
    return {
        name: (key.lowest, key.highest)
        for name, key in known.items()
        if key is not None and key.lowest is not None and key.highest is not None
    }
