"""Rows come back while keys stay: all of them, those whose referenced row is back, or none and the reason why."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import HoldfastError, NotFound, Reason
from holdfastd.execute import roll_back as rollback_module
from holdfastd.flows import restore
from holdfastd.jobs.model import Job, JobOptions
from holdfastd.plan.model import OrphanAction, Override, ScriptKind
from holdfastd.store.jobs import events_after
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

ORDERS = "public.orders(customer_id)->public.customers(id)"
VISITS = "public.visits(customer_id)->public.customers(id)"
SHOP = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id integer, total numeric(10, 2) NOT NULL,
      doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
    CREATE TABLE order_items (id integer PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, note text);
    CREATE TABLE letters (id integer PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE SET NULL);
    CREATE TABLE visits (id integer PRIMARY KEY, customer_id integer);
    INSERT INTO orders (customer_id, total) SELECT n, n FROM generate_series(41, 60) AS n;
    INSERT INTO order_items SELECT n, 1 + n % 20, 'item ' || n FROM generate_series(1, 40) AS n;
    INSERT INTO letters SELECT n, n FROM generate_series(1, 20) AS n;
    INSERT INTO visits SELECT n, n FROM generate_series(41, 60) AS n;
    """
)
#: 10 orders with 2 items and 1 letter each, and 10 visits.
ALL_ROWS = 10 + 20 + 10 + 10
BACK = "INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series({}, {}) AS n"


