"""An application that keeps writing while plans are applied and rolled back.

It meets no deadlock because of us, waits no longer than the lock policy says, and every row that it committed is in its table or in
the backup.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from chaos.checker import counted
from chaos.scene import RELATIONSHIP, Scene, staged
from conftest import server_of
from holdfastd.jobs.model import Job
from integration.execute.scenarios import delete, nullify
from support.postgres import Server
from support.proxy import Trap

MAJORS = (18, 15)
pytestmark = pytest.mark.slow
#: What the keys themselves answer a writer: no such row, or rows are there that reference it.
_EXPECTED = (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
#: 0.4 s is what the lock policy lets a writer wait behind us; the rest is this machine's.
_LONGEST_STALL_SECONDS = 1.5

BUSY = """
CREATE TABLE stations (id integer PRIMARY KEY, seen integer NOT NULL DEFAULT 0);
INSERT INTO stations SELECT generate_series(1, 400);
CREATE TABLE reports (id serial PRIMARY KEY, station_id integer, note text NOT NULL);
INSERT INTO reports (station_id, note) SELECT 1 + n % 500, 'report ' || n FROM generate_series(1, 20000) AS n;
ANALYZE;
"""
FOUND_ORPHANS = 4_000


@dataclass(slots=True, kw_only=True)
class Log:
    """What the application committed, and how it went."""

    #: Rows that it inserted, and rows that it took away.
    inserted: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    statements: int = 0
    rejected: int = 0
    longest: float = 0.0
    what_was_longest: str = ""
    unexpected: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Writer:
    """One session of the application. Every case does what real ones do; what it committed goes into the log."""

    dsn: str
    dice: random.Random
    log: Log
    stopping: asyncio.Event

    async def run(self) -> None:
        connection = await asyncpg.connect(self.dsn)
        acts = (
            self.insert_orphan,
            self.insert_good,
            self.delete_referenced,
            self.repair,
            self.touch_orphans,
            self.touch_twice,
            self.upsert,
            self.referenced_late,
            self.both_ways,
            self.delete_own,
        )
        while not self.stopping.is_set():
            act = self.dice.choice(acts)
            try:
                await act(connection)
                self.log.statements += 1
            except _EXPECTED:
                self.log.rejected += 1
            except asyncpg.PostgresError as error:
                self.log.unexpected.append(f"{act.__name__}: {error!r}")
            await asyncio.sleep(self.dice.uniform(0, 0.01))
        await connection.close()

    async def timed(self, connection: asyncpg.Connection, sql: str, *arguments: object) -> list[asyncpg.Record]:
        started = time.monotonic()
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            seconds = time.monotonic() - started
            if seconds > self.log.longest:
                self.log.longest, self.log.what_was_longest = seconds, sql

    async def insert_orphan(self, connection: asyncpg.Connection) -> None:
        station = self.dice.randint(401, 500)
        rows = await self.timed(connection, "INSERT INTO reports (station_id, note) VALUES ($1, 'orphan') RETURNING id", station)
        self.log.inserted |= {row["id"] for row in rows}

    async def insert_good(self, connection: asyncpg.Connection) -> None:
        station = self.dice.randint(1, 400)
        rows = await self.timed(connection, "INSERT INTO reports (station_id, note) VALUES ($1, 'good') RETURNING id", station)
        self.log.inserted |= {row["id"] for row in rows}

    async def delete_referenced(self, connection: asyncpg.Connection) -> None:
        """A row nobody references yet."""
        async with connection.transaction():
            station = self.dice.randint(10_000, 99_999)
            await self.timed(connection, "INSERT INTO stations (id) VALUES ($1) ON CONFLICT DO NOTHING", station)
            await self.timed(connection, "DELETE FROM stations WHERE id = $1", station)

    async def repair(self, connection: asyncpg.Connection) -> None:
        sql = "UPDATE reports SET station_id = 7, note = 'repaired' WHERE id = $1 AND station_id > 400"
        await self.timed(connection, sql, self.dice.randint(1, 20_000))

    async def touch_orphans(self, connection: asyncpg.Connection) -> None:
        sql = "UPDATE reports SET note = note || '.' WHERE id BETWEEN $1 AND $1 + 3"
        await self.timed(connection, sql, self.dice.randint(1, 20_000))

    async def touch_twice(self, connection: asyncpg.Connection) -> None:
        """What fails for an orphan row while its key is not validated; the plan warns of it."""
        row = self.dice.randint(1, 20_000)
        async with connection.transaction():
            await self.timed(connection, "UPDATE reports SET note = note || '1' WHERE id = $1", row)
            await self.timed(connection, "UPDATE reports SET note = note || '2' WHERE id = $1", row)

    async def upsert(self, connection: asyncpg.Connection) -> None:
        sql = "INSERT INTO stations (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen = stations.seen + 1"
        await self.timed(connection, sql, self.dice.randint(1, 400))

    async def referenced_late(self, connection: asyncpg.Connection) -> None:
        """A referenced row that is written a while before it is committed, and taken back."""
        transaction = connection.transaction()
        await transaction.start()
        try:
            await self.timed(connection, "INSERT INTO stations (id) VALUES ($1) ON CONFLICT DO NOTHING", self.dice.randint(401, 500))
            await asyncio.sleep(self.dice.uniform(0, 0.05))
        finally:
            await transaction.rollback()

    async def both_ways(self, connection: asyncpg.Connection) -> None:
        """Referencing table first, then the referenced one: the order that deadlocks with careless DDL."""
        tables = ["UPDATE reports SET note = note || '-' WHERE id = $1", "UPDATE stations SET seen = seen + 1 WHERE id = $1 % 400 + 1"]
        row = self.dice.randint(1, 20_000)
        async with connection.transaction():
            for sql in tables:
                await self.timed(connection, sql, row)

    async def delete_own(self, connection: asyncpg.Connection) -> None:
        rows = await self.timed(connection, "DELETE FROM reports WHERE id = $1 RETURNING id", self.dice.randint(1, 20_000))
        self.log.deleted |= {row["id"] for row in rows}


@asynccontextmanager
async def writing(scene: Scene, seed: int, writers: int = 3) -> AsyncIterator[Log]:
    """Write until the block ends."""
    log, stopping = Log(), asyncio.Event()
    # A sequence of its own per writer: rows of two writers may meet, what each does is the seed's.
    running = [
        asyncio.create_task(Writer(dsn=scene.dsn, dice=random.Random(seed * 100 + n), log=log, stopping=stopping).run())
        for n in range(writers)
    ]
    try:
        yield log
    finally:
        stopping.set()
        await asyncio.gather(*running)


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def busy(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """A target with orphan rows enough for the writers to meet."""
    async with staged(postgres, await server_of(servers, request.param), BUSY) as stage:
        yield stage


async def ids(scene: Scene, question: str) -> set[int]:
    connection = await asyncpg.connect(scene.dsn)
    try:
        return {row[0] for row in await connection.fetch(question)}
    finally:
        await connection.close()


_SAVED = """
SELECT (row_image::public.reports).id FROM holdfast.backup
WHERE table_name = 'reports' AND action = 'DELETE' AND restored_by IS NULL
"""


def calm(log: Log) -> None:
    """Nobody among the writers was hurt, or waited long."""
    assert log.unexpected == []
    assert log.statements > 50
    assert log.longest < _LONGEST_STALL_SECONDS, f"{log.longest:.2f} s: {log.what_was_longest}"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", ["delete", "set-null"])
async def test_writers_during_apply_and_rollback(busy: Scene, how: str, seed: int, record_property: Callable[[str, object], None]) -> None:
    """Rows before ⊎ inserted = rows now ⊎ backup ⊎ deleted, at every moment looked at; the key ends validated, nobody is a victim."""
    present = await ids(busy, "SELECT id FROM reports")
    plan = await busy.planned(delete(RELATIONSHIP) if how == "delete" else nullify(RELATIONSHIP))
    async with writing(busy, seed) as log:
        await asyncio.sleep(0.3)
        application = await busy.succeed(await busy.start(plan), within=90)
        await asyncio.sleep(0.3)
    there, saved = await ids(busy, "SELECT id FROM reports"), await ids(busy, _SAVED)
    orphans = (
        "SELECT count(*) FROM reports r WHERE station_id IS NOT NULL AND NOT EXISTS (SELECT FROM stations s WHERE s.id = r.station_id)"
    )

    record_property("longest_stall_seconds", round(log.longest, 3))
    calm(log)
    assert {item.validated for item in application.verifications} == {True}
    assert await busy.ask(orphans) == 0
    assert there.isdisjoint(saved)
    assert there | saved | log.deleted == present | log.inserted
    assert (there | saved).isdisjoint(log.deleted)
    counted.rows += len(present | log.inserted)

    async with writing(busy, seed + 1) as later:
        ended = await rolled_back(busy, application)
        await asyncio.sleep(0.2)
    after = await ids(busy, "SELECT id FROM reports")
    record_property("longest_stall_seconds_of_rollback", round(later.longest, 3))
    calm(later)
    if ended.state == "SUCCEEDED":
        assert after == (there | saved | later.inserted) - later.deleted
    else:
        assert ended.error_reason in {"ROLLBACK_NOT_EXACT", "STEP_FAILED"}, ended.error_message


async def rolled_back(scene: Scene, application: Job) -> Job:
    return await scene.end(await scene.start_rollback(application), within=90)


async def once(scene: Scene, *statements: str) -> None:
    connection = await asyncpg.connect(scene.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def quiet(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """The small target, where one row at a time is looked at."""
    async with staged(postgres, await server_of(servers, request.param)) as stage:
        yield stage


async def test_referenced_row_deleted_between_backup_and_delete(quiet: Scene) -> None:
    """A batch deletes what it saved, though more rows became orphans meanwhile (the first race)."""
    plan = await quiet.planned()
    deleting = asyncio.Event()

    async def delete_a_station() -> None:
        connection = await asyncpg.connect(quiet.dsn)
        try:
            await connection.execute("SET lock_timeout = '100ms'; SET session_replication_role = replica")
            await connection.execute("DELETE FROM stations WHERE id = 60")
        except asyncpg.LockNotAvailableError:
            deleting.set()
        finally:
            await connection.close()

    trap = quiet.proxy.set_trap(Trap(at="DELETE FROM ", meanwhile=delete_a_station))
    await quiet.succeed(await quiet.start(plan))
    await trap.happened()
    there, saved = await ids(quiet, "SELECT id FROM reports"), await ids(quiet, _SAVED)

    assert deleting.is_set(), "the referenced table must be closed to writers while a batch runs"
    assert there | saved == set(range(1, 101))
    assert there.isdisjoint(saved)


@pytest.mark.parametrize("how", ["delete", "set-null"])
async def test_row_repaired_while_a_batch_waits(quiet: Scene, how: str) -> None:
    """A row repaired by a transaction that the batch waits for stays as repaired (the third race)."""
    await once(quiet, "ALTER TABLE reports ALTER station_id DROP NOT NULL")
    quiet.before = await quiet.state()
    plan = await quiet.planned(delete(RELATIONSHIP) if how == "delete" else nullify(RELATIONSHIP))
    repairing = await asyncpg.connect(quiet.dsn)
    transaction = repairing.transaction()

    async def begin_repair() -> None:
        await transaction.start()
        await repairing.execute("UPDATE reports SET station_id = 3, note = 'repaired' WHERE id = 99")

    # The first thing that a batch does is to lock; the repair comes first.
    trap = quiet.proxy.set_trap(Trap(after="NOT VALID", at="LOCK TABLE", meanwhile=begin_repair))
    job = await quiet.start(plan)
    await asyncio.wait_for(trap.happened(), timeout=20)
    await quiet.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'holdfast/job%'"
    )
    await transaction.commit()
    await repairing.close()
    await quiet.succeed(job)

    assert await quiet.ask("SELECT note FROM reports WHERE id = 99 AND station_id = 3") == "repaired"
    assert 99 not in await ids(quiet, "SELECT (row_image::public.reports).id FROM holdfast.backup WHERE table_name = 'reports'")


async def test_updating_an_orphan_row_twice_fails_as_the_plan_warns(quiet: Scene) -> None:
    """Between enforcement and cleanup a transaction that updates an orphan row twice is rejected by the key; once is fine."""
    plan = await quiet.planned()
    outcome: list[str] = []

    async def update_twice() -> None:
        connection = await asyncpg.connect(quiet.dsn)
        await connection.execute("UPDATE reports SET note = 'once' WHERE id = 98")
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE reports SET note = 'first' WHERE id = 99")
        try:
            await connection.execute("UPDATE reports SET note = 'second' WHERE id = 99")
        except asyncpg.ForeignKeyViolationError:
            outcome.append("rejected")
        await transaction.rollback()
        await connection.close()

    trap = quiet.proxy.set_trap(Trap(after="NOT VALID", at="LOCK TABLE", meanwhile=update_twice))
    await quiet.succeed(await quiet.start(plan))
    await trap.happened()
    hazards = {hazard.kind.value for step in plan.plan.steps for hazard in step.hazards}

    assert outcome == ["rejected"]
    assert "DOUBLE_UPDATE_FAILS" in hazards
