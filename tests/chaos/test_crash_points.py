"""Crash at every place, one after the other: check what is there, go on, compare, roll back, compare.

A run without faults tells which places are passed. Then the process is killed at the first, at the second, and so on to the last; twice
in one job at pairs drawn by a seed; and stopped, overtaken and woken up.
"""

import asyncio
import os
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from chaos import checker
from chaos.checker import counted
from chaos.databases import CASCADES, CHANGES, CIRCLE, DECLARED, PARTITIONED, SAMPLES, SHARED, SIMPLE, Sample
from chaos.replica import Nursery
from chaos.rig import Rig, rigged
from conftest import server_of
from holdfastd.flows import migrations
from holdfastd.flows.restore import restore
from holdfastd.jobs.model import Job, JobKind, JobOptions
from support.harness import CALLER, Harness
from support.postgres import Server

SEED = int(os.environ.get("HOLDFAST_CHAOS_SEED", "4"))
#: Every sample on the newest version; on the oldest at hand those that differ most.
NEWEST, OLDEST = 18, 15
ON_BOTH = (SIMPLE, CASCADES, DECLARED)

JOB_PLACES = {"LEASE.taken", "SESSION.lock_taken", "OUTCOME.before_note", "OUTCOME.noted", "LEASE.worked_off", "LEASE.ended"}
KEY_MOMENTS = ("begun", "intent_written", "before_exec", "executed", "before_commit", "effected")
#: What one table, one key and one cleanup pass.
APPLY_PLACES = JOB_PLACES | {
    *(f"PREPARE.{moment}" for moment in ("begun", "before_exec", "executed", "committed", "effected")),
    *(f"CREATE_INDEX.{moment}" for moment in ("begun", "intent_written", "before_exec", "executed", "effected")),
    *(f"{kind}.{moment}" for kind in ("ADD_FOREIGN_KEY", "VALIDATE_FOREIGN_KEY") for moment in KEY_MOMENTS),
    *(f"CLEAN_UP.{moment}" for moment in KEY_MOMENTS),
    *(f"CLEAN_UP.{moment}" for moment in ("lock_acquired", "backed_up", "committed", "cleaned")),
    *("VERIFY.begun", "VERIFY.done_written"),
}
#: What a partitioned table passes beyond that.
PARTITION_PLACES = {"CREATE_INDEX.before_commit"} | {f"ATTACH_INDEX.{moment}" for moment in KEY_MOMENTS}
ROLLBACK_PLACES = JOB_PLACES | {
    "ROLLBACK.fenced",
    *(f"UNDO.{moment}" for moment in ("begun", "before_exec", "executed", "done_written")),
    *(f"RESTORE.{moment}" for moment in ("begun", "executed", "before_commit", "committed")),
}
RESTORE_PLACES = {place for place in ROLLBACK_PLACES if not place.startswith(("ROLLBACK.", "UNDO."))}
#: Not a job's: test_guards.py has them.
PURGE_PLACES = {"PURGE.before_commit", "PURGE.committed"}


def on_versions(samples: Sequence[Sample], oldest: Sequence[Sample] = ON_BOTH) -> pytest.MarkDecorator:
    """Run a test for samples on the newest version, and for some of them on the oldest."""
    pairs = [(major, sample) for major in (NEWEST, OLDEST) for sample in samples if major == NEWEST or sample in oldest]
    names = [f"pg{major}-{sample.name}" for major, sample in pairs]
    return pytest.mark.parametrize(("server", "sample"), pairs, indirect=["server"], ids=names)


@pytest.fixture
async def server(request: pytest.FixtureRequest, servers: dict[int, Server]) -> Server:
    return await server_of(servers, request.param)


async def check_dead(rig: Rig, *, is_rollback: bool) -> None:
    """What must hold right after the service died."""
    await checker.nothing_left(rig.dsn)
    now = await checker.read_state(rig.server, rig.dsn, with_schema=False)
    saved = await checker.read_backup(rig.dsn, rig.before.columns)
    checker.conserved(rig.before, now, saved, keys=rig.sample.keys)
    checker.only_doomed(rig.before, saved, rig.sample.keys)
    checker.keys_are_prefix(rig.before, now, rig.after)
    await checker.ledger_explains(rig.dsn, finished=False)
    if not is_rollback:
        await checker.done_means_there(rig.dsn, rig.steps, rig.sample.keys)
    await checker.audit_log_intact(rig.store)


async def check_ended(rig: Rig, expected: checker.State) -> None:
    """What must hold at the end of a job: all as if nothing had happened."""
    checker.same(await checker.read_state(rig.server, rig.dsn), expected)
    await checker.no_half_built_index(rig.dsn)
    await checker.ledger_explains(rig.dsn, finished=True)
    await checker.audit_log_intact(rig.store)


