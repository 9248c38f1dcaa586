"""Who is next: limits that hold whoever claims at the same moment, and room for everybody."""

import asyncio
from datetime import timedelta

import pytest

from holdfastd.jobs.model import Job, JobKind, JobState
from holdfastd.store import jobs, leases
from holdfastd.store.model import DatabaseRecord
from holdfastd.store.pool import Store
from support.stored import add_audit, add_database, add_job

LONG = timedelta(minutes=1)
EXPIRED = timedelta(seconds=-1)


async def claim(store: Store, *, ttl: timedelta = LONG, jobs_of_all: int = 0) -> Job | None:
    """Claim as workers do, in a statement of its own."""
    async with store.connection() as connection:
        return await leases.claim(connection, "w", ttl, jobs_of_all=jobs_of_all)


async def claim_all(store: Store, *, jobs_of_all: int = 0) -> list[str]:
    """Claim until there is nothing to claim; return the databases in order."""
    claimed = []
    while (job := await claim(store, jobs_of_all=jobs_of_all)) is not None:
        claimed.append(job.database)
    return claimed


async def add_databases(store: Store, *names: str) -> list[DatabaseRecord]:
    return [await add_database(store, name, oid=number) for number, name in enumerate(names, start=1)]


async def limit(store: Store, name: str, running: int) -> None:
    async with store.connection() as connection:
        await connection.execute("UPDATE databases SET max_running_jobs = $2 WHERE name = $1", name, running)


async def test_database_with_many_audits_starves_nobody(store: Store) -> None:
    """Next is the database where the fewest jobs run, though another has asked fifty times before."""
    greedy, modest = await add_databases(store, "greedy", "modest")
    for _ in range(50):
        await add_audit(store, greedy)
    for _ in range(2):
        await add_audit(store, modest)

    assert await claim_all(store) == ["greedy", "modest", "greedy", "modest"]


async def test_oldest_job_is_next_among_equals(store: Store) -> None:
    """Where nothing runs, whoever waits longest comes first."""
    databases = await add_databases(store, "c", "a", "b")
    for database in databases:
        await add_audit(store, database)

    assert await claim_all(store) == ["c", "a", "b"]


async def test_change_comes_before_audits(store: Store) -> None:
    """Somebody waits for a change, and there is one per database at most."""
    first, second = await add_databases(store, "first", "second")
    for _ in range(3):
        await add_audit(store, first)
    await claim(store)
    async with store.transaction() as connection:
        change = await add_job(connection, first)
    await add_audit(store, second)

    job = await claim(store)
    assert job is not None
    assert job.id == change.id


@pytest.mark.parametrize(("stated", "running"), [(0, leases.JOBS_PER_DATABASE), (1, 1), (5, 5)])
async def test_limit_of_a_database(store: Store, stated: int, running: int) -> None:
    """So many jobs of a database run at a time as it says; two where it says nothing."""
    (database,) = await add_databases(store, "shop")
    await limit(store, "shop", stated)
    for _ in range(8):
        await add_audit(store, database)

    assert len(await claim_all(store)) == running


async def test_ended_job_makes_room(store: Store) -> None:
    """The next one begins when one has ended."""
    (database,) = await add_databases(store, "shop")
    await limit(store, "shop", 1)
    for _ in range(2):
        await add_audit(store, database)
    first = await claim(store)
    assert first is not None
    refused = await claim(store)
    async with store.transaction() as connection:
        await leases.finish(connection, first, JobState.SUCCEEDED)

    assert refused is None
    assert await claim(store) is not None


async def test_paused_job_takes_no_room(store: Store) -> None:
    """It may stay so for days; neither its database nor everybody else waits for it."""
    (database,) = await add_databases(store, "shop")
    await limit(store, "shop", 1)
    for _ in range(2):
        await add_audit(store, database)
    first = await claim(store, jobs_of_all=1)
    assert first is not None
    async with store.transaction() as connection:
        await jobs.request_pause(connection, first.id, "ann")

    assert await claim(store, jobs_of_all=1) is not None
    assert await claim(store, jobs_of_all=1) is None


async def test_job_whose_worker_was_lost_has_its_place(store: Store) -> None:
    """It is gone on with before anything is begun, however low the limits are by now."""
    (database,) = await add_databases(store, "shop")
    for _ in range(3):
        await add_audit(store, database)
    await claim(store)
    lost = await claim(store)
    assert lost is not None
    async with store.connection() as connection:
        await connection.execute("UPDATE jobs SET lease_end = '-infinity' WHERE id = $1", lost.id)
    await limit(store, "shop", 1)

    taken = await claim(store, jobs_of_all=1)
    assert taken is not None
    assert (taken.id, taken.epoch) == (lost.id, 2)
    assert await claim(store, jobs_of_all=1) is None


