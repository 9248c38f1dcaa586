"""The plan of a partitioned table prints the locks that PostgreSQL takes: statement by statement, forward and back, on every version."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import asyncpg
import pytest

from holdfastd.plan.model import LockLevel, Statement, Step, StepKind
from integration.execute.test_partitions import PARTITIONED, Partitioned
from support.harness import Harness, harness
from support.postgres import Server

#: Weaker ones let readers and writers through.
STRONG = (
    LockLevel.SHARE_UPDATE_EXCLUSIVE,
    LockLevel.SHARE,
    LockLevel.SHARE_ROW_EXCLUSIVE,
    LockLevel.EXCLUSIVE,
    LockLevel.ACCESS_EXCLUSIVE,
)
HELD = """
SELECT relation.relname AS name, locks.mode AS mode
FROM pg_locks AS locks JOIN pg_class AS relation ON relation.oid = locks.relation
WHERE locks.granted AND locks.pid = $1 AND relation.relnamespace = 'public'::regnamespace
"""

Levels = dict[str, LockLevel]


@pytest.fixture
async def replica(any_postgres: Server) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        yield running


def strongest(locks: Iterable[tuple[str, LockLevel]]) -> Levels:
    found: Levels = {}
    for name, level in locks:
        if level in STRONG and (name not in found or STRONG.index(level) > STRONG.index(found[name])):
            found[name] = level
    return found


def told(statement: Statement) -> Levels:
    return strongest((lock.table.name, lock.level) for lock in statement.locks)


def level_of(mode: str) -> LockLevel:
    """Return the level that pg_locks calls AccessExclusiveLock and the like."""
    return next(level for level in LockLevel if level.replace(" ", "").lower() + "lock" == mode.lower())


async def held(observer: asyncpg.Connection, pid: int) -> Levels:
    return strongest((row["name"], level_of(row["mode"])) for row in await observer.fetch(HELD, pid))


async def run_in_transaction(connection: asyncpg.Connection, statement: Statement) -> Levels:
    """Run a statement, return what it locked and what was there before it."""
    before = {row["relname"] for row in await connection.fetch("SELECT relname FROM pg_class")}
    async with connection.transaction():
        await connection.execute(statement.sql)
        locks = await held(connection, connection.get_server_pid())
    return {name: level for name, level in locks.items() if name in before}


async def run_concurrently(connection: asyncpg.Connection, other: asyncpg.Connection, step: Step) -> Levels:
    """Build an index while another transaction writes to the table, so that it waits and can be looked at."""
    (statement,) = step.statements
    writing = other.transaction()
    await writing.start()
    await other.execute(f'LOCK TABLE public."{step.table.name}" IN ROW EXCLUSIVE MODE')
    building = asyncio.create_task(connection.execute(statement.sql))
    try:
        async with asyncio.timeout(20):
            while not (locks := await held(other, connection.get_server_pid())):
                await asyncio.sleep(0.02)
    finally:
        await writing.rollback()
    await building
    return {name: level for name, level in locks.items() if name != step.object_name}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(each, id=each.name.replace(" ", "-"), marks=() if each.name == "own keys and indexes" else pytest.mark.slow)
        for each in PARTITIONED
        if each.name in ("own keys and indexes", "own key of a level", "both", "itself")
    ],
)
async def test_plan_prints_true_locks(any_database: str, replica: Harness, scenario: Partitioned) -> None:
    connection, other = await asyncpg.connect(any_database), await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.execute("ANALYZE")
    await replica.register(any_database)
    await replica.audit()
    plan = (await replica.plan("shop", *scenario.overrides)).plan
    await connection.execute("SET search_path = ''")

    for step in plan.steps[:-1]:
        if step.kind is StepKind.CLEAN_UP:
            assert await run_in_transaction(connection, step.statements[0]) == told(step.statements[0]), step.title
            await connection.execute(f"DELETE FROM ONLY {step.recipe.tables[0]} AS referencing WHERE {orphans(step)}")
        elif not step.statements[0].transactional:
            assert await run_concurrently(connection, other, step) == told(step.statements[0]), step.title
        else:
            for statement in step.statements:
                assert await run_in_transaction(connection, statement) == told(statement), step.title
        assert await connection.fetchval(step.done_when), step.title

    for step in reversed(plan.steps):
        if step.undo and step.undo[0].transactional and step.recipe is None and await connection.fetchval(step.undo_when):
            for statement in step.undo:
                assert await run_in_transaction(connection, statement) == told(statement), f"undo {step.title}"
    await connection.close()
    await other.close()


def orphans(step: Step) -> str:
    """Return the condition of a cleanup's orphan rows, out of the question whether it is done."""
    return step.done_when.split(" WHERE ", 1)[1].removesuffix(")")
