"""Statements that are stopped while they run, by us or by others: nothing half built stays of ours, nothing goes of somebody else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import Cancelled, LeaseLost, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.index_build import IndexBuild
from holdfastd.execute.locking import look_out
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.lock_budgets import BUDGETS
from holdfastd.plan.model import Decision, LockPolicy, OrphanAction, Step
from holdfastd.plan.steps.create_index import create_index
from holdfastd.plan.steps.prepare import prepare
from support.listener import PROGRESS, Listener, wait_until, working_session

PLAN = "plan-0"
TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO customers SELECT n, 'x' FROM generate_series(1, 200) AS n;
INSERT INTO orders SELECT n, n, 'x' FROM generate_series(1, 200) AS n;
"""
DECISION = Decision(
    relationship_id="orders->customers",
    referencing=ColumnSet(TableName("public", "orders"), ("customer_id",)),
    referenced=ColumnSet(TableName("public", "customers"), ("id",)),
    included=True,
    reason="",
    on_delete=OnDelete.CASCADE,
    orphan_action=OrphanAction.DELETE,
    orphan_rows=0,
    closure_rows=0,
    index_name="orders_customer_idx",
)
STEP: Step = create_index(2, DECISION, rows=20_000)
INDEXES = "SELECT count(*) FROM pg_index WHERE indrelid = 'public.orders'::regclass AND NOT indisprimary"
BUSY = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND query LIKE $2)"


