"""Whatever an application writes and whatever goes wrong, in any order, on any schema: counts are true, rows are conserved, undone is undone.

Hypothesis chooses schemas, writes and faults; the model is a dictionary of tables, and what is an orphan row is found by comparing
everything with everything. The machine runs in a thread with an event loop of its own, because Hypothesis knows no coroutines.
"""

import asyncio
import random
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from chaos import checker
from chaos.checker import State, counted
from holdfastd.flows import jobs, migrations, run_audit
from holdfastd.jobs.model import Job
from integration.execute.random_schemas import RandomDatabase, RandomTable, make_database, quote
from integration.execute.test_random_schemas import Rows, build, candidates, check_applied, decide, frozen, id_of, orphans, plan_for, read
from support.harness import CALLER, Harness, harness
from support.postgres import Server, database_name
from support.proxy import Fault, Proxy, Trap, proxied

Result = TypeVar("Result")
_LIMIT_SECONDS = 90
_FAULTS = {"request": Fault.LOSE_REQUEST, "answer": Fault.LOSE_ANSWER}
#: So many COMMITs a small application has, more or less.
_VISITS = st.integers(min_value=1, max_value=14)


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=_LIMIT_SECONDS)

    def stop(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)
        self.loop.close()


class Stage:
    """What all examples share: a server, a replica, and a loop to run them in."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.loop = Loop()
        self.stack = AsyncExitStack()
        self.proxy: Proxy
        self.replica: Harness
        self.examples = 0
        self.loop.run(self._open())

    async def _open(self) -> None:
        self.proxy = await self.stack.enter_async_context(proxied(self.server.port))
        self.replica = await self.stack.enter_async_context(harness(self.server))

    def close(self) -> None:
        """Stop the replica."""
        self.loop.run(self.stack.aclose())
        self.loop.stop()


@pytest.fixture
def stage(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The stage; what inference finds is what the random schema holds."""
    running = Stage(postgres)
    monkeypatch.setattr(run_audit, "conclude", lambda catalog, *_: candidates(catalog, Machine.made))
    yield running
    running.close()


