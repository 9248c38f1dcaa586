"""What backups there are, who may read them, and deleting them for good."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from holdfastd.errors import HoldfastError, Reason
from holdfastd.execute import backups as executed
from holdfastd.execute.session import LOCK_CLASS, LOCK_KEY
from holdfastd.flows import audit_log, backups, migrations, restore
from holdfastd.flows.context import Caller
from holdfastd.jobs.model import Job, JobOptions
from holdfastd.plan.conditions import ledger_exists
from holdfastd.plan.model import ScriptKind
from holdfastd.plan.steps.prepare import ledger_ddl
from holdfastd.store import plans
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
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
    CREATE TABLE visits (id integer PRIMARY KEY, customer_id integer);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
    INSERT INTO visits SELECT n, n FROM generate_series(41, 60) AS n;
    """
)
MONTH = timedelta(days=30)
NO_TIME = timedelta()


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


@pytest.fixture
async def applied(replica: Harness) -> Job:
    """An application that took 10 orders and 10 values of visits away."""
    return await replica.apply(await replica.plan("shop", delete(ORDERS), nullify(VISITS)))


async def purge(
    replica: Harness, plan_id: str = "", older_than: timedelta = NO_TIME, caller: Caller = CALLER
) -> tuple[executed.Backup, ...]:
    return await backups.purge_backups(replica.services, caller, "shop", plan_id, older_than)


async def reason_of(awaitable: object) -> HoldfastError:
    with pytest.raises(HoldfastError) as refusal:
        await awaitable  # type: ignore[misc]
    return refusal.value


