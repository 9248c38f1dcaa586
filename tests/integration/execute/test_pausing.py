"""A job that somebody pauses, that is held back, or that is cancelled: what it holds meanwhile, what it says, what it leaves."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from holdfastd.flows import jobs, migrations
from holdfastd.flows.context import Services
from holdfastd.flows.runners import runners
from holdfastd.jobs.model import Event, EventKind, Job, JobKind, JobOptions, JobState, Throttle
from holdfastd.jobs.worker import Worker
from holdfastd.plan.model import StepKind
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import CUSTOMERS, delete
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

SHOP = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 58) AS n;
    """
)
ORPHANS = 8
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
#: What makes a step wait: another session's lock.
IN_THE_WAY = {
    StepKind.CREATE_INDEX: "LOCK TABLE orders IN ROW EXCLUSIVE MODE",
    StepKind.ADD_FOREIGN_KEY: "LOCK TABLE customers IN ROW EXCLUSIVE MODE",
    StepKind.CLEAN_UP: "SELECT FROM orders WHERE id = 58 FOR UPDATE",
    StepKind.VALIDATE_FOREIGN_KEY: "LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE",
}
WAITS = (EventKind.LOCK_WAIT, EventKind.RETRY, EventKind.HELD_BACK)


@pytest.fixture
async def replica(postgres: Server, database: str) -> AsyncIterator[Harness]:
    connection = await asyncpg.connect(database)
    await connection.execute(SHOP)
    await connection.close()
    async with harness(postgres) as running:
        await running.register(database)
        await running.audit()
        yield running


@pytest.fixture
async def plan(replica: Harness) -> PlanRecord:
    return await replica.plan("shop", delete(RELATIONSHIP))


@asynccontextmanager
async def in_the_way(database: str, statement: str) -> AsyncIterator[None]:
    """Hold a lock, in a transaction of an application, until the block ends."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def crowd(database: str) -> AsyncIterator[None]:
    """Sessions that work, more than MODEST lets pass."""
    connections = [await asyncpg.connect(database) for _ in range(8)]
    working = [asyncio.create_task(connection.execute("SELECT pg_sleep(60)")) for connection in connections]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for connection in connections:
            await connection.close()


MODEST = JobOptions(throttle=Throttle(max_active_sessions=6))


async def now(replica: Harness, job: Job) -> Job:
    return await jobs.get(replica.services, job.id)


async def told(replica: Harness, job: Job, is_it: Callable[[Event], bool]) -> Event:
    """The first event that is it, from the job's beginning."""
    async with asyncio.timeout(20):
        async for event in replica.events(job):
            if is_it(event):
                return event
    raise AssertionError


async def messages(replica: Harness, job: Job, kind: EventKind) -> list[str]:
    return [event.happening.message async for event in replica.events(job) if event.happening.kind is kind]


