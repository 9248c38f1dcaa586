"""Partitioned tables go through audit, plan, apply, verify, roll back and again, on every version, and come back equal."""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.execute.failpoints import arm
from holdfastd.flows import jobs, migrations
from holdfastd.jobs.model import Job
from holdfastd.plan.model import Override, ScriptKind
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import delete, nullify
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

#: Two levels; one partition with another order of columns and a dropped one; a default partition; orphan rows in several of them.
EVENTS = """
CREATE TABLE customers (id integer PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 50);
CREATE TABLE events (id bigint, at date NOT NULL, customer_id integer, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 (junk integer, note text, customer_id integer, at date NOT NULL, id bigint NOT NULL);
ALTER TABLE events_2025 DROP COLUMN junk;
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (id);
CREATE TABLE events_2026_0 PARTITION OF events_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_2026_1 PARTITION OF events_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE events_other PARTITION OF events DEFAULT;
INSERT INTO events SELECT n, '2023-06-01'::date + n % 1300, 1 + n % 60, 'note ' || n FROM generate_series(1, 1200) AS n;
"""
#: Rows of events.
ROWS = 1200
EVENTS_KEY = "public.events(customer_id)->public.customers(id)"
#: Partitioned, with a key of two columns.
ACCOUNTS = """
CREATE TABLE accounts (region_id text, account_id integer, PRIMARY KEY (region_id, account_id)) PARTITION BY LIST (region_id);
CREATE TABLE accounts_eu PARTITION OF accounts FOR VALUES IN ('eu');
CREATE TABLE accounts_other PARTITION OF accounts DEFAULT;
INSERT INTO accounts SELECT region, n FROM generate_series(1, 20) AS n, unnest('{eu,us}'::text[]) AS region;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """One database; `backed_up` counts the rows that applying must save."""

    name: str
    sql: str
    backed_up: int
    overrides: tuple[Override, ...] = ()
    #: Relationships that the plan must include.
    planned: tuple[str, ...] = (EVENTS_KEY,)

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        """One scenario is run always, the others when there is time."""
        return () if self.name == "own keys and indexes" else (pytest.mark.slow,)


#: Partitioned tables that reference each other and themselves.
VISITS = """
CREATE TABLE visits (id integer, at integer, region_id text, account_id integer, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE visits_low PARTITION OF visits FOR VALUES FROM (0) TO (50);
CREATE TABLE visits_high PARTITION OF visits FOR VALUES FROM (50) TO (100);
INSERT INTO visits SELECT n, n % 100, CASE WHEN n % 7 = 0 THEN NULL WHEN n % 2 = 0 THEN 'eu' ELSE 'us' END, 1 + n % 25
FROM generate_series(1, 400) AS n;
"""
VISITS_KEY = "public.visits(region_id, account_id)->public.accounts(region_id, account_id)"
NODES = """
CREATE TABLE nodes (region text, id integer, parent_id integer, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE nodes_eu PARTITION OF nodes FOR VALUES IN ('eu');
CREATE TABLE nodes_other PARTITION OF nodes DEFAULT;
INSERT INTO nodes SELECT region, n, CASE WHEN n % 10 = 1 THEN NULL WHEN n IN (5, 77) THEN 1000 ELSE n - 1 END
FROM generate_series(1, 90) AS n, unnest('{eu,us}'::text[]) AS region;
CREATE VIEW steps AS SELECT n.id FROM nodes AS n JOIN nodes AS parent ON n.region = parent.region AND n.parent_id = parent.id;
"""
NODES_KEY = "public.nodes(region, parent_id)->public.nodes(region, id)"
#: Keys that follow deleted rows of a partitioned table: one from a plain table, one from another partitioned one.
FOLLOWERS = """
CREATE TABLE photos (id integer PRIMARY KEY, event_id bigint, event_at date,
  FOREIGN KEY (event_id, event_at) REFERENCES events ON DELETE CASCADE);
INSERT INTO photos SELECT row_number() OVER (), id, at FROM events WHERE customer_id > 45;
CREATE TABLE notes (id integer, event_id bigint, event_at date, PRIMARY KEY (id),
  FOREIGN KEY (event_id, event_at) REFERENCES events ON DELETE SET NULL) PARTITION BY HASH (id);
CREATE TABLE notes_0 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE notes_1 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO notes SELECT row_number() OVER (), id, at FROM events WHERE customer_id > 48;
"""
#: What partitions have of their own: a valid key, one that is not valid, and an index.
OWN = """
DELETE FROM events_2024 WHERE customer_id > 50;
ALTER TABLE events_2024 ADD CONSTRAINT mine FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE;
COMMENT ON CONSTRAINT mine ON events_2024 IS 'by hand';
ALTER TABLE events_2026_1 ADD CONSTRAINT old FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;
CREATE INDEX mine ON events_2025 (customer_id);
"""
#: A valid key of a partition that has partitions itself.
OF_A_LEVEL = """
DELETE FROM events_2026 WHERE customer_id > 50;
ALTER TABLE events_2026 ADD CONSTRAINT mine FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE;
COMMENT ON CONSTRAINT mine ON events_2026 IS 'by hand';
"""

PARTITIONED = (
    Partitioned(name="two levels", sql=EVENTS, overrides=(delete(EVENTS_KEY),), backed_up=200),
    Partitioned(name="set null", sql=EVENTS, overrides=(nullify(EVENTS_KEY),), backed_up=200),
    Partitioned(name="followed by other keys", sql=EVENTS + FOLLOWERS, overrides=(delete(EVENTS_KEY),), backed_up=600),
    Partitioned(
        name="followed by a key of one partition",
        sql=EVENTS
        + """
        CREATE TABLE letters (id integer, event_id bigint, event_at date) PARTITION BY RANGE (id);
        CREATE TABLE letters_1 PARTITION OF letters FOR VALUES FROM (0) TO (500);
        CREATE TABLE letters_2 PARTITION OF letters FOR VALUES FROM (500) TO (5000);
        INSERT INTO letters SELECT id, id, at FROM events WHERE id % 2 = 0;
        ALTER TABLE letters_2 ADD FOREIGN KEY (event_id, event_at) REFERENCES events ON DELETE CASCADE;
        """,
        overrides=(
            delete(EVENTS_KEY),
            Override(relationship_id="public.letters(event_id, event_at)->public.events(id, at)", include=False),
        ),
        backed_up=200 + 60,
    ),
    Partitioned(name="own keys and indexes", sql=EVENTS + OWN, overrides=(delete(EVENTS_KEY),), backed_up=140),
    Partitioned(name="own key of a level", sql=EVENTS + OF_A_LEVEL, overrides=(delete(EVENTS_KEY),), backed_up=150),
    Partitioned(
        name="without partitions",
        sql="CREATE TABLE customers (id integer PRIMARY KEY); INSERT INTO customers VALUES (1);"
        "CREATE TABLE events (id bigint, at date NOT NULL, customer_id integer, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);",
        overrides=(delete(EVENTS_KEY),),
        backed_up=0,
    ),
    Partitioned(name="both", sql=ACCOUNTS + VISITS, overrides=(delete(VISITS_KEY),), backed_up=68, planned=(VISITS_KEY,)),
    Partitioned(
        name="referenced",
        sql=ACCOUNTS
        + """
        CREATE TABLE visits (id integer PRIMARY KEY, region_id text, account_id integer);
        INSERT INTO visits SELECT n, CASE WHEN n % 2 = 0 THEN 'eu' ELSE 'us' END, 1 + n % 25 FROM generate_series(1, 400) AS n;
        """,
        overrides=(delete(VISITS_KEY),),
        backed_up=80,
        planned=(VISITS_KEY,),
    ),
    Partitioned(name="itself", sql=NODES, overrides=(delete(NODES_KEY),), backed_up=2 * (6 + 4), planned=(NODES_KEY,)),
)


@pytest.fixture
async def replica(any_postgres: Server) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        yield running


@pytest.mark.parametrize("scenario", [pytest.param(each, id=each.name.replace(" ", "-"), marks=each.marks) for each in PARTITIONED])
async def test_apply_and_roll_back(any_postgres: Server, any_database: str, replica: Harness, scenario: Partitioned) -> None:
    """What applying changes, rolling back undoes to the letter, and applying again changes as before."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.execute("ANALYZE")
    await connection.close()
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", *scenario.overrides)
    application = await replica.apply(plan)
    after = await state_of(any_postgres, any_database)
    await replica.roll_back(application)

    assert {decision.relationship_id for decision in plan.plan.decisions if decision.included} >= set(scenario.planned)
    assert sum(item.backed_up_rows for item in application.verifications) == scenario.backed_up
    assert all(item.validated and not item.orphan_rows_after for item in application.verifications)
    assert after.schema != before.schema
    assert await state_of(any_postgres, any_database) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(each, id=each.name.replace(" ", "-"))
        for each in PARTITIONED
        if each.name in ("followed by other keys", "own keys and indexes", "own key of a level")
    ],
)
async def test_scripts_do_what_the_service_does(any_postgres: Server, any_database: str, replica: Harness, scenario: Partitioned) -> None:
    """Script and service leave equal databases, the rollback script an equal one to the first; each may be run twice."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.close()
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", *scenario.overrides)
    application = await replica.apply(plan)
    by_service = await state_of(any_postgres, any_database)
    await replica.roll_back(application)

    for _ in range(2):
        await run_script(any_postgres, any_database, replica, plan, ScriptKind.FORWARD)
    by_script = await state_of(any_postgres, any_database)
    await run_script(any_postgres, any_database, replica, plan, ScriptKind.VERIFY)
    for _ in range(2):
        await run_script(any_postgres, any_database, replica, plan, ScriptKind.ROLLBACK)

    assert by_script == by_service
    assert await state_of(any_postgres, any_database) == before


#: Scenario and failpoint: before and after every kind of step.
PLACES = [
    ("two levels", "CREATE_INDEX.executed#1"),
    ("two levels", "CREATE_INDEX.before_commit#2"),
    ("two levels", "ATTACH_INDEX.before_commit#1"),
    ("two levels", "ATTACH_INDEX.effected#4"),
    ("own keys and indexes", "ADD_FOREIGN_KEY.effected#1"),
    ("own keys and indexes", "CLEAN_UP.before_commit#3"),
    ("own keys and indexes", "VALIDATE_FOREIGN_KEY.before_commit#2"),
    ("own keys and indexes", "VALIDATE_FOREIGN_KEY.effected#3"),
    ("own keys and indexes", "VERIFY.begun#1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), PLACES, ids=[place for _, place in PLACES])
async def test_goes_on_or_back_from_anywhere(any_postgres: Server, any_database: str, replica: Harness, name: str, place: str) -> None:
    """An application that stops at any step can be rolled back from there, and one that breaks off is finished."""
    scenario = next(each for each in PARTITIONED if each.name == name)
    connection = await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.close()
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", *scenario.overrides)
    stopped = await _cancelled_at(replica, plan, place)
    await replica.roll_back(stopped)
    assert await state_of(any_postgres, any_database) == before

    plan = await replica.plan("shop", *scenario.overrides)
    arm(f"{place}=raise")
    application = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    arm("")
    if application.state != "SUCCEEDED":
        application = await replica.apply(plan)
    assert all(item.validated and not item.orphan_rows_after for item in application.verifications)
    assert sum(item.backed_up_rows for item in application.verifications) == scenario.backed_up
    await replica.roll_back(application)
    assert await state_of(any_postgres, any_database) == before


async def _cancelled_at(replica: Harness, plan: PlanRecord, place: str) -> Job:
    """Apply a plan and cancel it at a failpoint."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        arm(f"{place}=sleep:1", str(trace))
        job = await migrations.apply(replica.services, CALLER, plan.id)
        async with asyncio.timeout(60):
            while not trace.exists() or place not in trace.read_text().splitlines():
                await asyncio.sleep(0.05)
        await jobs.cancel(replica.services, CALLER, job.id)
        job = await replica.end(job)
        arm("")
    assert job.state == "CANCELLED", job.error_message
    return job


