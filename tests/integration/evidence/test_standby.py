"""Auditing a hot standby: nothing is written there, and replay may cancel a count at any moment."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from conftest import server_of
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.counting import audit
from holdfastd.evidence.counting.audit import Counted, count_audit
from holdfastd.evidence.counting.choose import Choice, choose, possible_counts
from holdfastd.evidence.counting.estimating import estimate_orphans
from holdfastd.evidence.counting.hash_join import count_by_hash
from holdfastd.evidence.counting.model import Subject
from holdfastd.evidence.counting.run import Pace, Terms, run_count
from holdfastd.evidence.counting.snapshot import SharedSnapshot
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.evidence.orphans import count_choice
from holdfastd.inference.model import Candidate
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import ColumnSet, TableName
from holdfastd.store.unprivileged import give_to
from holdfastd.target.session import connect
from support.postgres import MAJORS, Server

OWN, KEY = ColumnSet(TableName("public", "t"), ("r_id",)), ColumnSet(TableName("public", "r"), ("id",))
TABLES = """
CREATE TABLE public.busy (id integer);
CREATE TABLE public.r (id integer PRIMARY KEY); INSERT INTO public.r SELECT 2 * n FROM generate_series(1, 20000) AS n;
CREATE TABLE public.t (r_id integer, pad text DEFAULT repeat('x', 30));
INSERT INTO public.t SELECT 2 * (1 + n % 20000) - CASE WHEN n % 10000 = 0 THEN 1 ELSE 0 END FROM generate_series(1, 200000) AS n;
CREATE INDEX ON public.t (r_id); ANALYZE;
"""
TRUTH = 20


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"pg{major}")
async def pair(request: pytest.FixtureRequest, servers: dict[int, Server]) -> AsyncIterator[tuple[Server, Server]]:
    """A primary with rows, and a standby that streams from it and cancels whatever is in replay's way at once."""
    await server_of(servers, request.param)
    primary, standby = Server(request.param), Server(request.param)
    await primary.start()
    try:
        access = primary.home / "data" / "pg_hba.conf"
        access.write_text(access.read_text() + "host replication all 127.0.0.1/32 trust\n")
        await primary.execute("SELECT pg_reload_conf()")
        await primary.execute(TABLES)
        await _copy(primary, standby)
        try:
            await _caught_up(primary, standby)
            yield primary, standby
        finally:
            await standby.stop()
    finally:
        await primary.stop()


async def _copy(primary: Server, standby: Server) -> None:
    standby.home = Path(tempfile.mkdtemp(prefix=f"holdfast-pg{standby.major}-"))
    standby.home.chmod(0o711)
    (standby.home / "owner").write_text(str(os.getpid()))
    give_to(standby.home, standby._account)
    standby.binaries = primary.binaries
    source = f"host=127.0.0.1 port={primary.port} user=postgres"
    data = standby.home / "data"
    await standby.program("pg_basebackup", "-d", source, "-D", str(data), "-R", "-X", "stream", "-c", "fast", "--no-sync")
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("max_standby_streaming_delay = 0\nhot_standby_feedback = off\n")
    await standby.restart()


async def _caught_up(primary: Server, standby: Server) -> None:
    source, copy = await asyncpg.connect(primary.dsn()), await asyncpg.connect(standby.dsn())
    try:
        async with asyncio.timeout(30):
            position = await source.fetchval("SELECT pg_current_wal_flush_lsn()::text")
            while not await copy.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position):
                await asyncio.sleep(0.02)
    finally:
        await source.close()
        await copy.close()


@pytest.fixture
async def session(pair: tuple[Server, Server]) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(pair[1].dsn(), application_name="test", read_only=True)
    yield connection
    await connection.close()


async def the_subject(connection: asyncpg.Connection) -> Subject:
    catalog = await read_catalog(connection)
    return Subject(
        catalog=catalog,
        referencing=OWN,
        referenced=KEY,
        operators=resolve_operators(catalog, OWN, KEY) or (),
        statistics=await read_statistics(connection, catalog, [OWN, KEY]),
    )


async def test_every_strategy_counts_on_a_standby(session: asyncpg.Connection) -> None:
    """And so do estimates: none of them writes, makes a temporary table or takes a transaction id."""
    subject = await the_subject(session)
    terms = Terms(timeout_seconds=60)

    assert await session.fetchval("SELECT pg_is_in_recovery()")
    counts = {count.strategy: await run_count(session, OWN.table, count, terms) for count in possible_counts(subject)}
    assert set(counts.values()) == {(TRUTH,)}
    assert len(counts) >= 4
    _, low, high, _ = await estimate_orphans(session, subject, seconds=5)
    assert low <= TRUTH <= high


