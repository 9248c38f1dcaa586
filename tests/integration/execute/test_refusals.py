"""Rollbacks that could not be exact are refused as a whole, before anything is touched, and say which rows."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.flows import migrations
from holdfastd.jobs.model import Job
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

SHOP = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, number text UNIQUE);
    INSERT INTO orders SELECT n, n, 'number ' || n FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"


@pytest.fixture
async def replica(postgres: Server, database: str) -> AsyncIterator[Harness]:
    connection = await asyncpg.connect(database)
    await connection.execute(SHOP)
    await connection.close()
    async with harness(postgres) as running:
        await running.register(database)
        await running.audit()
        yield running


async def refused(replica: Harness, postgres: Server, database: str, application: Job) -> str:
    """Try to roll back, make sure that it is refused and that nothing was touched, and return the details."""
    before = await state_of(postgres, database)
    with pytest.raises(Refused) as refusal:
        await migrations.roll_back(replica.services, CALLER, application.id)
    assert refusal.value.reason is Reason.ROLLBACK_NOT_EXACT
    assert await state_of(postgres, database) == before
    return refusal.value.facts["details"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("INSERT INTO orders VALUES (55, 1, 'new')", "public.orders: taken again: (id)=(55)"),
        ("INSERT INTO orders VALUES (1, 1, 'number 56')", "public.orders: taken again: (number)=(number 56)"),
        ("ALTER TABLE orders ADD COLUMN note text", "public.orders: its columns changed"),
        ("ALTER TABLE orders ALTER customer_id TYPE bigint", "public.orders: its columns changed"),
        ("DROP TABLE orders CASCADE", "public.orders"),
        ("DELETE FROM holdfast.backup WHERE row_image LIKE '(55,%'", "holds 9 of 10 rows"),
        ("DROP SCHEMA holdfast CASCADE", "schema holdfast is gone"),
    ],
)
async def test_deleted_rows_that_cannot_come_back(replica: Harness, postgres: Server, database: str, change: str, named: str) -> None:
    """An id or unique value taken again, changed columns, a damaged backup: refused."""
    application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
    connection = await asyncpg.connect(database)
    await connection.execute(change)
    await connection.close()

    assert named in await refused(replica, postgres, database, application)


async def test_nulled_values_that_somebody_changed(replica: Harness, postgres: Server, database: str) -> None:
    """A value given to a column that we had set NULL is the application's: refused, naming the row's key."""
    application = await replica.apply(await replica.plan("shop", nullify(RELATIONSHIP)))
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE orders SET customer_id = 3 WHERE id = 57")
    await connection.close()

    assert "public.orders: changed since: (id)=(57)" in await refused(replica, postgres, database, application)


async def test_changes_of_the_application_stay(replica: Harness, database: str) -> None:
    """Other columns changed and rows deleted since stay so; our change is undone around them."""
    application = await replica.apply(await replica.plan("shop", nullify(RELATIONSHIP)))
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE orders SET number = 'renamed' WHERE id = 57")
    await connection.execute("DELETE FROM orders WHERE id = 58")
    await replica.roll_back(application)
    rows = await connection.fetch("SELECT id, customer_id, number FROM orders WHERE id IN (56, 57, 58) ORDER BY id")
    await connection.close()

    assert [tuple(row) for row in rows] == [(56, 56, "number 56"), (57, 57, "renamed")]