async def our_sessions(database: str) -> list[tuple[str, int]]:
    """State and number of locked relations of every session of Holdfast in the target."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("""
            SELECT state, (SELECT count(*) FROM pg_locks AS held WHERE held.pid = activity.pid AND held.locktype <> 'advisory') AS locks
            FROM pg_stat_activity AS activity
            WHERE datname = current_database() AND application_name LIKE 'holdfast/%'
        """)
    finally:
        await connection.close()
    return [(row["state"], row["locks"]) for row in rows]


async def pause_during(replica: Harness, database: str, plan: PlanRecord, kind: StepKind) -> Job:
    """Apply, ask to pause while a step waits for a lock, and return the job once it holds still, no longer waiting for it."""
    step = next(step for step in plan.plan.steps if step.kind is kind)
    async with in_the_way(database, IN_THE_WAY[kind]):
        job = await migrations.apply(replica.services, CALLER, plan.id)
        await told(replica, job, lambda event: event.happening.kind in WAITS and event.happening.step == step.number)
        await jobs.pause(replica.services, CALLER, job.id)
        await told(replica, job, lambda event: event.happening.message.startswith("Paused by"))
        return await now(replica, job)


async def test_a_paused_application_holds_nothing_and_goes_on(postgres: Server, database: str, replica: Harness, plan: PlanRecord) -> None:
    """Its key stays NOT VALID meanwhile; writers are not in its way, nor is it in theirs."""
    before = await state_of(postgres, database)
    paused = await pause_during(replica, database, plan, StepKind.ADD_FOREIGN_KEY)
    sessions = await our_sessions(database)
    again = await jobs.pause(replica.services, CALLER, paused.id)
    await jobs.resume(replica.services, CALLER, paused.id)
    ended = await replica.end(paused)
    held = await messages(replica, paused, EventKind.HELD_BACK)
    await replica.roll_back(ended)

    assert (paused.state, paused.pause_requested) == (JobState.RUNNING, True)
    assert paused.progress.waiting_for == "paused by test@localhost"
    assert sessions == [("idle", 0), ("idle", 0)]
    assert again == paused
    assert (ended.state, ended.pause_requested, ended.progress.waiting_for) == (JobState.SUCCEEDED, False, "")
    assert held.count("Paused by test@localhost; nothing is locked.") == 1
    assert re.search(r"Goes on after a pause of \d+\.\d s\.", " ".join(await messages(replica, paused, EventKind.RESUMED)))
    assert await state_of(postgres, database) == before


async def test_pausing_and_resuming_are_in_the_audit_log(database: str, replica: Harness, plan: PlanRecord) -> None:
    paused = await pause_during(replica, database, plan, StepKind.CLEAN_UP)
    await jobs.resume(replica.services, CALLER, paused.id)
    await replica.succeed(paused)
    async with replica.services.store.connection() as connection:
        rows = await connection.fetch("SELECT action, outcome FROM audit_log WHERE subject = $1 ORDER BY sequence", paused.id)

    assert [tuple(row) for row in rows] == [("job.pause", "OK"), ("job.resume", "OK"), ("plan.applied", "OK")]


async def test_a_paused_job_stays_paused_when_the_service_starts_again(
    postgres: Server, database: str, replica: Harness, plan: PlanRecord
) -> None:
    """The next worker takes it up, connects, and waits as the last one did."""
    paused = await pause_during(replica, database, plan, StepKind.ADD_FOREIGN_KEY)
    replica.leaving.set()
    await told(replica, paused, lambda event: event.happening.message.startswith("Paused by"))
    async with another_worker(replica.services):
        await told(replica, paused, lambda event: event.happening.message == "Taken up again by another.")
        held = await once(replica, paused, lambda job: job.epoch == 2 and bool(job.progress.waiting_for))
        sessions = await our_sessions(database)
        await jobs.resume(replica.services, CALLER, paused.id)
        ended = await replica.end(paused)

    assert (held.state, held.pause_requested, held.lost_workers) == (JobState.RUNNING, True, 0)
    assert sessions == [("idle", 0), ("idle", 0)]
    assert ended.state is JobState.SUCCEEDED


@asynccontextmanager
async def another_worker(services: Services) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    worker = Worker(services.store, "another", runners(services), poll=timedelta(seconds=0.1))
    running = asyncio.create_task(worker.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


async def once(replica: Harness, job: Job, is_so: Callable[[Job], bool]) -> Job:
    """The job once it is so."""
    async with asyncio.timeout(20):
        while not is_so(found := await now(replica, job)):
            await asyncio.sleep(0.05)
        return found


async def test_a_queued_job_can_be_paused_too(replica: Harness, plan: PlanRecord) -> None:
    """It is not begun; resuming lets it begin at once."""
    replica.leaving.set()
    job = await migrations.apply(replica.services, CALLER, plan.id)
    paused = await jobs.pause(replica.services, CALLER, job.id)
    async with another_worker(replica.services):
        await asyncio.sleep(0.5)
        untouched = await now(replica, job)
        await jobs.resume(replica.services, CALLER, job.id)
        ended = await replica.end(job)

    assert paused.progress.waiting_for == "paused by test@localhost"
    assert (untouched.state, untouched.epoch) == (JobState.QUEUED, 0)
    assert ended.state is JobState.SUCCEEDED


async def test_a_busy_server_holds_an_application_back(database: str, replica: Harness, plan: PlanRecord) -> None:
    """The reason is told once, and that it goes on; the application waits with nothing locked."""
    async with crowd(database):
        job = await migrations.apply(replica.services, CALLER, plan.id, MODEST)
        await told(replica, job, lambda event: event.happening.kind is EventKind.HELD_BACK)
        held = await now(replica, job)
        sessions = await our_sessions(database)
        await asyncio.sleep(1.5)
    ended = await replica.end(job)
    reasons = await messages(replica, job, EventKind.HELD_BACK)

    assert re.fullmatch(r"\d+ other sessions are active \(limit 6\)", held.progress.waiting_for)
    assert sessions == [("idle", 0), ("idle", 0)]
    assert (ended.state, ended.progress.waiting_for) == (JobState.SUCCEEDED, "")
    assert reasons == [f"Held back: {held.progress.waiting_for}."]
    assert "Goes on after having been held back for " in " ".join(await messages(replica, job, EventKind.RESUMED))


async def test_a_busy_server_holds_a_cleanup_back_between_two_batches(database: str, replica: Harness, plan: PlanRecord) -> None:
    """The batch that runs is finished; the next one waits."""
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO orders SELECT n, n FROM generate_series(1001, 1900) AS n")
    async with AsyncExitStack() as busy:
        async with in_the_way(database, IN_THE_WAY[StepKind.CLEAN_UP]):
            job = await migrations.apply(replica.services, CALLER, plan.id, MODEST)
            await told(replica, job, lambda event: event.happening.kind in WAITS)
            await busy.enter_async_context(crowd(database))
            # What was seen before the crowd came holds for a second.
            await asyncio.sleep(1)
        await told(replica, job, lambda event: event.happening.kind is EventKind.HELD_BACK)
        held = await now(replica, job)
        saved = await connection.fetchval("SELECT count(*) FROM holdfast.backup")
    await connection.close()
    ended = await replica.succeed(job)

    assert held.progress.activity.startswith("Clean up")
    assert 0 < saved < 900 + ORPHANS
    assert ended.verifications[0].backed_up_rows == 900 + ORPHANS


async def cancel_while_it_waits(database: str, replica: Harness, plan: PlanRecord, kind: StepKind) -> Job:
    """Cancel an application, twice, while a step of it waits for a lock; return the job as it ended."""
    step = next(step for step in plan.plan.steps if step.kind is kind)
    is_late = kind is StepKind.VALIDATE_FOREIGN_KEY
    # What is in the way of the validation would be in the way of the index, too: it comes while the application is paused.
    job = await pause_during(replica, database, plan, StepKind.CLEAN_UP) if is_late else None
    async with in_the_way(database, IN_THE_WAY[kind]):
        job = await jobs.resume(replica.services, CALLER, job.id) if job else await migrations.apply(replica.services, CALLER, plan.id)
        await told(replica, job, lambda event: event.happening.kind in WAITS and event.happening.step == step.number)
        await jobs.cancel(replica.services, CALLER, job.id)
        await jobs.cancel(replica.services, CALLER, job.id)
        if kind is not StepKind.CREATE_INDEX:
            return await asyncio.wait_for(replica.end(job), timeout=5)
        await stopped_building(database)
    # Dropping a half-built index waits for whoever was in the way of building it.
    return await asyncio.wait_for(replica.end(job), timeout=20)


async def stopped_building(database: str) -> None:
    connection = await asyncpg.connect(database)
    building = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
    try:
        async with asyncio.timeout(5):
            while await connection.fetchval(building):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


FK = "1 key NOT VALID (fk_orders_customer)"
INDEX = "1 index (orders_customer_idx)"
#: What is in force when a step is cancelled while it waits; the plan's steps: prepare, index, key, cleanup, validation, verification.
CANCELLED = {
    StepKind.CREATE_INDEX: "Cancelled after step 1 of 6. No key and no index of the plan is in force.",
    StepKind.ADD_FOREIGN_KEY: f"Cancelled after step 2 of 6. In force now: {INDEX}.",
    StepKind.CLEAN_UP: f"Cancelled after step 3 of 6. In force now: {FK}, {INDEX}.",
    StepKind.VALIDATE_FOREIGN_KEY: f"Cancelled after step 4 of 6. In force now: {FK}, {INDEX}; {ORPHANS} rows are in the backup.",
}


SLOW = {StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in CANCELLED])
async def test_a_cancelled_application_says_what_is_in_force_and_can_go_on(
    postgres: Server, database: str, replica: Harness, plan: PlanRecord, kind: StepKind
) -> None:
    """Nothing half-made stays; applying again completes it; rolling that back makes all equal."""
    before = await state_of(postgres, database)
    cancelled = await cancel_while_it_waits(database, replica, plan, kind)
    sessions, left = await our_sessions(database), await invalid_indexes(database)
    said = (await messages(replica, cancelled, EventKind.ENDED))[-1]
    applied = await replica.apply(plan)
    await replica.roll_back(applied)

    assert (cancelled.state, cancelled.error_reason, said) == (JobState.CANCELLED, "", cancelled.error_message)
    assert said.startswith(CANCELLED[kind])
    assert f"To go on, apply the plan again: `holdfast apply {plan.id}`" in said
    assert (sessions, left) == ([], 0)
    assert applied.verifications[0].backed_up_rows == ORPHANS
    assert await state_of(postgres, database) == before


async def invalid_indexes(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)"))
    finally:
        await connection.close()


@pytest.mark.slow
async def test_a_key_that_was_there_before_is_nothing_of_ours(database: str, replica: Harness) -> None:
    """It was not validated before, and is not after cancelling."""
    connection = await asyncpg.connect(database)
    key = "FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID"
    await connection.execute(f"ALTER TABLE orders ADD CONSTRAINT theirs {key}")
    await connection.close()
    await replica.audit()
    plan = await replica.plan("shop")
    cancelled = await cancel_while_it_waits(database, replica, plan, StepKind.VALIDATE_FOREIGN_KEY)

    assert f" In force now: {INDEX}; {ORPHANS} rows are in the backup. " in cancelled.error_message


async def test_cancelling_a_paused_application_ends_it_at_once(postgres: Server, database: str, replica: Harness, plan: PlanRecord) -> None:
    before = await state_of(postgres, database)
    paused = await pause_during(replica, database, plan, StepKind.CLEAN_UP)
    await jobs.cancel(replica.services, CALLER, paused.id)
    cancelled = await asyncio.wait_for(replica.end(paused), timeout=3)
    await replica.roll_back(cancelled)

    assert (cancelled.state, cancelled.pause_requested, cancelled.progress.waiting_for) == (JobState.CANCELLED, False, "")
    assert cancelled.error_message == (
        f"Cancelled after step 3 of 6. In force now: {FK}, {INDEX}."
        f" To go on, apply the plan again: `holdfast apply {plan.id}`; to undo it, roll back: `holdfast rollback {cancelled.id}`."
    )
    assert await state_of(postgres, database) == before


async def test_cancelling_what_is_held_back_ends_it_at_once(database: str, replica: Harness, plan: PlanRecord) -> None:
    """Before the first step: there is nothing to undo, and it does not offer to."""
    async with crowd(database):
        job = await migrations.apply(replica.services, CALLER, plan.id, MODEST)
        await told(replica, job, lambda event: event.happening.kind is EventKind.HELD_BACK)
        await jobs.cancel(replica.services, CALLER, job.id)
        cancelled = await asyncio.wait_for(replica.end(job), timeout=3)

    assert cancelled.error_message == (
        "Cancelled before the first step was done. No key and no index of the plan is in force."
        f" To go on, apply the plan again: `holdfast apply {plan.id}`."
    )


async def test_a_cancelled_rollback_says_what_is_left_and_can_go_on(
    postgres: Server, database: str, replica: Harness, plan: PlanRecord
) -> None:
    """The key is gone, the rows are not back yet: paused, then cancelled there."""
    before = await state_of(postgres, database)
    applied = await replica.apply(plan)
    async with in_the_way(database, "LOCK TABLE orders IN ROW EXCLUSIVE MODE"):
        rollback = await migrations.roll_back(replica.services, CALLER, applied.id)
        await told(replica, rollback, lambda event: event.happening.kind in WAITS)
        await jobs.pause(replica.services, CALLER, rollback.id)
        paused = await told(replica, rollback, lambda event: event.happening.message.startswith("Paused by"))
    async with in_the_way(database, "LOCK TABLE holdfast.backup IN SHARE MODE"):
        await jobs.resume(replica.services, CALLER, rollback.id)
        await told(replica, rollback, lambda event: event.sequence > paused.sequence and event.happening.kind in WAITS)
        await jobs.cancel(replica.services, CALLER, rollback.id)
        cancelled = await asyncio.wait_for(replica.end(rollback), timeout=3)
    await replica.roll_back(applied)

    assert cancelled.state is JobState.CANCELLED
    assert re.match(r"Cancelled after part 1 of \d\. ", cancelled.error_message)
    assert cancelled.error_message.endswith(
        f" Still in force: {INDEX}; {ORPHANS} rows are still in the backup. To go on, roll back again: `holdfast rollback {applied.id}`."
    )
    assert await state_of(postgres, database) == before


async def test_a_failed_application_says_what_is_in_force(database: str, replica: Harness, plan: PlanRecord) -> None:
    """A trigger that appears while the application is paused, and forbids what it is to do."""
    paused = await pause_during(replica, database, plan, StepKind.ADD_FOREIGN_KEY)
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE orders ADD CONSTRAINT frozen CHECK (customer_id < 0) NOT VALID")
    await connection.execute("CREATE TABLE notes (order_id integer REFERENCES orders (id)); INSERT INTO notes VALUES (58)")
    await connection.close()
    await jobs.resume(replica.services, CALLER, paused.id)
    failed = await replica.end(paused)

    assert failed.state is JobState.FAILED
    assert failed.error_message.endswith(
        f" In force now: {FK}, {INDEX}."
        f" Once that is cured, apply the plan again: `holdfast apply {plan.id}`; to undo it, roll back: `holdfast rollback {failed.id}`."
    )


async def test_a_connection_that_is_lost_during_a_pause_is_made_again(database: str, replica: Harness, plan: PlanRecord) -> None:
    """Somebody may have paused it to restart the server."""
    paused = await pause_during(replica, database, plan, StepKind.ADD_FOREIGN_KEY)
    connection = await asyncpg.connect(database)
    ours = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast/%' AND datname = current_database()"
    )
    await connection.execute(ours)
    await connection.close()
    await jobs.resume(replica.services, CALLER, paused.id)
    ended = await replica.succeed(paused)

    assert ended.epoch == 1
    assert ended.verifications[0].backed_up_rows == ORPHANS


@pytest.mark.slow
async def test_a_rollback_is_held_back_as_well(database: str, replica: Harness, plan: PlanRecord) -> None:
    applied = await replica.apply(plan)
    async with crowd(database):
        rollback = await migrations.roll_back(replica.services, CALLER, applied.id, MODEST)
        said = await told(replica, rollback, lambda event: event.happening.kind is EventKind.HELD_BACK)
    await replica.succeed(rollback)

    assert re.fullmatch(r"Held back: \d+ other sessions are active \(limit 6\)\.", said.happening.message)


async def test_a_cleanup_is_cancelled_between_two_batches(postgres: Server, database: str, replica: Harness, plan: PlanRecord) -> None:
    """What the batches before saved and deleted stays so, and the backup says how much that is."""
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO orders SELECT n, n FROM generate_series(1001, 1900) AS n")
    before = await state_of(postgres, database)
    async with in_the_way(database, "SELECT FROM orders WHERE id = 1900 FOR UPDATE"):
        job = await migrations.apply(replica.services, CALLER, plan.id)
        await told(replica, job, lambda event: event.happening.kind in WAITS)
        await jobs.cancel(replica.services, CALLER, job.id)
        cancelled = await asyncio.wait_for(replica.end(job), timeout=5)
    left = await connection.fetchval("SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT FROM customers WHERE id = customer_id)")
    saved = await connection.fetchval("SELECT count(*) FROM holdfast.backup WHERE restored_by IS NULL")
    await connection.close()
    applied = await replica.apply(plan)
    await replica.roll_back(applied)

    assert 0 < saved < 900 + ORPHANS
    assert left + saved == 900 + ORPHANS
    assert f"; {saved} rows are in the backup." in cancelled.error_message
    assert applied.verifications[0].backed_up_rows == 900 + ORPHANS
    assert await state_of(postgres, database) == before


@pytest.mark.slow
async def test_cancelling_at_any_moment_leaves_what_can_go_on(postgres: Server, database: str, replica: Harness) -> None:
    """Many moments of an application and of its rollback: however far they came, both can be done again."""
    before = await state_of(postgres, database)
    cancelled = set()
    for moment in range(12):
        plan = await replica.plan("shop", delete(RELATIONSHIP))
        application = await cancel_after(replica, database, await migrations.apply(replica.services, CALLER, plan.id), moment)
        applied = application if application.state is JobState.SUCCEEDED else await replica.apply(plan)
        rollback = await cancel_after(replica, database, await migrations.roll_back(replica.services, CALLER, applied.id), moment)
        if rollback.state is JobState.CANCELLED:
            await replica.roll_back(applied)
        cancelled |= {job.kind for job in (application, rollback) if job.state is JobState.CANCELLED}
        assert await state_of(postgres, database) == before

    assert cancelled == {JobKind.APPLICATION, JobKind.ROLLBACK}


async def cancel_after(replica: Harness, database: str, job: Job, moment: int) -> Job:
    """Cancel a job at a moment of its work, and make sure that nothing half-made stays."""
    await asyncio.sleep(0.03 * moment)
    await jobs.cancel(replica.services, CALLER, job.id)
    ended = await replica.end(job)
    assert ended.state in (JobState.CANCELLED, JobState.SUCCEEDED), ended.error_message
    assert (await our_sessions(database), await invalid_indexes(database)) == ([], 0)
    return ended
