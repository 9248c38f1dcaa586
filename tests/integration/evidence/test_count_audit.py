"""Counting the relationships of an audit: side by side, under one snapshot, stoppable at any moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Cancelled, Reason, Unavailable
from holdfastd.evidence.counting import audit, estimating, snapshot
from holdfastd.evidence.counting.audit import Counted, OpenSession, count_audit
from holdfastd.evidence.counting.run import Pace
from holdfastd.evidence.counting.snapshot import SharedSnapshot
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Candidate
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

#: Rows enough for statistics to matter, and two relationships of each kind.
TABLES = """
CREATE TABLE public.r (id integer PRIMARY KEY, code text UNIQUE);
INSERT INTO public.r SELECT n, 'code ' || n FROM generate_series(1, 1000) AS n;
CREATE TABLE public.t (r_id integer, code text);
INSERT INTO public.t SELECT n % 1001, 'code ' || n % 1002 FROM generate_series(1, 20020) AS n;
CREATE TABLE public.u (r_id integer, code text);
INSERT INTO public.u SELECT n % 1003, 'code ' || n % 1004 FROM generate_series(1, 20060) AS n;
CREATE INDEX ON public.t (r_id);
ANALYZE;
"""
TRUTH = {"t.r_id": 20, "t.code": 38, "u.r_id": 60, "u.code": 76}


class Listening:
    """Keeps what it is told; stops when told to."""

    def __init__(self) -> None:
        self.counted: list[Counted] = []
        self.stop: Exception | None = None

    def raise_if_stopped(self) -> None:
        if self.stop:
            raise self.stop

    async def on_counted(self, counted: Counted) -> None:
        self.counted.append(counted)

    async def on_pace(self, relationship_id: str, pace: Pace, rows: float) -> None:
        pass


@pytest.fixture
async def session(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(any_database, application_name="test", read_only=True)
    yield connection
    await connection.close()


def opening(dsn: str, opened: list[asyncpg.Connection], *, refuse_after: int = 99) -> OpenSession:
    """Further sessions, until they are refused."""

    @asynccontextmanager
    async def open_session() -> AsyncIterator[asyncpg.Connection]:
        if len(opened) >= refuse_after:
            raise Unavailable("no more connections", reason=Reason.TARGET_UNREACHABLE)
        connection = await connect(dsn, application_name="test", read_only=True)
        opened.append(connection)
        try:
            yield connection
        finally:
            await connection.close()

    return open_session


async def run(
    dsn: str, connection: asyncpg.Connection, listening: Listening, opened: list, *, estimate_after: timedelta | None = None, **options
) -> dict[str, RowCount]:
    catalog = await read_catalog(connection)
    pairs = [(f"{table}.{column}", column) for table in "tu" for column in ("r_id", "code")]
    candidates = [
        Candidate(
            referencing=ColumnSet(TableName("public", name[0]), (column,)),
            referenced=ColumnSet(TableName("public", "r"), ("id" if column == "r_id" else "code",)),
            confidence=0.9,
            evidence=(),
        )
        for name, column in pairs
    ]
    relationships = derive_relationships(catalog, candidates, {})
    counts = await count_audit(
        connection,
        opening(dsn, opened, **options),
        catalog,
        relationships,
        listening,
        timeout_seconds=20,
        estimate_after=estimate_after,
    )
    return {f"{each.referencing.table.name}.{each.referencing.columns[0]}": counts[each.id] for each in relationships}


async def fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLES)
    await connection.close()


@pytest.mark.parametrize("refuse_after", [0, 1, 99])
async def test_counts_are_true_over_any_number_of_connections(
    any_database: str, session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, refuse_after: int
) -> None:
    """Two that count and one that holds the snapshot, or fewer where the server has no more."""
    monkeypatch.setattr(audit, "_WORTH_CONNECTIONS_MS", 0)
    await fill(any_database)
    listening, opened = Listening(), []

    counts = await run(any_database, session, listening, opened, refuse_after=refuse_after)

    assert {name: count.value for name, count in counts.items()} == TRUTH
    assert len(opened) == min(refuse_after, 2)
    assert {counted.relationship_id for counted in listening.counted if counted.how} == {
        counted.relationship_id for counted in listening.counted
    }
    assert not session.is_in_transaction()


async def test_a_small_audit_needs_one_connection(any_database: str, session: asyncpg.Connection) -> None:
    """What takes milliseconds is not worth connecting for."""
    await fill(any_database)
    opened: list[asyncpg.Connection] = []
    listening = Listening()

    counts = await run(any_database, session, listening, opened)

    assert {name: count.value for name, count in counts.items()} == TRUTH
    assert opened == []
    assert {counted.how.partition(":")[0] for counted in listening.counted} >= {"hash anti-join"}
    assert any("at most" in counted.how or "distinct" in counted.how for counted in listening.counted)


async def test_counts_that_promise_to_take_long_are_estimated(
    any_database: str, session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told as what they are, with their limits; time enough, and all is exact."""
    monkeypatch.setattr(estimating, "_LEAST_BLOCKS", 1)
    await fill(any_database)
    hurried, patient = Listening(), Listening()

    estimated = await run(any_database, session, hurried, [], estimate_after=timedelta(milliseconds=1))
    exact = await run(any_database, session, patient, [], estimate_after=timedelta(seconds=10))

    assert {name: count.value for name, count in exact.items()} == TRUTH
    assert {count.exactness for count in exact.values()} == {Exactness.EXACT}
    guessed = {name: count for name, count in estimated.items() if count.exactness is Exactness.ESTIMATED}
    assert "u.code" in guessed
    assert all(count.low <= TRUTH[name] * 2 and count.high >= TRUTH[name] / 2 for name, count in guessed.items())
    assert sum("% of the blocks; between" in counted.how for counted in hurried.counted) == len(guessed)