@pytest.mark.parametrize("limits", [(0, 3), (7, 0), (7, 3)], ids=["database", "all", "both"])
async def test_limits_hold_for_claims_at_the_same_instant(store: Store, database: str, limits: tuple[int, int]) -> None:
    """Two replicas with eight claims each: not one job more than allowed, and not one less."""
    jobs_of_all, per_database = limits
    databases = await add_databases(store, "a", "b", "c", "d")
    for record in databases:
        await limit(store, record.name, per_database or 100)
        for _ in range(6):
            await add_audit(store, record)
    other = await Store.open(database)
    try:
        for _ in range(3):
            await asyncio.gather(*(claim(each, jobs_of_all=jobs_of_all) for each in (store, other) for _ in range(8)))
    finally:
        await other.close()

    async with store.connection() as connection:
        rows = await connection.fetch("SELECT count(*) AS running FROM jobs WHERE state = 'RUNNING' GROUP BY database_id")
    running = [row["running"] for row in rows]
    assert sum(running) == min(jobs_of_all or 24, 4 * (per_database or 6))
    assert max(running) <= (per_database or 6)


async def test_claim_waits_for_nobody_who_was_stopped_halfway(store: Store) -> None:
    """A caller that locked the job that would be next is passed over, not waited for."""
    first, second = await add_databases(store, "first", "second")
    held, free = await add_audit(store, first), await add_audit(store, second)
    async with store.transaction() as connection:
        await connection.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE", held.id)
        async with asyncio.timeout(5):
            job = await claim(store)

    assert job is not None
    assert job.id == free.id


async def test_store_ends_the_transaction_of_a_worker_that_stopped(store: Store) -> None:
    """Stopped between a write and its COMMIT, a worker keeps its successor away for ten seconds at most."""
    await add_audit(store, *await add_databases(store, "shop"))
    job = await claim(store, ttl=EXPIRED)
    assert job is not None
    async with store.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await leases.hold(connection, job)
        limited = await connection.fetchval("SHOW idle_in_transaction_session_timeout")
        kept = await claim(store)
        await transaction.rollback()

    assert (limited, kept) == ("10s", None)
    assert await claim(store) is not None


#: 10,000 jobs that wait: half of them of one database. As many that have ended.
_CROWD = """
INSERT INTO jobs (kind, database_id, principal, state, end_time)
SELECT 'AUDIT', databases.id, 'ann', state, CASE state WHEN 'SUCCEEDED' THEN now() END
FROM databases, generate_series(1, CASE databases.name WHEN 'db-1' THEN 5000 ELSE 50 END), (VALUES ('QUEUED'), ('SUCCEEDED')) AS each (state)
"""


#: What this transaction has read of jobs: rows from end to end, and entries of its indexes.
_READ = """
SELECT pg_stat_get_xact_tuples_returned('jobs'::regclass) AS rows,
       (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index WHERE indrelid = 'jobs'::regclass) AS entries
"""


async def test_claim_looks_into_indexes_however_long_the_queue(store: Store) -> None:
    """With 10,000 jobs waiting it reads some hundred entries of indexes, and never the table from end to end."""
    await add_databases(store, *(f"db-{number}" for number in range(1, 102)))
    async with store.connection() as connection:
        await connection.execute(_CROWD)
        await connection.execute("ANALYZE jobs")
    async with store.transaction() as connection:
        assert await leases.claim(connection, "w", LONG) is not None
        read = await connection.fetchrow(_READ)

    assert read["rows"] == 0
    assert 101 <= read["entries"] < 1000


async def test_wanted_kinds_only(store: Store) -> None:
    """A worker that cannot run a kind does not take it, though it is the oldest."""
    (database,) = await add_databases(store, "shop")
    await add_audit(store, database)
    async with store.transaction() as connection:
        change = await add_job(connection, database, JobKind.RESTORE)
        job = await leases.claim(connection, "w", LONG, [JobKind.RESTORE])

    assert job is not None
    assert job.id == change.id


async def test_claiming_goes_on_while_a_newer_version_changes_the_table(store: Store) -> None:
    """A replica of the version before claims on, over the connections that it has, when a migration has added a column."""
    first, second = await add_databases(store, "first", "second")
    await add_audit(store, first)
    await add_audit(store, second)
    async with store.connection() as connection:
        before = await leases.claim(connection, "w", LONG)
        async with store.connection() as migrating:
            await migrating.execute("ALTER TABLE jobs ADD COLUMN later_on integer NOT NULL DEFAULT 7")
        after = await leases.claim(connection, "w", LONG)

    assert (before and before.database, after and after.database) == ("first", "second")