@asynccontextmanager
async def applying(rig: Rig) -> AsyncIterator[tuple[Harness, Job]]:
    """Begin an application; afterwards go on without faults, roll back, and find all as it was."""
    await rig.go_back("planned")
    async with rig.services() as harness:
        job = await migrations.apply(harness.services, CALLER, rig.plan_id)
        yield harness, job
        async with rig.replica():
            await harness.succeed(job)
            await check_ended(rig, rig.after)
            await harness.succeed(await migrations.roll_back(harness.services, CALLER, job.id))
        await check_ended(rig, rig.before)


@asynccontextmanager
async def rolling_back(rig: Rig) -> AsyncIterator[tuple[Harness, Job]]:
    """Begin the rollback of a finished application; afterwards go on without faults, and find all as it was."""
    await rig.go_back("applied")
    async with rig.services() as harness:
        job = await migrations.roll_back(harness.services, CALLER, rig.application_id)
        yield harness, job
        async with rig.replica():
            await harness.succeed(job)
        await check_ended(rig, rig.before)


async def crash_in_application(rig: Rig, *places: str) -> None:
    async with applying(rig) as (harness, job):
        await crash(rig, harness, job, places)


async def crash_in_rollback(rig: Rig, *places: str) -> None:
    async with rolling_back(rig) as (harness, job):
        await crash(rig, harness, job, places)


async def crash(rig: Rig, harness: Harness, job: Job, places: tuple[str, ...]) -> None:
    """Crash at the first place, then in the resumed job at the second; that one may have nothing to do there any more."""
    for number, place in enumerate(places):
        has_died = await rig.crash(harness, job, place)
        # How many batches there are depends on how fast the machine is today.
        assert has_died or number > 0 or not place.endswith("#1"), "the place was not passed"
        await check_dead(rig, is_rollback=job.kind is JobKind.ROLLBACK)


async def sleep_in_application(rig: Rig, place: str) -> None:
    """Stop the process at a place, let another finish the job, and wake it up: it must not change a thing."""
    await rig.go_back("planned")
    async with rig.services() as harness:
        job = await migrations.apply(harness.services, CALLER, rig.plan_id)
        sleeper = await rig.start(failpoints=f"{place}=stop")
        await asleep(sleeper.pid)
        await rig.end_leases()
        async with rig.replica():
            ended = await harness.succeed(job)
            sleeper.signal(signal.SIGCONT)
            assert await sleeper.stop() == 0
            await check_ended(rig, rig.after)
            await harness.succeed(await migrations.roll_back(harness.services, CALLER, job.id))
        assert ended.epoch > 1
        await check_ended(rig, rig.before)


async def crash_in_restore(rig: Rig, *places: str) -> None:
    """Bring the referenced rows back, crash while their orphan rows are put back, go on: all rows are there, and the keys, too."""
    await rig.go_back("applied")
    await rig.server.execute(rig.sample.bring_back, database=rig.name)
    begun = await checker.read_state(rig.server, rig.dsn, with_schema=False)
    came = {table: rows - rig.after.rows[table] for table, rows in begun.rows.items()}
    async with rig.services() as harness:
        job = await restore(harness.services, CALLER, rig.application_id, JobOptions(relink=True))
        for place in places:
            await rig.crash(harness, job, place)
            await checker.nothing_left(rig.dsn)
            now = await checker.read_state(rig.server, rig.dsn, with_schema=False)
            saved = await checker.read_backup(rig.dsn, rig.before.columns)
            checker.conserved(rig.before, now, saved, keys=rig.sample.keys, written=came)
        async with rig.replica(trace=rig.folder / "restore"):
            await harness.succeed(job)
    now = await checker.read_state(rig.server, rig.dsn, with_schema=False)
    checker.conserved(rig.before, now, (), written=came)
    assert now.keys == rig.after.keys


async def asleep(pid: int) -> None:
    """Wait until a process is stopped."""
    status = Path("/proc", str(pid), "stat")
    async with asyncio.timeout(60):
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0.02)


async def try_all(rig: Rig, case: Callable[..., Awaitable[None]], tries: Iterable[tuple[str, ...]]) -> None:
    """Run a case for every place; tell all that failed, not only the first."""
    failures: list[str] = []
    for places in tries:
        try:
            await case(rig, *places)
        except (AssertionError, TimeoutError) as error:
            failures.append(f"{rig.sample.name} at {' then '.join(places)}: {error or 'it did not end in time'}")
        counted.cases += 1
    assert not failures, "\n" + "\n".join(failures)


def singles(places: Iterable[str]) -> list[tuple[str]]:
    return [(place,) for place in places]


def pairs(places: tuple[str, ...], name: str, count: int) -> list[tuple[str, str]]:
    """Draw pairs of places, the same for the same seed."""
    draw = random.Random(f"{SEED} {name}")
    return [(draw.choice(places), draw.choice(places)) for _ in range(count)]