@pytest.fixture
async def application(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(database, server_settings={"application_name": "shop"})
    await connection.execute(TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def other(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session that holds nothing."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def session(database: str, application: asyncpg.Connection) -> AsyncIterator[TargetSession]:
    async with working_session(database) as session:
        for statement in prepare(1).statements:
            await session.work.execute(statement.sql)
        yield session


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def snapshot(application: asyncpg.Connection) -> asyncpg.Connection:
    """The application with an open snapshot, which the end of a build waits for."""
    await application.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM customers LIMIT 1")
    return application


def build(session: TargetSession, listener: Listener) -> IndexBuild:
    return IndexBuild(session=session, reporter=listener, plan_id=PLAN, step=STEP, progress=replace(PROGRESS, rows_total=20_000))


async def begin(session: TargetSession, listener: Listener) -> asyncio.Task[None]:
    """Begin the step, as an application does."""
    await ledger.write(session, PLAN, STEP.number, "INTENT")
    return asyncio.create_task(build(session, listener).run())


async def is_built(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval(STEP.done_when))


async def test_cancelling_a_build_leaves_no_index(
    session: TargetSession, listener: Listener, snapshot: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """The statement ends within half a second, and what it had built goes while the blocker is still there."""
    building = await begin(session, listener)
    await wait_until(other, f"SELECT ({INDEXES}) = 1")
    await listener.hear(EventKind.LOCK_WAIT)
    listener.stop = Cancelled()
    asked = asyncio.get_running_loop().time()
    await wait_until(other, f"SELECT NOT ({BUSY.removeprefix('SELECT ')})", session.backend, "CREATE INDEX%")
    stopped = asyncio.get_running_loop().time() - asked
    with pytest.raises(Cancelled):
        await building

    assert stopped < 1
    assert await other.fetchval(INDEXES) == 0


async def test_who_loses_the_lease_leaves_the_rest_to_its_successor(
    session: TargetSession, listener: Listener, snapshot: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """The statement ends, the invalid index stays; the successor knows it by the ledger, drops it and builds another one."""
    building = await begin(session, listener)
    await listener.hear(EventKind.LOCK_WAIT)
    listener.stop = LeaseLost()
    with pytest.raises(LeaseLost):
        await building
    left = await other.fetchval(f"{INDEXES} AND NOT indisvalid")
    listener.stop = None
    successor = await begin(session, listener)
    await wait_until(other, "SELECT phase = 'waiting for old snapshots' FROM pg_stat_progress_create_index")
    await snapshot.execute("ROLLBACK")
    await successor

    assert left == 1
    assert (await is_built(other), await other.fetchval(INDEXES)) == (True, 1)


async def test_a_half_built_index_that_cannot_go_is_told(
    session: TargetSession,
    listener: Listener,
    application: asyncpg.Connection,
    other: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A writer of the table holds up the drop as it held up the build; the next attempt drops it."""
    monkeypatch.setitem(BUDGETS, LockPolicy.NONE, replace(BUDGETS[LockPolicy.NONE], timeouts_ms=(100,), attempts=2))
    async with application.transaction():
        await application.execute("UPDATE orders SET note = 'busy' WHERE id = 1")
        building = await begin(session, listener)
        await listener.hear(EventKind.LOCK_WAIT)
        listener.stop = Cancelled()
        with pytest.raises(Cancelled):
            await building
        told = listener.of(EventKind.LOCK_WAIT)[-1]
    listener.stop = None
    await (await begin(session, listener))

    assert "stays half built" in told.message
    assert "(shop, for" in told.message
    assert (await is_built(other), await other.fetchval(INDEXES)) == (True, 1)


@pytest.mark.parametrize("column", ["customer_id", "note"], ids=["same-columns", "other-columns"])
async def test_an_invalid_index_of_somebody_else_stays(
    session: TargetSession, listener: Listener, other: asyncpg.Connection, column: str
) -> None:
    """It has the name that the plan chose; nothing says that we began it, not even that we tried before."""
    await other.execute(f"CREATE INDEX orders_customer_idx ON orders ({column})")
    await other.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_customer_idx'::regclass")
    oid = await other.fetchval("SELECT 'orders_customer_idx'::regclass::oid")
    for _ in range(2):
        with pytest.raises(Refused, match="orders_customer_idx") as caught:
            await (await begin(session, listener))

    assert caught.value.facts == {"name": "orders_customer_idx"}
    assert await other.fetchval("SELECT 'orders_customer_idx'::regclass::oid") == oid


async def test_leftovers_of_others_are_never_ours(session: TargetSession, listener: Listener, other: asyncpg.Connection) -> None:
    """REINDEX CONCURRENTLY leaves names that begin like ours."""
    for suffix in ("_ccnew", "_ccold"):
        await other.execute(f"CREATE INDEX orders_customer_idx{suffix} ON orders (customer_id)")
        await other.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_customer_idx{suffix}'::regclass")
    await (await begin(session, listener))

    assert await other.fetchval(f"{INDEXES} AND NOT indisvalid") == 2
    assert await is_built(other)


async def test_a_build_that_somebody_stops_is_begun_again(
    session: TargetSession, listener: Listener, snapshot: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """pg_cancel_backend by somebody else is no request to us: we tell it and build again, from nothing."""
    building = await begin(session, listener)
    await wait_until(other, "SELECT phase = 'waiting for old snapshots' FROM pg_stat_progress_create_index")
    first = await other.fetchval("SELECT 'orders_customer_idx'::regclass::oid")
    await other.execute("SELECT pg_cancel_backend($1)", session.backend)
    told = await listener.hear(EventKind.RETRY)
    again = "SELECT coalesce(to_regclass('orders_customer_idx')::oid <> $1, false)"
    await wait_until(other, again, first)
    await snapshot.execute("ROLLBACK")
    await building

    assert "somebody, or a statement_timeout, stopped the statement" in told.message
    assert (await is_built(other), await other.fetchval(INDEXES)) == (True, 1)


async def test_a_statement_timeout_is_bounded(session: TargetSession, listener: Listener) -> None:
    """What is stopped again and again ends with a reason, not with a wrong state and not never."""
    await session.work.execute("SET statement_timeout = '20ms'")
    with pytest.raises(Refused) as caught:
        await run_locked(session, listener, LockPolicy.SHORT, 1, lambda: session.work.execute("SELECT pg_sleep(5)"))

    assert caught.value.reason is Reason.STEP_FAILED
    assert len(listener.of(EventKind.RETRY)) == 3


async def test_cancelling_a_validation_leaves_the_key_not_valid(
    session: TargetSession, listener: Listener, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it reads, its elapsed time is told; it ends within half a second of being asked to."""
    monkeypatch.setattr(look_out, "_TELL_EVERY_SECONDS", 0.3)
    monkeypatch.setattr(look_out, "_BUILD_EVERY_SECONDS", 0.3)
    await other.execute("ALTER TABLE orders ADD CONSTRAINT key FOREIGN KEY (customer_id) REFERENCES customers NOT VALID")
    for table, columns in (("customers", "n"), ("orders", "n, n")):
        await other.execute(f"INSERT INTO {table} SELECT {columns} FROM generate_series(201, 20000) AS n")
    # The slowest of all plans: four hundred million comparisons.
    await session.work.execute(
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_indexscan = off; SET enable_bitmapscan = off;"
        " SET enable_indexonlyscan = off"
    )
    validating = asyncio.create_task(
        run_locked(
            session,
            listener,
            LockPolicy.LONG,
            3,
            lambda: session.work.execute("ALTER TABLE public.orders VALIDATE CONSTRAINT key"),
            progress=replace(PROGRESS, activity="Validate key"),
        )
    )
    told = await listener.hear(EventKind.PROGRESS)
    listener.stop = Cancelled()
    asked = asyncio.get_running_loop().time()
    with pytest.raises(Cancelled):
        await validating

    assert asyncio.get_running_loop().time() - asked < 1
    assert told.message.startswith("Validate key: running for")
    assert await other.fetchval("SELECT convalidated FROM pg_constraint WHERE conname = 'key'") is False


async def test_a_task_that_is_cut_off_leaves_no_statement_running(
    session: TargetSession, listener: Listener, other: asyncpg.Connection
) -> None:
    """A worker that lost its lease cancels the task; the statement ends with it, though nobody asked the observer."""
    sleep = "SELECT pg_sleep(600)"
    working = asyncio.create_task(run_locked(session, listener, LockPolicy.LONG, 1, lambda: session.work.execute(sleep)))
    await wait_until(other, BUSY, session.backend, sleep)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    asked = asyncio.get_running_loop().time()
    await wait_until(other, f"SELECT NOT ({BUSY.removeprefix('SELECT ')})", session.backend, sleep)

    assert asyncio.get_running_loop().time() - asked < 1


async def test_how_far_a_build_is(
    session: TargetSession, listener: Listener, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's phase and blocks are told while it builds."""
    monkeypatch.setattr(look_out, "_BUILD_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(look_out, "_TICK_SECONDS", 0.01)
    await other.execute("INSERT INTO orders SELECT n, n, 'x' FROM generate_series(201, 600000) AS n")
    await (await begin(session, listener))

    told = [happening for happening in listener.of(EventKind.PROGRESS) if "blocks" in happening.message]
    assert told
    assert {happening.rows_total for happening in told} == {20_000}
    assert all(0 <= happening.rows_done <= 20_000 for happening in told)


async def test_the_session_is_as_before_after_a_build(session: TargetSession, listener: Listener) -> None:
    """The long lock_timeout of a build is not the next statement's."""
    await (await begin(session, listener))

    assert await session.work.fetchval("SHOW lock_timeout") == "5s"


async def test_an_index_that_cannot_be_built_leaves_nothing(
    session: TargetSession, listener: Listener, application: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """A value too long for an index: the job says so, and no invalid index stays to cost writes."""
    await application.execute("INSERT INTO orders SELECT 201, 201, string_agg(md5(n::text), '') FROM generate_series(1, 400) AS n")
    step = create_index(2, replace(DECISION, referencing=ColumnSet(TableName("public", "orders"), ("note",))), rows=201)
    await ledger.write(session, PLAN, step.number, "INTENT")
    with pytest.raises(Refused, match="a value is too long for a btree index") as refusal:
        await IndexBuild(session=session, reporter=listener, plan_id=PLAN, step=step, progress=PROGRESS).run()

    assert (refusal.value.reason, refusal.value.facts["sqlstate"]) == (Reason.STEP_FAILED, "54000")
    assert await other.fetchval(INDEXES) == 0