@pytest.fixture
async def shop(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    await connection.execute(SHOP)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(postgres: Server, database: str, shop: asyncpg.Connection) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        await running.register(database)
        await running.audit()
        yield running


async def apply(replica: Harness, *overrides: Override) -> Job:
    return await replica.apply(await replica.plan("shop", *(overrides or (delete(ORDERS), nullify(VISITS)))))


async def put_back(replica: Harness, application: Job, *relationships: str, relink: bool = False) -> Job:
    options = JobOptions(relationship_ids=relationships, relink=relink)
    return await replica.succeed(await restore.restore(replica.services, CALLER, application.id, options))


async def refused(replica: Harness, application: Job, *relationships: str, relink: bool = False) -> HoldfastError:
    options = JobOptions(relationship_ids=relationships, relink=relink)
    with pytest.raises(HoldfastError) as refusal:
        await restore.restore(replica.services, CALLER, application.id, options)
    return refusal.value


async def kept(connection: asyncpg.Connection) -> int:
    """Count the rows that are in the backup and not back."""
    return int(await connection.fetchval("SELECT count(*) FROM holdfast.backup WHERE restored_by IS NULL"))


async def test_refused_while_a_key_would_reject_rows(replica: Harness, shop: asyncpg.Connection, postgres: Server, database: str) -> None:
    """Counts say how many rows, and how many could be linked again; nothing is touched, not even the ledger."""
    application = await apply(replica)
    await shop.execute(BACK.format(51, 52))
    before, entries = await state_of(postgres, database), await shop.fetch("TABLE holdfast.ledger")
    error = await refused(replica, application)

    # Each customer brings an order back, with two items and a letter, and a visit.
    assert (error.reason, error.facts) == (Reason.RESTORE_REJECTED, {"rejected": str(ALL_ROWS - 10), "relinkable": "10"})
    assert "--relink" in error.message
    assert await state_of(postgres, database) == before
    assert await shop.fetch("TABLE holdfast.ledger") == entries
    assert await kept(shop) == ALL_ROWS


async def test_all_rows_come_back_when_what_they_reference_is_back(
    replica: Harness, shop: asyncpg.Connection, postgres: Server, database: str
) -> None:
    """Row by row as before, under the keys; afterwards there is nothing to put back, and a rollback only drops keys."""
    before = await state_of(postgres, database)
    application = await apply(replica)
    applied = await state_of(postgres, database)
    await shop.execute(BACK.format(51, 60))
    job = await put_back(replica, application)
    state = await state_of(postgres, database)

    assert {name: rows for name, rows in state.rows.items() if "customers" not in name} == {
        name: rows for name, rows in before.rows.items() if "customers" not in name
    }
    assert (state.schema, state.sequences) == (applied.schema, applied.sequences)
    assert (job.kind, job.application_id, await kept(shop)) == ("RESTORE", application.id, 0)
    assert {item.relationship_id: (item.orphan_rows_after, item.backed_up_rows, item.validated) for item in job.verifications} == {
        ORDERS: (0, 0, True),
        VISITS: (0, 0, True),
    }
    assert (await refused(replica, application)).reason is Reason.BACKUP_GONE
    await shop.execute("DELETE FROM holdfast.fence")
    await replica.roll_back(application)
    assert (await state_of(postgres, database)).rows == state.rows


async def test_relinking_brings_back_what_finds_its_row(
    replica: Harness, shop: asyncpg.Connection, postgres: Server, database: str
) -> None:
    """Roots whose customer is back come with all that was taken along; the rest stays and comes back with a rollback, once."""
    before = await state_of(postgres, database)
    application = await apply(replica)
    await shop.execute(BACK.format(51, 53))
    await shop.execute("UPDATE visits SET customer_id = 7 WHERE id = 52")
    await put_back(replica, application, relink=True)

    assert await shop.fetchval("SELECT array_agg(customer_id ORDER BY id) FROM orders") == [*range(41, 54)]
    assert await shop.fetchval("SELECT count(*) FROM order_items") == 26
    assert await shop.fetchval("SELECT count(*) FROM letters WHERE order_id IS NOT NULL") == 13
    # A value that somebody gave since is the application's.
    assert await shop.fetchval("SELECT array_agg(customer_id ORDER BY id) FROM visits WHERE id > 50") == [51, 7, 53] + [None] * 7
    assert await kept(shop) == ALL_ROWS - 3 * 4 - 2
    assert await shop.fetchval("SELECT count(*) FROM holdfast.backup WHERE restored_by = 0") == 0

    await shop.execute("UPDATE visits SET customer_id = NULL WHERE id = 52")
    await replica.roll_back(application)
    await shop.execute("DELETE FROM customers WHERE id > 50")
    assert await state_of(postgres, database) == before


@pytest.mark.slow
async def test_relinking_again_brings_back_more(replica: Harness, shop: asyncpg.Connection) -> None:
    """What stayed in the backup can come later; nothing is inserted twice."""
    application = await apply(replica)
    for last in (51, 53, 60):
        await shop.execute(BACK.format("(SELECT max(id) + 1 FROM customers)", last))
        await put_back(replica, application, relink=True)
        assert await shop.fetchval("SELECT max(customer_id) FROM orders") == last

    assert await shop.fetchval("SELECT count(*) FROM orders") == 20
    assert await kept(shop) == 0
    error = await refused(replica, application, relink=True)
    assert error.reason is Reason.BACKUP_GONE


@pytest.mark.slow
async def test_nothing_to_link_is_refused(replica: Harness, shop: asyncpg.Connection) -> None:
    """Relinking when nothing is back says so."""
    error = await refused(replica, await apply(replica), relink=True)

    assert (error.reason, error.facts["relinkable"]) == (Reason.RESTORE_REJECTED, "0")
    assert await kept(shop) == ALL_ROWS


async def test_only_the_relationships_asked_for(replica: Harness, shop: asyncpg.Connection) -> None:
    """What other cleanups of the plan took stays in the backup; an id that the plan does not know is refused."""
    application = await apply(replica)
    await shop.execute(BACK.format(51, 60))
    await put_back(replica, application, VISITS)

    assert await shop.fetchval("SELECT count(*) FROM visits WHERE customer_id IS NULL") == 0
    assert await shop.fetchval("SELECT count(*) FROM orders") == 10
    assert await kept(shop) == ALL_ROWS - 10
    with pytest.raises(NotFound) as refusal:
        await restore.restore(replica.services, CALLER, application.id, JobOptions(relationship_ids=("public.a(b)->public.c(d)",)))
    assert refusal.value.reason is Reason.RELATIONSHIP_NOT_FOUND


@pytest.mark.parametrize("relink", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_obstacles_of_a_rollback_are_obstacles_here(
    replica: Harness, shop: asyncpg.Connection, postgres: Server, database: str, *, relink: bool
) -> None:
    """An id taken again, a new CHECK: refused as a whole, naming the row, before anything is touched."""
    application = await apply(replica)
    await shop.execute(BACK.format(51, 60))
    await shop.execute("INSERT INTO order_items VALUES (35, 1, 'new')")
    before = await state_of(postgres, database)
    error = await refused(replica, application, relink=relink)
    assert (error.reason, await state_of(postgres, database)) == (Reason.ROLLBACK_NOT_EXACT, before)
    assert "public.order_items: taken again: (id)=(35)" in error.message

    await shop.execute("DELETE FROM order_items WHERE note = 'new'; ALTER TABLE orders ADD CONSTRAINT small CHECK (total < 58)")
    assert "public.orders: small forbids" in (await refused(replica, application, relink=relink)).message
    await shop.execute("ALTER TABLE orders DROP CONSTRAINT small; UPDATE holdfast.backup SET row_image = '(1,2' WHERE action = 'DELETE'")
    assert "no row of its table" in (await refused(replica, application, relink=relink)).message


@pytest.mark.slow
async def test_without_its_key_a_row_comes_back_an_orphan(replica: Harness, shop: asyncpg.Connection) -> None:
    """Only enforced keys reject rows; relinking still asks for the referenced row."""
    application = await apply(replica, delete(ORDERS))
    key = next(item.constraint_name for item in application.verifications if item.relationship_id == ORDERS)
    await shop.execute(f"ALTER TABLE orders DROP CONSTRAINT {key}")
    await shop.execute(BACK.format(51, 52))
    await put_back(replica, application, ORDERS, relink=True)
    assert await shop.fetchval("SELECT max(customer_id) FROM orders") == 52

    job = await put_back(replica, application, ORDERS)
    assert await shop.fetchval("SELECT count(*) FROM orders") == 20
    assert next(item.orphan_rows_after for item in job.verifications if item.relationship_id == ORDERS) == 8


async def test_repointed_rows_are_linked_again(replica: Harness, shop: asyncpg.Connection) -> None:
    """The old value comes back where the column still holds what the cleanup put there."""
    repoint = Override(
        relationship_id=VISITS, include=True, on_delete=OnDelete.RESTRICT, orphan_action=OrphanAction.REPOINT, repoint_to=("1",)
    )
    application = await apply(replica, repoint)
    await shop.execute(BACK.format(51, 53))
    await shop.execute("UPDATE visits SET customer_id = 2 WHERE id = 51")
    await put_back(replica, application, relink=True)

    assert await shop.fetchval("SELECT array_agg(customer_id ORDER BY id) FROM visits WHERE id > 50") == [2, 52, 53] + [1] * 7


async def test_a_tree_comes_back_from_its_root(postgres: Server, database: str) -> None:
    """Rows that reference each other come back together, level by level, and only where the chain is whole."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        """
        CREATE TABLE categories (id integer PRIMARY KEY, parent_id integer, name text);
        INSERT INTO categories SELECT n, nullif(n / 2, 0), 'category ' || n FROM generate_series(1, 63) AS n;
        DELETE FROM categories WHERE id IN (4, 5);
        """
    )
    before = await state_of(postgres, database)
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        application = await apply(replica, delete("public.categories(parent_id)->public.categories(id)"))
        assert await connection.fetchval("SELECT count(*) FROM categories") == 63 - 2 * 15
        await connection.execute("INSERT INTO categories VALUES (5, 2, 'category 5')")
        await put_back(replica, application, relink=True)
        assert await connection.fetchval("SELECT count(*) FROM categories") == 63 - 15
        await replica.roll_back(application)
        await connection.execute("DELETE FROM categories WHERE id = 5")
    await connection.close()
    assert (await state_of(postgres, database)).rows == before.rows


@pytest.mark.slow
async def test_user_triggers_do_not_fire_on_rows_that_come_back(replica: Harness, shop: asyncpg.Connection) -> None:
    """A restored row is what it was, not what a trigger makes of it; the trigger is on again afterwards."""
    application = await apply(replica)
    await shop.execute(
        """
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'spoiled'; RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON order_items FOR EACH ROW EXECUTE FUNCTION spoil();
        """
    )
    await shop.execute(BACK.format(51, 60))
    await put_back(replica, application)

    assert await shop.fetchval("SELECT count(*) FROM order_items WHERE note = 'item ' || id") == 40
    assert await shop.fetchval("SELECT tgenabled FROM pg_trigger WHERE tgname = 'spoil'") == b"O"


@pytest.mark.slow
async def test_the_same_request_starts_one_restore(replica: Harness, shop: asyncpg.Connection) -> None:
    """Repeating a request returns its job, also when nothing is left to put back; other options are another request."""
    application = await apply(replica)
    await shop.execute(BACK.format(51, 60))
    caller = type(CALLER)(principal=CALLER.principal, request_id="123e4567-e89b-12d3-a456-426614174000")
    first = await replica.succeed(await restore.restore(replica.services, caller, application.id, JobOptions()))
    again = await restore.restore(replica.services, caller, application.id, JobOptions())

    assert (again.id, again.state) == (first.id, "SUCCEEDED")
    with pytest.raises(HoldfastError) as refusal:
        await restore.restore(replica.services, caller, application.id, JobOptions(relink=True))
    assert refusal.value.reason is Reason.REQUEST_ID_REUSED


async def test_scripts_put_back_only_what_is_not_back(replica: Harness, shop: asyncpg.Connection, postgres: Server, database: str) -> None:
    """Restore and rollback script leave alone what the service put back, and both run on a ledger that the service made."""
    before = await state_of(postgres, database)
    plan = await replica.plan("shop", delete(ORDERS), nullify(VISITS))
    application = await replica.apply(plan)
    await shop.execute(BACK.format(51, 53))
    await put_back(replica, application, relink=True)
    for item in application.verifications:
        table = item.relationship_id.partition("(")[0]
        await shop.execute(f"ALTER TABLE {table} DROP CONSTRAINT {item.constraint_name}")
    for kind in (ScriptKind.RESTORE, ScriptKind.RESTORE, ScriptKind.ROLLBACK):
        await run_script(postgres, database, replica, plan, kind)
    await shop.execute("DELETE FROM customers WHERE id > 50")

    assert await kept(shop) == 0
    assert await state_of(postgres, database) == before


async def test_values_changed_amid_a_rollback_stay(replica: Harness, shop: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look for obstacles and the batch an application may write: its value wins over ours, and an event says so."""
    application = await apply(replica)
    put = rollback_module.leave_changed

    async def write_first(connection: asyncpg.Connection, *arguments: Any) -> None:
        await shop.execute("UPDATE visits SET customer_id = 7 WHERE id = 52")
        await put(connection, *arguments)

    monkeypatch.setattr(rollback_module, "leave_changed", write_first)
    job = await replica.roll_back(application)
    async with replica.services.store.connection() as store:
        told = [event.happening.message for event in await events_after(store, job.id, 0, 100)]

    assert await shop.fetchval("SELECT array_agg(customer_id ORDER BY id) FROM visits WHERE id > 50") == [51, 7, *range(53, 61)]
    assert [message for message in told if "1 value(s) were changed by others" in message]
    assert await kept(shop) == 0