def slow(*places: str) -> list[ParameterSet]:
    return [pytest.param(place, marks=pytest.mark.slow) for place in places]


def name_of(place: str) -> str:
    return place.partition("#")[0]


@pytest.fixture(scope="module")
async def simple(postgres: Server, replicas: Nursery) -> AsyncIterator[Rig]:
    """The simplest database, for a taste of all that follows."""
    async with rigged(postgres, replicas, SIMPLE) as rig:
        yield rig


async def test_places_of_the_simplest_plan(simple: Rig) -> None:
    """One table, one key and one cleanup pass every place that there is."""
    assert {name_of(place) for place in simple.apply_places} == APPLY_PLACES
    assert {name_of(place) for place in simple.rollback_places} == ROLLBACK_PLACES


@pytest.mark.parametrize(
    "place",
    ["CREATE_INDEX.executed#1", "CLEAN_UP.executed#1", *slow("CREATE_INDEX.before_exec#1", "CLEAN_UP.committed#1")],
)
async def test_crash_in_an_application(simple: Rig, place: str) -> None:
    """Between an index and its note, and amid a batch."""
    await try_all(simple, crash_in_application, [(place,)])


@pytest.mark.parametrize("place", ["RESTORE.committed#1", *slow("RESTORE.before_commit#1", "UNDO.executed#2")])
async def test_crash_in_a_rollback(simple: Rig, place: str) -> None:
    """When rows are back, and when an index is dropped but not noted."""
    await try_all(simple, crash_in_rollback, [(place,)])


SLEEPY = ("PREPARE.executed", "CREATE_INDEX.executed", "ADD_FOREIGN_KEY.before_exec", "CLEAN_UP.begun", "CLEAN_UP.lock_acquired")
MORE = ("CREATE_INDEX.before_exec", "CLEAN_UP.before_exec", "CLEAN_UP.before_commit", "VALIDATE_FOREIGN_KEY.executed", "LEASE.worked_off")


@pytest.mark.slow
@pytest.mark.parametrize("place", [*SLEEPY, *MORE])
async def test_sleeper_wakes_up(simple: Rig, place: str) -> None:
    """A process that slept while another took over changes nothing when it wakes, wherever it slept."""
    await try_all(simple, sleep_in_application, [(f"{place}#1",)])


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_versions((SIMPLE, CASCADES))
async def test_crash_at_every_place_of_a_restore(server: Server, replicas: Nursery, sample: Sample) -> None:
    """Wherever putting rows back under enforced keys dies, the next process ends it, and every row is there once."""
    async with rigged(server, replicas, sample) as rig:
        await try_all(rig, crash_in_restore, [()])
        places = tuple((rig.folder / "restore").read_text().split())
        assert {name_of(place) for place in places} == RESTORE_PLACES
        await try_all(rig, crash_in_restore, singles(places))


def test_every_place_in_the_source_is_expected() -> None:
    """A new place must be named here, so that it is crashed at."""
    source = Path(__file__).parents[2] / "service" / "holdfastd"
    named = {name for file in source.rglob("*.py") for name in re.findall(r'reach\(f?"([^"]+)"', file.read_text())}
    expected = APPLY_PLACES | PARTITION_PLACES | ROLLBACK_PLACES | PURGE_PLACES
    moments = {f"{{step.kind}}.{place.partition('.')[2]}" for place in expected}

    assert named <= expected | moments, f"not crashed at: {named - expected - moments}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_versions(SAMPLES)
async def test_crash_at_every_place_of_an_application(server: Server, replicas: Nursery, sample: Sample) -> None:
    """Wherever an application dies, no row is lost, the next process ends it as if nothing had happened, and it can be rolled back."""
    async with rigged(server, replicas, sample) as rig:
        assert {name_of(place) for place in rig.apply_places} <= APPLY_PLACES | PARTITION_PLACES
        await try_all(rig, crash_in_application, singles(rig.apply_places))


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_versions(SAMPLES)
async def test_crash_at_every_place_of_a_rollback(server: Server, replicas: Nursery, sample: Sample) -> None:
    """Wherever a rollback dies, the next process ends it, and the database is as it was before the application."""
    async with rigged(server, replicas, sample) as rig:
        assert {name_of(place) for place in rig.rollback_places} <= ROLLBACK_PLACES
        await try_all(rig, crash_in_rollback, singles(rig.rollback_places))


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_versions((CASCADES, CHANGES, DECLARED, CIRCLE, SHARED, PARTITIONED), oldest=(CASCADES, PARTITIONED))
async def test_crash_twice(server: Server, replicas: Nursery, sample: Sample) -> None:
    """A crash while recovering from a crash is no worse."""
    async with rigged(server, replicas, sample) as rig:
        await try_all(rig, crash_in_application, pairs(rig.apply_places, sample.name, 6))
        await try_all(rig, crash_in_rollback, pairs(rig.rollback_places, sample.name, 4))