async def test_backups_are_counted_by_table(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """What is back is counted apart; a plan that took nothing has no backup."""
    await shop.execute("INSERT INTO customers SELECT n, 'back' FROM generate_series(51, 54) AS n")
    await replica.succeed(await restore.restore(replica.services, CALLER, applied.id, JobOptions(relink=True, relationship_ids=(ORDERS,))))
    (backup,) = await backups.list_page(replica.services, "shop", 0, 10)

    assert (backup.plan_id, backup.rows, backup.restored_rows) == (applied.plan_id, 16, 4)
    assert backup.tables == (("public.orders", 6), ("public.visits", 10))
    assert backup.first_time < backup.last_time
    assert backup.purge_time is None
    assert await backups.list_page(replica.services, "shop", backup.position, 10) == ()


async def test_purging_keeps_what_is_young(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """By the target's clock; a plan that is named is refused, one that is not is passed over."""
    error = await reason_of(purge(replica, applied.plan_id, MONTH))
    assert error.reason is Reason.BACKUP_RETAINED
    assert error.facts["keep_until"] > str(applied.create_time)
    assert await purge(replica, "", MONTH) == ()
    assert await shop.fetchval("SELECT count(*) FROM holdfast.backup") == 20

    await shop.execute("UPDATE holdfast.ledger SET written_at = written_at - interval '30 days'")
    (purged,) = await purge(replica, "", MONTH)
    assert (purged.plan_id, purged.rows, purged.tables) == (applied.plan_id, 20, (("public.orders", 10), ("public.visits", 10)))
    assert purged.purge_time is not None
    assert (await reason_of(purge(replica, "plan-0650a1b2c3d4e5f60718", MONTH))).reason is Reason.BACKUP_GONE


async def test_what_was_purged_cannot_come_back(
    replica: Harness, shop: asyncpg.Connection, applied: Job, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rollback and restore are refused before anything is touched and say since when; ledger and audit log know how many rows went."""
    before = await state_of(postgres, database)
    # Both cleanups have a batch of 10 rows: each goes in a transaction of its own.
    monkeypatch.setattr(executed, "_CHUNK_ROWS", 10)
    await purge(replica, applied.plan_id)

    assert await shop.fetchval("SELECT count(*) FROM holdfast.backup") == 0
    assert [tuple(row) for row in await shop.fetch("SELECT plan_id, row_count FROM holdfast.ledger WHERE entry = 'PURGED'")] == [
        (applied.plan_id, 10),
        (applied.plan_id, 10),
    ]
    for refused in (
        migrations.roll_back(replica.services, CALLER, applied.id),
        restore.restore(replica.services, CALLER, applied.id, JobOptions()),
        restore.restore(replica.services, CALLER, applied.id, JobOptions(relink=True, relationship_ids=(VISITS,))),
    ):
        error = await reason_of(refused)
        assert error.reason is Reason.BACKUP_GONE
        assert error.facts["purge_time"] in error.message
    async with replica.services.store.connection() as connection:
        plan = await plans.get(connection, applied.plan_id)
    with pytest.raises(RuntimeError, match="rows of the backup were purged at"):
        await run_script(postgres, database, replica, plan, ScriptKind.ROLLBACK)
    assert await state_of(postgres, database) == before
    entries = {entry.action: entry for entry in await audit_log.list_page(replica.services, "shop", 0, 100) if entry.outcome == "OK"}
    for action in ("backup.purge", "backup.purged"):
        assert dict(entries[action].details) == {"plans": "1", "rows": "20", applied.plan_id: "20"}
    (backup,) = await backups.list_page(replica.services, "shop", 0, 10)
    assert (backup.rows, backup.restored_rows, backup.tables) == (0, 0, ())
    assert backup.purge_time is not None


@pytest.mark.slow
async def test_images_of_rows_that_are_back_are_not_missed(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """A rollback that needs nothing of what was purged works."""
    await shop.execute("INSERT INTO customers SELECT n, 'back' FROM generate_series(51, 60) AS n")
    await replica.succeed(await restore.restore(replica.services, CALLER, applied.id, JobOptions()))
    (purged,) = await purge(replica)
    assert (purged.rows, purged.restored_rows) == (0, 20)

    await replica.roll_back(applied)
    assert await shop.fetchval("SELECT count(*) FROM orders") == 20
    assert await shop.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 0


@pytest.mark.slow
async def test_the_same_request_purges_once(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """Repeating a request returns what it purged, and touches nothing that came since; without an id there is nothing left."""
    caller = Caller(principal=CALLER.principal, request_id="123e4567-e89b-12d3-a456-426614174000")
    first = await purge(replica, applied.plan_id, caller=caller)
    await shop.execute("UPDATE holdfast.backup SET restored_by = restored_by")

    assert await purge(replica, applied.plan_id, caller=caller) == first
    assert first[0].rows == 20
    assert await purge(replica, applied.plan_id) == ()
    assert await shop.fetchval("SELECT count(*) FROM holdfast.ledger WHERE entry = 'PURGED'") == 1


@pytest.mark.slow
async def test_nothing_is_purged_while_a_job_changes_the_database(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """Neither one of this store nor one of another Holdfast, which only the lock in the target tells."""
    await shop.fetchval("SELECT pg_advisory_lock($1, $2)", LOCK_CLASS, LOCK_KEY)
    assert (await reason_of(purge(replica))).reason is Reason.DATABASE_BUSY

    rollback = await migrations.roll_back(replica.services, CALLER, applied.id)
    error = await reason_of(purge(replica))
    assert (error.reason, error.facts["job_id"]) == (Reason.DATABASE_BUSY, rollback.id)
    assert await shop.fetchval("SELECT count(*) FROM holdfast.backup WHERE restored_by IS NULL") == 20
    await shop.fetchval("SELECT pg_advisory_unlock($1, $2)", LOCK_CLASS, LOCK_KEY)
    await replica.succeed(rollback)


#: What the first version made of the parts that have changed since.
OLD_LEDGER = """
ALTER TABLE holdfast.ledger DROP COLUMN purged_by, DROP COLUMN gone_rows, DROP CONSTRAINT ledger_entry_check;
ALTER TABLE holdfast.ledger ADD CHECK (entry IN ('INTENT', 'DONE', 'BATCH', 'RESTORED', 'UNDONE'));
"""


async def test_a_ledger_of_the_first_version_is_brought_up_to_date(replica: Harness, shop: asyncpg.Connection, applied: Job) -> None:
    """Rolling back works with it as it is; purging and preparing teach it what purging is."""
    await shop.execute(OLD_LEDGER)
    assert not await shop.fetchval(ledger_exists())
    await replica.roll_back(applied)
    (purged,) = await purge(replica)
    assert (purged.rows, purged.restored_rows) == (0, 20)
    assert await shop.fetchval(ledger_exists())

    await shop.execute("DELETE FROM holdfast.ledger WHERE entry = 'PURGED'")
    await shop.execute(OLD_LEDGER)
    await replica.audit()
    await replica.apply(await replica.plan("shop", delete(ORDERS), nullify(VISITS)))
    assert await shop.fetchval(ledger_exists())
    assert len(await purge(replica)) == 1


async def test_only_the_owner_may_read_backups(postgres: Server, replica: Harness, shop: asyncpg.Connection) -> None:
    """Whatever default privileges hand out, schema, tables and sequences belong to their owner alone; and they survive crashes."""
    await shop.execute("CREATE ROLE curious LOGIN")
    try:
        for kind in ("SCHEMAS", "TABLES", "SEQUENCES"):
            await shop.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO curious WITH GRANT OPTION")
            await shop.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO PUBLIC")
        await replica.apply(await replica.plan("shop", delete(ORDERS), nullify(VISITS)))
        rights = await shop.fetch(
            """
            SELECT given.grantee::regrole::text AS grantee FROM pg_namespace, aclexplode(nspacl) AS given
              WHERE nspname = 'holdfast' AND given.grantee <> nspowner
            UNION SELECT given.grantee::regrole::text FROM pg_class, aclexplode(relacl) AS given
              WHERE relnamespace = 'holdfast'::regnamespace AND given.grantee <> relowner
            """
        )
        assert rights == []
        assert (
            await shop.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'holdfast'::regnamespace AND relkind IN ('r', 'S')")
            == 5
        )
        await shop.execute("SET ROLE curious")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await shop.fetch("TABLE holdfast.backup")
        await shop.execute("RESET ROLE")
    finally:
        await shop.execute("RESET ROLE; DROP OWNED BY curious; DROP ROLE curious")


async def test_an_unlogged_backup_is_noticed_and_cured(shop: asyncpg.Connection) -> None:
    """PostgreSQL empties unlogged tables after a crash: preparing is not done before they are logged."""
    for _ in range(2):
        for statement in ledger_ddl():
            await shop.execute(statement)
        assert await shop.fetchval(ledger_exists())
        assert not await shop.fetchval("SELECT bool_or(relpersistence <> 'p') FROM pg_class WHERE relnamespace = 'holdfast'::regnamespace")
        await shop.execute("ALTER TABLE holdfast.backup SET UNLOGGED; ALTER TABLE holdfast.ledger SET UNLOGGED")
        assert not await shop.fetchval(ledger_exists())