async def test_connections_share_a_snapshot_of_a_standby(
    pair: tuple[Server, Server], session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be exported and taken there as well."""
    monkeypatch.setattr(audit, "_WORTH_CONNECTIONS_MS", 0)
    snapshots: list[str] = []
    shared = SharedSnapshot.id

    async def noted(self: SharedSnapshot) -> str:
        snapshots.append(await shared(self))
        return snapshots[-1]

    monkeypatch.setattr(SharedSnapshot, "id", noted)
    catalog = await read_catalog(session)
    candidates = [
        Candidate(referencing=own, referenced=KEY, confidence=0.9, evidence=())
        for own in (OWN, ColumnSet(TableName("public", "busy"), ("id",)))
    ]
    relationships = derive_relationships(catalog, candidates, {})

    @asynccontextmanager
    async def open_session() -> AsyncIterator[asyncpg.Connection]:
        connection = await connect(pair[1].dsn(), application_name="test", read_only=True)
        try:
            yield connection
        finally:
            await connection.close()

    counts = await count_audit(session, open_session, catalog, relationships, Silent(), timeout_seconds=60)

    assert [count.value for count in counts.values() if count.exactness is Exactness.EXACT and count.value] == [TRUTH]
    assert len(snapshots) == 2
    assert all(snapshots)


class Silent:
    """Listens, and never stops."""

    def raise_if_stopped(self) -> None:
        pass

    async def on_counted(self, counted: Counted) -> None:
        pass

    async def on_pace(self, relationship_id: str, pace: Pace, rows: float) -> None:
        pass


async def test_a_conflict_with_replay_is_survived_once(pair: tuple[Server, Server], session: asyncpg.Connection) -> None:
    """The count is made again, and is exact."""
    before = conflicts(pair[1])
    counted = await count_beside(pair, session, most=1)

    assert conflicts(pair[1]) == before + 1
    assert (counted.value, counted.exactness) == (TRUTH, Exactness.EXACT)


async def test_conflicts_without_end_are_told(pair: tuple[Server, Server], session: asyncpg.Connection) -> None:
    """Twice is enough: the reason says what to do, and the session goes on."""
    counted = await count_beside(pair, session, most=2)

    assert (counted.exactness, counted.reason) == (
        Exactness.NOT_COUNTED,
        "the standby cancelled the count because it conflicted with replay; audit the primary or try again",
    )
    assert (await count(session)).value == TRUTH


async def count(connection: asyncpg.Connection, *, slowly: bool = False) -> RowCount:
    subject = await the_subject(connection)
    chosen = choose(subject)
    if slowly:
        plain = count_by_hash(subject)
        chosen = replace(plain, sql=f"{plain.sql} AND (SELECT pg_catalog.pg_sleep(2)::pg_catalog.text) IS NOT NULL")
    (counted,) = await count_choice(connection, Choice(subjects=(subject,), count=chosen), Terms(timeout_seconds=60))
    return counted


async def count_beside(pair: tuple[Server, Server], connection: asyncpg.Connection, *, most: int) -> RowCount:
    """Count while the primary removes rows, so many times, that the count's snapshot might still see."""
    remover = asyncio.create_task(remove_rows(pair, most))
    try:
        return await count(connection, slowly=True)
    finally:
        # It ends by itself once it was in the way often enough.
        async with asyncio.timeout(30):
            await remover
        await _caught_up(*pair)


async def remove_rows(pair: tuple[Server, Server], most: int) -> None:
    primary, watcher = await asyncpg.connect(pair[0].dsn()), await asyncpg.connect(pair[1].dsn())
    try:
        # Replay is to see the rows go at once, not when the log is written next.
        await primary.execute("SET synchronous_commit = local")
        cancelled = None
        for _ in range(most):
            before = conflicts(pair[1])
            await primary.execute("INSERT INTO public.busy VALUES (1)")
            await _caught_up(*pair)
            # A cancelled statement is told to the log before it stops being active.
            while (running := await watcher.fetchval(RUNNING)) in (None, cancelled):
                await asyncio.sleep(0.005)
            cancelled = running
            await primary.execute("DELETE FROM public.busy")
            await primary.execute("VACUUM public.busy")
            while conflicts(pair[1]) == before:
                await asyncio.sleep(0.005)
    finally:
        await primary.close()
        await watcher.close()


RUNNING = (
    "SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'test' AND state = 'active' AND query ~ 'NOT EXISTS'"
    " AND clock_timestamp() - query_start > interval '20 ms'"
)


def conflicts(standby: Server) -> int:
    """Statements that replay has cancelled."""
    return standby.log_file.read_text().count("canceling statement due to conflict with recovery")
