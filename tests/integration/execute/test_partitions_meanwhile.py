"""What others do to partitions while a plan is applied or rolled back: no orphan row slips in, and no partition slips through."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfastd.execute.failpoints import arm
from holdfastd.flows import migrations, plans
from holdfastd.plan.model import ScriptKind, StepKind
from integration.execute.scenarios import delete
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.listener import wait_until
from support.postgres import Server

KEY = "public.orders(customer_id)->public.customers(id)"
#: Orphan rows in the second partition; the first has a valid key of its own, which keeps them out there.
ORDERS = """
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 20);
CREATE TABLE orders (id integer, customer_id integer, day integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10);
CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (10) TO (20);
INSERT INTO orders SELECT n, CASE WHEN n % 20 = 15 THEN 1000 + n ELSE 1 + n % 20 END, n % 20 FROM generate_series(1, 200) AS n;
ALTER TABLE orders_1 ADD CONSTRAINT mine FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE;
COMMENT ON CONSTRAINT mine ON orders_1 IS 'by hand';
"""
ORPHAN = "INSERT INTO orders VALUES (9001, 7777, 3)"


@pytest.fixture
async def replica(any_postgres: Server) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        yield running


@pytest.fixture
async def connection(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    """The application that owns the tables."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(ORDERS)
    yield connection
    await connection.close()


async def test_key_of_a_partition_is_never_away(
    any_postgres: Server, any_database: str, replica: Harness, connection: asyncpg.Connection
) -> None:
    """An orphan row that comes while a rollback puts rows back is refused, and the key ends as it was: valid, with its comment."""
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    application = await replica.apply(await replica.plan("shop", delete(KEY)))
    arm("RESTORE.begun#1=sleep:0.5")
    try:
        rolling = asyncio.create_task(replica.roll_back(application))
        await wait_until(connection, "SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f')")
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await connection.execute(ORPHAN)
        await rolling
    finally:
        arm("")

    assert refused.value.constraint_name == "mine"
    assert await state_of(any_postgres, any_database) == before


async def test_key_that_cannot_be_as_it_was_is_named(
    any_postgres: Server, any_database: str, replica: Harness, connection: asyncpg.Connection
) -> None:
    """Somebody drops the root's key by hand, and orphan rows come in: the rollback says which key, and goes on once they are gone."""
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", delete(KEY))
    application = await replica.apply(plan)
    root = next(step for step in plan.plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY and step.table.name == "orders")
    await connection.execute(f"ALTER TABLE orders DROP CONSTRAINT {root.object_name}; {ORPHAN}")
    ended = await replica.end(await migrations.roll_back(replica.services, CALLER, application.id))
    await connection.execute("DELETE FROM orders WHERE id = 9001")
    await replica.roll_back(application)

    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert "mine of orders_1 cannot be as it was" in ended.error_message
    assert await state_of(any_postgres, any_database) == before


async def test_script_never_takes_the_key_away(
    any_postgres: Server, any_database: str, replica: Harness, connection: asyncpg.Connection
) -> None:
    """A rollback script that stops before rows come back has left the key enforced; run again, it ends with the key as it was."""
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", delete(KEY))
    await run_script(any_postgres, any_database, replica, plan, ScriptKind.FORWARD)
    half, _, rest = (await plans.render(replica.services, plan.id, ScriptKind.ROLLBACK)).partition("-- Put back")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "half.sql"
        path.write_text(half)
        await any_postgres.program("psql", "-X", "-q", "-d", any_database, "-f", str(path))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(ORPHAN)
    await run_script(any_postgres, any_database, replica, plan, ScriptKind.ROLLBACK)

    assert rest
    assert await state_of(any_postgres, any_database) == before


async def test_new_partition_is_refused_before_the_key_of_the_root(
    any_postgres: Server, any_database: str, replica: Harness, connection: asyncpg.Connection
) -> None:
    """A partition that appears while the plan is applied has no steps: it is named, and the root's key is not added."""
    await connection.execute("ALTER TABLE orders_1 DROP CONSTRAINT mine")
    await replica.register(any_database)
    await replica.audit()
    plan = await replica.plan("shop", delete(KEY))
    before = await state_of(any_postgres, any_database)
    arm("CREATE_INDEX.begun#1=sleep:0.5")
    try:
        job = await migrations.apply(replica.services, CALLER, plan.id)
        await wait_until(connection, "SELECT to_regclass('holdfast.fence') IS NOT NULL")
        await connection.execute("CREATE TABLE orders_3 PARTITION OF orders FOR VALUES FROM (20) TO (30)")
        ended = await replica.end(job)
    finally:
        arm("")
    declared = "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f')"
    assert (ended.state, ended.error_reason) == ("FAILED", "PLAN_DRIFTED")
    assert "public.orders_3: new partition of public.orders" in ended.error_message
    assert not await connection.fetchval(declared)

    await connection.execute("DROP TABLE orders_3")
    await replica.roll_back(ended)
    assert await state_of(any_postgres, any_database) == before
