"""What others do to the catalog between planning and applying, and amid the run.

Either nothing of it concerns the plan and the job succeeds, or the job ends with PLAN_DRIFTED or STEP_FAILED and a reason; no row is
lost in any case, and rolling back ends equal or is refused as a whole.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from chaos import checker
from chaos.scene import RELATIONSHIP, Scene, staged
from conftest import server_of
from holdfastd.errors import Reason, Refused
from holdfastd.jobs.model import Job
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import delete
from support.postgres import Server
from support.proxy import Trap

MAJORS = (18, 15)
pytestmark = pytest.mark.slow
_STOPPED = {Reason.PLAN_DRIFTED, Reason.STEP_FAILED}
#: The name that the plan gives its key.
KEY = "{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody does, what undoes it, and when it is done while the plan runs."""

    sql: str
    #: Makes the database comparable to what it was.
    revert: str
    #: The next request that holds this waits until the change is made.
    amid: str = "CREATE INDEX CONCURRENTLY"
    #: The plan is still right after it.
    harmless: bool = False


CHANGES = {
    "referencing-renamed": Change(sql="ALTER TABLE reports RENAME TO elsewhere", revert="ALTER TABLE elsewhere RENAME TO reports"),
    "referenced-renamed": Change(sql="ALTER TABLE stations RENAME TO elsewhere", revert="ALTER TABLE elsewhere RENAME TO stations"),
    "column-renamed": Change(
        sql="ALTER TABLE reports RENAME station_id TO other_id", revert="ALTER TABLE reports RENAME other_id TO station_id"
    ),
    "type-changed": Change(
        sql="ALTER TABLE reports ALTER station_id TYPE bigint",
        revert="ALTER TABLE reports ALTER station_id TYPE integer",
        harmless=True,
    ),
    "made-again": Change(
        sql="ALTER TABLE stations RENAME TO old; CREATE TABLE stations (id integer PRIMARY KEY)",
        revert="DROP TABLE stations; ALTER TABLE old RENAME TO stations",
    ),
    "delete-trigger": Change(
        sql="CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER keep BEFORE DELETE ON reports FOR EACH ROW EXECUTE FUNCTION keep()",
        revert="DROP FUNCTION keep CASCADE",
        amid="VALIDATE CONSTRAINT",
        harmless=True,
    ),
    "delete-trigger-before-batches": Change(
        sql="CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER keep BEFORE DELETE ON reports FOR EACH ROW EXECUTE FUNCTION keep()",
        revert="DROP FUNCTION keep CASCADE",
    ),
    "delete-rule": Change(
        sql="CREATE RULE keep AS ON DELETE TO reports DO INSTEAD NOTHING",
        revert="DROP RULE keep ON reports",
    ),
    "same-named-key": Change(
        sql=f"ALTER TABLE reports ADD CONSTRAINT {KEY} CHECK (station_id > 0)",
        revert=f"ALTER TABLE reports DROP CONSTRAINT {KEY}",
        amid="NOT VALID",
    ),
    "same-key-other-action": Change(
        sql=f"ALTER TABLE reports ADD CONSTRAINT {KEY} FOREIGN KEY (station_id) REFERENCES stations ON DELETE RESTRICT NOT VALID",
        revert=f"ALTER TABLE reports DROP CONSTRAINT {KEY}",
        amid="NOT VALID",
    ),
    "key-dropped": Change(sql=f"ALTER TABLE reports DROP CONSTRAINT {KEY}", revert="", amid="VALIDATE CONSTRAINT"),
    "orphans-after-the-count": Change(
        sql="SET session_replication_role = replica; INSERT INTO reports VALUES (900, 900, 'late')",
        revert="DELETE FROM reports WHERE id = 900",
        amid="VALIDATE CONSTRAINT",
    ),
}


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def scene(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """A target behind a proxy."""
    async with staged(postgres, await server_of(servers, request.param)) as stage:
        yield stage


def named(sql: str, plan: PlanRecord) -> str:
    """Return statements with the key's name put in."""
    return sql.replace(KEY, next(item.constraint_name for item in plan.plan.decisions if item.relationship_id == RELATIONSHIP))


async def change(scene: Scene, sql: str) -> None:
    """Run somebody else's statements."""
    connection = await asyncpg.connect(scene.dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def rows_in_all(scene: Scene, table: str) -> int:
    """Rows of a table and its rows in the backup, which no fault may make fewer."""
    there = await scene.ask(f"SELECT count(*) FROM {table}")
    saved = "SELECT count(*) FROM holdfast.backup WHERE table_name = $1 AND action = 'DELETE' AND restored_by IS NULL"
    has_ledger = await scene.ask("SELECT to_regclass('holdfast.backup') IS NOT NULL")
    return int(there) + (int(await scene.ask(saved, table)) if has_ledger else 0)  # type: ignore[call-overload]


async def undo_what_was_done(scene: Scene, application: Job) -> None:
    """Roll back, unless there is nothing to roll back."""
    try:
        job = await scene.start_rollback(application)
    except Refused as refusal:
        # The job had not begun anything.
        assert "nothing to roll back" in refusal.message  # noqa: PT017 (both ends are right)
        return
    await scene.succeed(job)


@pytest.mark.parametrize("name", CHANGES)
async def test_change_before_applying(scene: Scene, name: str) -> None:
    """What changed since the plan was made is named before a job exists, or is met by the step that it concerns."""
    made = CHANGES[name]
    if made.amid == "VALIDATE CONSTRAINT":
        pytest.skip("makes sense amid the run only")
    plan = await scene.planned()
    await change(scene, named(made.sql, plan))
    try:
        job: Job | None = await scene.end(await scene.start(plan))
    except Refused as refusal:
        assert refusal.reason in _STOPPED, refusal.message  # noqa: PT017 (both ends are right)
        job = None
    if job is not None:
        assert job.error_reason in _STOPPED, f"{job.state} {job.error_reason}: {job.error_message}"
    await change(scene, named(made.revert or "SELECT", plan))

    assert await rows_in_all(scene, "reports") == 100
    assert await rows_in_all(scene, "lines") == 100
    if job is not None:
        await undo_what_was_done(scene, job)
    checker.same(await scene.state(), scene.before)


@pytest.mark.parametrize("name", CHANGES)
async def test_change_amid_the_run(scene: Scene, name: str) -> None:
    """A job that meets a changed catalog ends with a reason that says so; reverted and rolled back, the database is as it was."""
    made = CHANGES[name]
    plan = await scene.planned()
    trap = scene.proxy.set_trap(Trap(at=made.amid, meanwhile=lambda: change(scene, named(made.sql, plan))))
    job = await scene.end(await scene.start(plan))
    await trap.happened()
    if made.harmless:
        assert job.state == "SUCCEEDED", job.error_message
    else:
        assert (job.state, job.error_reason in _STOPPED) == ("FAILED", True), f"{job.state} {job.error_reason}: {job.error_message}"
    await change(scene, named(made.revert or "SELECT", plan))

    assert await rows_in_all(scene, "reports") == 100
    assert await rows_in_all(scene, "lines") == 100
    await undo_what_was_done(scene, job)
    checker.same(await scene.state(), scene.before)
    await scene.check_left()


async def test_index_dropped_before_the_key(scene: Scene) -> None:
    """The index that a plan made and somebody dropped is missed, not needed: the key is added, rolling back ends equal."""
    plan = await scene.planned()
    index = next(step.object_name for step in plan.plan.steps if step.kind == "CREATE_INDEX")
    trap = scene.proxy.set_trap(Trap(at="NOT VALID", meanwhile=lambda: change(scene, f'DROP INDEX public."{index}"')))
    application = await scene.succeed(await scene.start(plan))
    await trap.happened()

    await scene.check_applied(application)
    await scene.roll_back(application)


async def test_somebody_else_validates_the_key(scene: Scene) -> None:
    """A step that somebody else did is done."""
    plan = await scene.planned()
    sql = named(f"ALTER TABLE reports VALIDATE CONSTRAINT {KEY}", plan)
    trap = scene.proxy.set_trap(Trap(at="VALIDATE CONSTRAINT", meanwhile=lambda: change(scene, sql)))
    application = await scene.succeed(await scene.start(plan))
    await trap.happened()

    await scene.check_applied(application)
    await scene.roll_back(application)


AFTERWARDS = {
    "triggers-disabled": ("ALTER TABLE reports DISABLE TRIGGER ALL", "ALTER TABLE reports ENABLE TRIGGER ALL"),
    "key-dropped": (f"ALTER TABLE reports DROP CONSTRAINT {KEY}", ""),
    "key-renamed": (
        f"ALTER TABLE reports RENAME CONSTRAINT {KEY} TO theirs",
        f"ALTER TABLE reports RENAME CONSTRAINT theirs TO {KEY}",
    ),
    "table-renamed": ("ALTER TABLE reports RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO reports"),
    "row-security": (
        "ALTER TABLE reports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "ALTER TABLE reports DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
    ),
    "insert-trigger": (
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER keep BEFORE INSERT ON reports FOR EACH ROW EXECUTE FUNCTION keep()",
        "DROP FUNCTION keep CASCADE",
    ),
    "insert-rule": ("CREATE RULE keep AS ON INSERT TO reports DO INSTEAD NOTHING", "DROP RULE keep ON reports"),
    "id-used-again": ("INSERT INTO reports VALUES (100, 1, 'new')", "DELETE FROM reports WHERE id = 100 AND note = 'new'"),
    "backup-emptied": ("CREATE TABLE kept AS TABLE holdfast.backup; DELETE FROM holdfast.backup", ""),
}


@pytest.mark.parametrize("name", AFTERWARDS)
async def test_change_before_rolling_back(scene: Scene, name: str) -> None:
    """A rollback ends equal but for what others did, or is refused before it touches anything; the change reverted, it ends equal."""
    sql, revert = AFTERWARDS[name]
    plan = await scene.planned()
    application = await scene.succeed(await scene.start(plan))
    await change(scene, named(sql, plan))
    changed = await scene.state()
    try:
        ended = await scene.end(await scene.start_rollback(application))
    except Refused as refusal:
        assert refusal.reason is Reason.ROLLBACK_NOT_EXACT, refusal.message  # noqa: PT017 (both ends are right)
        assert await scene.state() == changed
    else:
        assert ended.state == "SUCCEEDED" or ended.error_reason in {Reason.ROLLBACK_NOT_EXACT, Reason.STEP_FAILED}, ended.error_message
        if ended.state == "FAILED":
            assert await rows_in_all(scene, "reports") == 100
    if not revert and name != "key-dropped":
        return
    await change(scene, named(revert or "SELECT", plan))

    if await scene.state() != scene.before:
        await scene.succeed(await scene.start_rollback(application))
    checker.same(await scene.state(), scene.before)


PARTITIONED = """
CREATE TABLE stations (id integer PRIMARY KEY);
INSERT INTO stations SELECT generate_series(1, 100);
CREATE TABLE reports (id integer, station_id integer NOT NULL, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE reports_1 PARTITION OF reports FOR VALUES FROM (1) TO (51);
INSERT INTO reports SELECT n, 75 + n, 'report ' || n FROM generate_series(1, 50) AS n;
ANALYZE;
"""


async def test_partition_attached_since(servers: dict[int, Server], postgres: Server) -> None:
    """A partition that is attached after planning is drift, or its orphan rows are cleaned up, too; the key is never left half true."""
    async with staged(postgres, await server_of(servers, 18), PARTITIONED) as scene:
        try:
            plan = await scene.planned(delete(RELATIONSHIP))
        except Refused as refusal:
            pytest.skip(f"partitioned tables are not planned: {refusal.reason}")
        attach = (
            "CREATE TABLE reports_2 (LIKE reports INCLUDING ALL); INSERT INTO reports_2 VALUES (60, 999, 'late');"
            " ALTER TABLE reports ATTACH PARTITION reports_2 FOR VALUES FROM (51) TO (100)"
        )
        await change(scene, attach)
        try:
            job = await scene.end(await scene.start(plan))
        except Refused as refusal:
            assert refusal.reason is Reason.PLAN_DRIFTED  # noqa: PT017 (both ends are right)
        else:
            assert job.state == "SUCCEEDED" or job.error_reason in _STOPPED
        assert await rows_in_all(scene, "reports_2") == 1
