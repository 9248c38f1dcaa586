"""What a plan prints about locks is what the server shows: statement by statement, forward and back, on every version."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.plan.batch_locks import strongest
from holdfastd.plan.model import LockLevel, OrphanAction, Override, Plan, Statement, Step, StepKind, TableLock
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.harness import harness
from support.postgres import Server

SCHEMA = (
    CUSTOMERS
    + """
    CREATE TABLE shops (id integer PRIMARY KEY);
    INSERT INTO shops SELECT generate_series(1, 60);
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL, shop_id integer NOT NULL REFERENCES shops);
    CREATE TABLE items (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE);
    CREATE TABLE letters (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE SET NULL);
    CREATE TABLE refunds (id integer PRIMARY KEY, order_id integer REFERENCES orders);
    CREATE TABLE visits (id integer PRIMARY KEY, customer_id integer);
    CREATE TABLE calls (id integer PRIMARY KEY, customer_id integer NOT NULL);
    CREATE TABLE categories (id integer PRIMARY KEY, parent_id integer);
    CREATE TABLE tools (id integer PRIMARY KEY, customer_id integer);
    INSERT INTO orders SELECT n, n, n FROM generate_series(41, 60) AS n;
    INSERT INTO items SELECT id, id FROM orders;
    INSERT INTO letters SELECT id, id FROM orders;
    INSERT INTO refunds SELECT id, id FROM orders WHERE id <= 50;
    INSERT INTO visits SELECT n, n FROM generate_series(41, 60) AS n;
    INSERT INTO calls SELECT n, n FROM generate_series(41, 60) AS n;
    INSERT INTO tools SELECT n, n FROM generate_series(41, 60) AS n;
    INSERT INTO categories VALUES (1, NULL), (2, 1), (3, 9), (4, 3);
    ALTER TABLE tools ADD CONSTRAINT their_key FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE DEFERRABLE NOT VALID;
    COMMENT ON CONSTRAINT their_key ON tools IS 'theirs';
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER nothing AFTER UPDATE ON letters FOR EACH ROW EXECUTE FUNCTION nothing();
    """
)
OVERRIDES = (
    delete("public.orders(customer_id)->public.customers(id)"),
    nullify("public.visits(customer_id)->public.customers(id)"),
    delete("public.categories(parent_id)->public.categories(id)"),
    Override(
        relationship_id="public.calls(customer_id)->public.customers(id)",
        include=True,
        on_delete=OnDelete.RESTRICT,
        orphan_action=OrphanAction.REPOINT,
        repoint_to=("1",),
    ),
)
HELD = """
SELECT relation.relname AS name, held.mode
FROM pg_locks AS held
JOIN pg_class AS relation ON relation.oid = held.relation
WHERE held.pid = $1 AND held.granted AND relation.relkind IN ('r', 'p') AND relation.relnamespace = 'public'::regnamespace
"""
BATCH = "INSERT INTO holdfast.ledger (plan_id, step, entry) VALUES ('a plan', 1, 'BATCH') RETURNING id"


class Watch:
    """Runs statements and compares the locks that they take with those that are printed."""

    def __init__(self, work: asyncpg.Connection, other: asyncpg.Connection, observer: asyncpg.Connection) -> None:
        self.work, self.other, self.observer = work, other, observer
        self.wrong: list[str] = []
        self.compared = 0

    async def held(self) -> dict[str, LockLevel]:
        rows = await self.observer.fetch(HELD, self.work.get_server_pid())
        locks = [TableLock(table=row["name"], level=_level(row["mode"])) for row in rows]
        return {str(lock.table): lock.level for lock in strongest(locks)}

    def compare(self, statement: Statement, held: dict[str, LockLevel]) -> None:
        printed = {lock.table.name: lock.level for lock in statement.locks}
        self.compared += 1
        if held != printed or len(printed) < len(statement.locks):
            self.wrong.append(f"{statement.sql}\n  printed {printed}\n  held    {held}")

    async def run(
        self, statement: Statement, parameters: Sequence[object] = (), around: tuple[Iterable[str], Iterable[str]] = ((), ())
    ) -> None:
        """Run a statement in a transaction of its own; `around`: what goes before and after in the same transaction."""
        if not statement.transactional:
            await self.run_alone(statement)
            return
        highest = max((int(number) for number in re.findall(r"\$(\d)::", statement.sql)), default=0)
        async with self.work.transaction():
            for sql in around[0]:
                await self.work.execute(sql)
            await self.work.fetch(statement.sql, *parameters[:highest])
            for sql in around[1]:
                await self.work.execute(sql)
            self.compare(statement, await self.held())

    async def run_alone(self, statement: Statement) -> None:
        """Run what must not be in a transaction: held up by a writer of its tables, it shows its locks to others."""
        async with self.other.transaction():
            for lock in statement.locks:
                await self.other.execute(f"LOCK TABLE {lock.table.name} IN ROW EXCLUSIVE MODE")
            running = asyncio.create_task(self.work.execute(statement.sql))
            waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'"
            async with asyncio.timeout(20):
                while not await self.observer.fetchval(waits, self.work.get_server_pid()):
                    await asyncio.sleep(0.02)
            self.compare(statement, await self.held())
        await running

    async def forward(self, plan: Plan) -> dict[int, int]:
        """Run all steps; return the batch of each cleanup."""
        batches = {}
        for step in plan.steps:
            parameters: tuple[object, ...] = ()
            if step.recipe is not None:
                batches[step.number] = await self.work.fetchval(BATCH)
                addresses = await self.work.fetchval(f"SELECT array_agg(ctid::text) FROM ONLY {step.recipe.tables[0]}")
                parameters = (batches[step.number], addresses, addresses)
            for statement in step.statements:
                await self.run(statement, parameters)
        return batches

    async def back(self, plan: Plan, batches: dict[int, int]) -> None:
        """Undo all steps as a rollback does: keys, rows, keys that were there before, indexes."""
        steps = list(reversed(plan.steps))
        for statement in (step.undo[0] for step in steps if _is_key(step)):
            await self.run(statement)
        for step in (step for step in steps if step.recipe is not None):
            triggers = await self.work.fetch(step.recipe.triggers)
            around = ([row["turn_off"] for row in triggers], [row["turn_on"] for row in triggers])
            await self.run(step.undo[0], (batches[step.number],), around)
            await self.work.execute("UPDATE holdfast.backup SET restored_by = 1 WHERE batch = $1", batches[step.number])
        for step in steps:
            for statement in step.undo[1:] if _is_key(step) else step.undo if step.kind is StepKind.CREATE_INDEX else ():
                await self.run(statement)


def _is_key(step: Step) -> bool:
    return step.kind in (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY) and bool(step.undo)


def _level(mode: str) -> LockLevel:
    """`ShareRowExclusiveLock` -> SHARE ROW EXCLUSIVE."""
    return LockLevel(" ".join(re.findall("[A-Z][a-z]+", mode.removesuffix("Lock"))).upper())


@asynccontextmanager
async def watching(dsn: str) -> AsyncIterator[Watch]:
    connections = [await asyncpg.connect(dsn) for _ in range(3)]
    await connections[0].execute("SET search_path = ''")
    try:
        yield Watch(*connections)
    finally:
        for connection in connections:
            await connection.close()


async def test_printed_locks_are_the_true_ones(any_postgres: Server, any_database: str) -> None:
    """No stronger lock than printed, and none printed that is not taken: preparing, indexing, adding, cleaning up, validating, undoing."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(SCHEMA)
    await connection.close()
    async with harness(any_postgres) as replica:
        await replica.register(any_database)
        await replica.audit()
        plan = (await replica.plan("shop", *OVERRIDES)).plan
    async with watching(any_database) as watch:
        batches = await watch.forward(plan)
        await watch.back(plan, batches)
        left = await watch.work.fetchval("SELECT count(*) FROM public.orders")

    assert not watch.wrong, "\n".join(watch.wrong)
    assert left == 20, "the statements did not do what a plan does"
    assert {step.kind for step in plan.steps} >= set(StepKind) - {StepKind.ATTACH_INDEX}
    assert watch.compared > 50


@pytest.mark.parametrize("level", list(LockLevel))
def test_levels_are_read_as_postgresql_writes_them(level: LockLevel) -> None:
    """A level that is not understood would be compared with nothing."""
    assert _level("".join(word.capitalize() for word in level.split()) + "Lock") is level
