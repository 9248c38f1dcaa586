"""Applications that build upon each other are undone in the opposite order, and nothing else starts meanwhile."""

import asyncpg
import pytest

from holdfastd.errors import Conflict, Reason, Refused
from holdfastd.flows import migrations, restore
from holdfastd.jobs.model import JobOptions, JobState
from holdfastd.plan.model import OrphanAction, Override
from holdfastd.store import jobs
from integration.execute.scenarios import CUSTOMERS, delete
from support.equality import state_of
from support.harness import CALLER, harness
from support.postgres import Server

RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
ORDERS = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
    """
)


async def test_what_a_later_plan_built_upon_is_not_undone_first(postgres: Server, database: str) -> None:
    """The first plan makes the key and leaves orphan rows, the second takes them and validates it."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    await connection.close()
    async with harness(postgres) as replica:
        await replica.register(database)
        before = await state_of(postgres, database)
        await replica.audit()
        left = Override(relationship_id=RELATIONSHIP, include=True, orphan_action=OrphanAction.LEAVE)
        first = await replica.apply(await replica.plan("shop", left))
        await replica.audit()
        second = await replica.apply(await replica.plan("shop", Override(relationship_id=RELATIONSHIP, orphan_action=OrphanAction.DELETE)))

        with pytest.raises(Refused, match=f"Job {second.id} applied plan .* roll that one back first"):
            await migrations.roll_back(replica.services, CALLER, first.id)
        await replica.roll_back(second)
        await replica.roll_back(first)

        assert await state_of(postgres, database) == before


async def test_a_restore_does_not_look_while_a_rollback_works(postgres: Server, database: str) -> None:
    """Its questions lock rows of the backup, which the rollback needs."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    await connection.close()
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
        rollback = await migrations.roll_back(replica.services, CALLER, application.id)

        with pytest.raises(Conflict, match=f"Job {rollback.id} is changing database shop"):
            await restore.restore(replica.services, CALLER, application.id, JobOptions())
        await replica.succeed(rollback)


async def test_a_store_that_was_restored_does_not_repeat_what_was_undone_since(postgres: Server, database: str) -> None:
    """A backup of the store knows the application as running; the ledger in the database knows that it was rolled back."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    await connection.close()
    async with harness(postgres) as replica:
        await replica.register(database)
        before = await state_of(postgres, database)
        await replica.audit()
        application = await replica.apply(await replica.plan("shop", delete(RELATIONSHIP)))
        await replica.roll_back(application)
        async with replica.services.store.connection() as store:
            await store.execute("DELETE FROM jobs WHERE application_id = $1", application.id)
            await store.execute("UPDATE jobs SET state = 'RUNNING', end_time = NULL, lease_end = now() WHERE id = $1", application.id)
            restored = await jobs.get(store, application.id)

        ended = await replica.end(restored)

        assert (ended.state, ended.error_reason) == (JobState.FAILED, Reason.JOB_STATE)
        assert "worked here after this one" in ended.error_message
        assert await state_of(postgres, database) == before