async def test_stopping_cancels_the_running_statement(any_database: str, session: asyncpg.Connection) -> None:
    """Cancelled reaches the caller within a second, and the server works no more."""
    await fill(any_database)
    blocker = await asyncpg.connect(any_database)
    listening = Listening()
    try:
        async with blocker.transaction():
            # The count waits here for as long as lock_timeout lets it, five seconds.
            await blocker.execute("LOCK TABLE public.u IN ACCESS EXCLUSIVE MODE")
            counting = asyncio.create_task(run(any_database, session, listening, []))
            async with asyncio.timeout(4):
                while not await blocker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.02)
                listening.stop = Cancelled()
                with pytest.raises(ExceptionGroup) as caught:
                    await counting
                assert not await blocker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    finally:
        await blocker.close()
    assert caught.group_contains(Cancelled)


async def test_a_lost_connection_ends_the_counting(any_database: str, session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Unavailable: the job is worked on again, or fails with a reason."""
    monkeypatch.setattr(audit, "_WORTH_CONNECTIONS_MS", 0)
    await fill(any_database)
    listening = Listening()

    async def kill(counted: Counted) -> None:
        killer = await asyncpg.connect(any_database)
        await killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
        await killer.close()

    listening.on_counted = kill
    with pytest.raises(ExceptionGroup) as caught:
        await run(any_database, session, listening, [])

    assert caught.group_contains(Unavailable)


async def test_sessions_share_a_snapshot_until_its_budget_is_spent(any_database: str, session: asyncpg.Connection) -> None:
    """Rows that commit later are not seen under it; a younger one takes its place; its end leaves none."""
    await fill(any_database)
    holder = await connect(any_database, application_name="holder", read_only=True)
    writer = await asyncpg.connect(any_database)
    shared = SharedSnapshot(holder, budget_seconds=0.5)
    holding = asyncio.create_task(shared.hold())
    first = await shared.id()
    await writer.execute("INSERT INTO public.r VALUES (0, 'late')")
    async with session.transaction(isolation="repeatable_read", readonly=True):
        await session.execute(f"SET TRANSACTION SNAPSHOT '{first}'")
        seen = await session.fetchval("SELECT count(*) FROM public.r")
    async with asyncio.timeout(5):
        while await shared.id() in ("", first):
            await asyncio.sleep(0.02)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await writer.close()
    await holder.close()

    assert (seen, await shared.id()) == (1000, "")


async def test_a_snapshot_that_is_gone_is_done_without(
    any_database: str, session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder died between telling the id and its use."""
    monkeypatch.setattr(audit, "_WORTH_CONNECTIONS_MS", 0)

    async def told(self: SharedSnapshot) -> str:
        return "00000003-0000FFFF-1"

    monkeypatch.setattr(snapshot.SharedSnapshot, "id", told)
    await fill(any_database)

    counts = await run(any_database, session, Listening(), [])

    assert {name: count.value for name, count in counts.items()} == TRUTH