@pytest.mark.slow
async def test_rows_that_move_are_not_lost(any_database: str, replica: Harness) -> None:
    """Writers move rows, orphan rows among them, from partition to partition while a plan is applied: each stays or is in the backup."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(EVENTS)
    await replica.register(any_database)
    await replica.audit()
    plan = await replica.plan("shop", delete(EVENTS_KEY))
    done = asyncio.Event()
    writing = asyncio.create_task(_move_rows(connection, done))
    try:
        application = await replica.apply(plan)
    finally:
        done.set()
        moved = await writing
    left = await connection.fetchval("SELECT count(*) FROM events")
    await replica.roll_back(application)
    back = await connection.fetchval("SELECT count(DISTINCT id) FROM events")
    await connection.close()

    assert moved > 0
    assert left + sum(item.backed_up_rows for item in application.verifications) == ROWS
    assert back == ROWS


async def _move_rows(connection: asyncpg.Connection, done: asyncio.Event) -> int:
    """Give rows other dates until told to stop; return how many moved. The key may refuse orphan rows."""
    chance, moved = random.Random(7), 0
    move = "UPDATE events SET at = '2023-06-01'::date + $2::integer WHERE id = $1"
    while not done.is_set():
        with contextlib.suppress(asyncpg.ForeignKeyViolationError):
            moved += await connection.execute(move, chance.randint(1, ROWS), chance.randint(0, 1300)) == "UPDATE 1"
        await asyncio.sleep(0.003)
    return moved


async def test_new_partition_is_drift(database: str, postgres: Server) -> None:
    """A partition that appeared since the plan was made has no steps in it."""
    connection = await asyncpg.connect(database)
    await connection.execute(EVENTS)
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        plan = await replica.plan("shop", delete(EVENTS_KEY))
        await connection.execute("CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')")
        with pytest.raises(Refused, match=r"new: partition public\.events_2027 of public\.events") as refusal:
            await replica.apply(plan)
    await connection.close()
    assert refusal.value.reason is Reason.PLAN_DRIFTED


@pytest.mark.parametrize(
    ("sql", "override", "words"),
    [
        (
            "ALTER TABLE events DROP CONSTRAINT events_pkey; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing;"
            "CREATE FOREIGN TABLE events_2030 PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') SERVER away",
            delete(EVENTS_KEY),
            "events_2030 is a foreign table",
        ),
        (
            "CREATE PUBLICATION news FOR TABLE events WITH (publish_via_partition_root);ALTER TABLE events_2025 REPLICA IDENTITY NOTHING",
            delete(EVENTS_KEY),
            "replica identity",
        ),
        ("ALTER TABLE events_2025 ADD CHECK (customer_id IS NOT NULL)", nullify(EVENTS_KEY), "CHECK"),
    ],
    ids=["foreign", "published", "check"],
)
async def test_refused_when_planned(database: str, postgres: Server, sql: str, override: Override, words: str) -> None:
    """What a single partition forbids is told before anything is done."""
    connection = await asyncpg.connect(database)
    await connection.execute(EVENTS + sql)
    await connection.close()
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        with pytest.raises(Refused, match=words) as refusal:
            await replica.plan("shop", override)
    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