class Machine(RuleBasedStateMachine):
    """One random database, and what is done to it."""

    stage: Stage
    made: RandomDatabase

    def __init__(self) -> None:
        super().__init__()
        self.dsn = ""
        self.name = ""
        self.application: Job | None = None
        self.before: State | None = None
        self.rows: Rows = {}

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the stage."""
        return self.stage.loop.run(work)

    @initialize(seed=st.integers(min_value=0, max_value=100_000))
    def make(self, seed: int) -> None:
        """Make a random schema with random rows."""
        Machine.made = make_database(random.Random(seed))
        self.run(self._make())

    async def _make(self) -> None:
        self.dsn = await self.stage.server.create_database()
        connection = await asyncpg.connect(self.dsn)
        try:
            await build(connection, self.made)
            self.rows = await read(connection, self.made)
        finally:
            await connection.close()
        self.stage.examples += 1
        self.name = f"example-{self.stage.examples}"
        await self.stage.replica.register(f"postgresql://postgres@127.0.0.1:{self.stage.proxy.port}/{database_name(self.dsn)}", self.name)

    @precondition(lambda self: self.application is None)
    @rule(number=st.integers(min_value=0, max_value=1_000))
    def write(self, number: int) -> None:
        """The application changes something; what its keys refuse does not happen."""
        self.run(self._write(random.Random(number)))

    async def _write(self, dice: random.Random) -> None:
        table = dice.choice(self.made.tables)
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(_statement(dice, table))
        except asyncpg.IntegrityConstraintViolationError:
            counted.names["writes refused by keys"] += 1
        finally:
            self.rows = await read(connection, self.made)
            await connection.close()

    @precondition(lambda self: self.application is None)
    @rule()
    def audit(self) -> None:
        """Orphan counts equal brute force over the model."""
        found = self.run(self.stage.replica.audit(self.name))

        for key in self.made.keys:
            relationship = found[id_of(key)]
            assert relationship.orphan_rows is not None, id_of(key)
            assert relationship.orphan_rows.value == len(orphans(key, self.rows)), id_of(key)

    @precondition(lambda self: self.application is None)
    @rule(number=st.integers(min_value=0, max_value=1_000), visit=_VISITS, what=st.sampled_from(["nothing", "request", "answer", "cancel"]))
    def apply(self, number: int, visit: int, what: str) -> None:
        """Plan and apply, with a COMMIT lost or the job cancelled at one; what was done explains every row."""
        self.audit()
        self.run(self._apply(random.Random(number), visit, what))

    async def _apply(self, dice: random.Random, visit: int, what: str) -> None:
        decisions = {id_of(key): chosen for key in self.made.keys if not key.declared and (chosen := decide(dice, key))}
        plan = await plan_for(self.stage.replica, self.name, decisions, dice)
        if plan is None:
            return
        self.before = await checker.read_state(self.stage.server, self.dsn)
        trap = Trap(at="COMMIT", visit=visit, fault=_FAULTS.get(what), meanwhile=self._cancel if what == "cancel" else None)
        self.application = job = await migrations.apply(self.stage.replica.services, CALLER, plan.id)
        # The preflight commits, too: the trap is for the job.
        if what != "nothing":
            self.stage.proxy.set_trap(trap)
        ended = await self.stage.replica.end(job)
        self.stage.proxy.traps.clear()
        counted.cases += 1
        counted.crashes += trap.sprung.is_set()
        connection = await asyncpg.connect(self.dsn)
        try:
            if await connection.fetchval("SELECT to_regclass('holdfast.backup') IS NOT NULL"):
                await check_applied(connection, self.made, plan, ended, self.rows, await read(connection, self.made))
        finally:
            await connection.close()
        allowed = {"SUCCEEDED", "CANCELLED"} if what == "cancel" else {"SUCCEEDED"}
        assert ended.state in allowed, f"{ended.error_reason}: {ended.error_message}"
        if not ended.progress.done and ended.state == "CANCELLED":
            self.application = None

    async def _cancel(self) -> None:
        while self.application is None:
            await asyncio.sleep(0.01)
        await jobs.cancel(self.stage.replica.services, CALLER, self.application.id)

    @precondition(lambda self: self.application is not None)
    @rule(visit=_VISITS, what=st.sampled_from(["nothing", "request", "answer"]))
    def roll_back(self, visit: int, what: str) -> None:
        """Whatever was applied, and whatever happens on the way back: equal to before."""
        self.run(self._roll_back(visit, _FAULTS.get(what)))

    async def _roll_back(self, visit: int, fault: Fault | None) -> None:
        assert self.application is not None
        assert self.before is not None
        job = await migrations.roll_back(self.stage.replica.services, CALLER, self.application.id)
        if fault is not None:
            self.stage.proxy.set_trap(Trap(at="COMMIT", visit=visit, fault=fault))
        await self.stage.replica.succeed(job)
        self.stage.proxy.traps.clear()
        self.application = None
        checker.same(await checker.read_state(self.stage.server, self.dsn), self.before)
        connection = await asyncpg.connect(self.dsn)
        try:
            assert frozen(await read(connection, self.made)) == frozen(self.rows)
        finally:
            await connection.close()

    def teardown(self) -> None:
        """What is applied at the end is rolled back, too."""
        try:
            if self.application is not None:
                self.run(self._roll_back(1, None))
        finally:
            self.stage.proxy.traps.clear()
            if self.dsn:
                self.run(self.stage.server.drop_database(database_name(self.dsn)))


def _statement(dice: random.Random, table: RandomTable) -> str:
    """Return a write: rows go away, lose or change their reference, or come twice."""
    keep = f"ctid IN (SELECT ctid FROM {table.sql} ORDER BY ctid LIMIT {dice.randint(1, 3)} OFFSET {dice.randint(0, 8)})"
    columns = [name for name, kind in table.columns.items() if name in table.foreign and "NOT NULL" not in kind]
    match dice.randint(0, 3):
        case 0:
            return f"DELETE FROM {table.sql} WHERE {keep}"
        case 1 if columns:
            return f"UPDATE {table.sql} SET {quote(dice.choice(columns))} = NULL WHERE {keep}"
        case 2 if table.foreign:
            name, kind = dice.choice(list(table.foreign.items()))
            value = str(dice.randint(1, 12)) if kind in ("integer", "bigint", "smallint") else f"'k{dice.randint(1, 12)}'"
            return f"UPDATE {table.sql} SET {quote(name)} = {value} WHERE {keep}"
        case _:
            return f"UPDATE {table.sql} SET note = 'written {dice.randint(1, 99)}' WHERE {keep}"


def run(stage: Stage, examples: int, steps: int) -> None:
    """Run the machine. The examples are the same every time, so that a failure is one for everybody."""
    Machine.stage = stage
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        # Shrinking a history that takes seconds takes hours.
        phases=(Phase.generate,),
    )
    run_state_machine_as_test(Machine, settings=chosen)
    counted.names["random histories"] += stage.examples


def test_some_histories(stage: Stage) -> None:
    """A few histories, in every run of the tests."""
    run(stage, examples=2, steps=3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_histories(stage: Stage) -> None:
    """More and longer ones."""
    run(stage, examples=12, steps=6)
