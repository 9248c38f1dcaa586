"""Schedules: set, followed by any number of replicas, and honest about what did not take place."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from structlog.testing import capture_logs

from holdfast.v1 import schedule_service_pb2 as pb
from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from holdfastd.flows import schedules as flow
from holdfastd.flows.context import Caller
from holdfastd.jobs.model import JobState
from holdfastd.jobs.scheduler import start_due_forever
from holdfastd.store import audit_log, audits, databases, jobs, leases, schedules
from holdfastd.store.pool import Store
from integration.rpc.test_api import info, refused
from support.listener import wait_until
from support.stored import add_audit, add_database

NIGHTLY = {"cron": "30 2 * * *", "time_zone": "Europe/Berlin"}
OFTEN = {"interval": Duration(seconds=600)}


@pytest.fixture
async def shop(api):
    return await add_database(api.services.store)


async def put(api, name="shop", /, **fields):
    request = pb.SetScheduleRequest(database=name, schedule=pb.Schedule(**fields))
    return (await ScheduleServiceStub(api.channel).SetSchedule(request)).schedule


async def got(api, database="shop"):
    return (await ScheduleServiceStub(api.channel).GetSchedule(pb.GetScheduleRequest(database=database))).schedule


async def age(api, ago):
    """Let the due time of every schedule be so long ago."""
    async with api.services.store.connection() as connection:
        await connection.execute(
            "UPDATE schedules SET due_time = clock_timestamp() - $1::interval, next_time = clock_timestamp() - $1", ago
        )


async def end_audit(api):
    async with api.services.store.transaction() as connection:
        job = await leases.claim(connection, "replica", timedelta(seconds=60))
        await leases.finish(connection, job, JobState.SUCCEEDED)


async def audit_ids(api):
    async with api.services.store.connection() as connection:
        return [record.id for record in await audits.list_page(connection, limit=100)]


async def entries(api, *actions):
    async with api.services.store.connection() as connection:
        found = await audit_log.list_page(connection, limit=100)
    return [entry for entry in found if entry.action in actions]


def seconds_from_now(moment):
    return (moment.ToDatetime(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


async def test_a_schedule_comes_back_as_it_was_set(api, shop):
    """With when it starts next and who set it."""
    stated = {**OFTEN, "jitter": Duration(seconds=60), "estimate_after": Duration(seconds=30)}
    schedule = await put(api, **stated)

    assert schedule == await got(api)
    assert (schedule.database, schedule.principal, schedule.missed_runs, schedule.last_audit_id) == ("shop", "anonymous", 0, "")
    assert (schedule.interval.seconds, schedule.jitter.seconds, schedule.estimate_after.seconds) == (600, 60, 30)
    assert 590 < seconds_from_now(schedule.next_time) < 661
    (entry,) = await entries(api, "schedule.set")
    assert (entry.subject, entry.details) == (shop.id, {"interval": "0:10:00", "jitter": "0:01:00"})


async def test_setting_the_same_again_moves_nothing(api, shop):
    """Whoever keeps settings in files sets them every ten minutes, and a run every six hours must come all the same."""
    first = await put(api, **OFTEN, jitter=Duration(seconds=300))
    await age(api, timedelta(hours=1))
    await flow.start_due(api.services)
    before = await got(api)

    again = await put(api, **OFTEN, jitter=Duration(seconds=300), estimate_after=Duration(seconds=9))
    assert (again.next_time, again.missed_runs) == (before.next_time, 6)
    assert again.estimate_after.seconds == 9

    other = await put(api, **NIGHTLY)
    assert (other.WhichOneof("recurrence"), other.missed_runs, other.missed_reason) == ("cron", 0, "")
    assert other.next_time != before.next_time != first.next_time


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"cron": "0 0 30 2 *"}, "schedule.cron"),
        ({"cron": " "}, "schedule.cron"),
        ({"cron": "x" * 5000}, "schedule.cron"),
        ({"cron": "0 2 * * *", "time_zone": "Berlin"}, "schedule.time_zone"),
        ({"interval": Duration(seconds=59)}, "schedule.interval"),
        ({"interval": Duration(seconds=-60)}, "schedule.interval"),
        ({**OFTEN, "jitter": Duration(seconds=3601)}, "schedule.jitter"),
        ({**OFTEN, "estimate_after": Duration()}, "schedule.estimate_after"),
        ({**OFTEN, "database": "other"}, "schedule.database"),
        ({}, "schedule"),
    ],
)
async def test_what_cannot_be_meant_is_refused(shared_api, fields, path):
    """With the path of the field."""
    error = await refused(put(shared_api, **fields))

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, path)


async def test_setting_the_same_again_mends_what_a_wrong_clock_did(api, shop):
    """A clock that was years ahead for a minute would otherwise end the audits for years."""
    wanted = await put(api, **OFTEN)
    await age(api, timedelta(days=-3650))
    mended = await put(api, **OFTEN)

    assert mended.next_time.ToDatetime() - wanted.next_time.ToDatetime() < timedelta(minutes=1)


async def test_a_database_without_a_schedule_says_so(api, shop):
    """Removing what is not there succeeds."""
    await put(api, **OFTEN)
    stub = ScheduleServiceStub(api.channel)
    for _ in range(2):
        await stub.RemoveSchedule(pb.RemoveScheduleRequest(database="shop"))

    error = await refused(got(api))
    assert (error.code(), info(error).reason) == (grpc.StatusCode.NOT_FOUND, "SCHEDULE_NOT_FOUND")
    unknown = await refused(put(api, "nowhere", **OFTEN))
    assert info(unknown).reason == "DATABASE_NOT_FOUND"


async def test_a_removed_database_takes_its_schedule_along(api, shop):
    """Nothing starts for it any more."""
    await put(api, **OFTEN)
    await age(api, timedelta(seconds=1))
    async with api.services.store.transaction() as connection:
        await databases.remove(connection, "shop")

    assert not await flow.start_due(api.services)


async def test_lists_tell_what_the_caller_may_see(api):
    """In pages, by name."""
    for number, name in enumerate(("c", "a", "b"), start=1):
        await add_database(api.services.store, name, oid=number)
        await put(api, name, **OFTEN)
    stub = ScheduleServiceStub(api.channel)
    first = await stub.ListSchedules(pb.ListSchedulesRequest(page_size=2))
    rest = await stub.ListSchedules(pb.ListSchedulesRequest(page_size=2, page_token=first.next_page_token))

    assert [item.database for item in (*first.schedules, *rest.schedules)] == ["a", "b", "c"]
    scoped = Caller(principal="p", visible=frozenset({"b", "elsewhere"}))
    assert [item.database for item in await flow.list_page(api.services, scoped, "", 10)] == ["b"]
    assert await flow.list_page(api.services, Caller(principal="p", visible=frozenset()), "", 10) == ()


async def test_what_is_due_is_started_once(api, shop):
    """By the schedule's own name, and the audit log knows who set it."""
    await put(api, **OFTEN, estimate_after=Duration(seconds=7))
    assert not await flow.start_due(api.services)
    await age(api, timedelta(seconds=1))

    assert await flow.start_due(api.services)
    assert not await flow.start_due(api.services)

    (audit_id,) = await audit_ids(api)
    async with api.services.store.connection() as connection:
        audit = await audits.get(connection, audit_id)
        job = await jobs.get(connection, audit.job_id)
    (entry,) = await entries(api, "audit.start")
    schedule = await got(api)
    assert (job.principal, audit.estimate_after) == ("schedule:shop", timedelta(seconds=7))
    assert (entry.principal, entry.subject, entry.details["set_by"]) == ("schedule:shop", audit_id, "anonymous")
    assert (schedule.last_audit_id, schedule.missed_runs) == (audit_id, 0)
    assert abs(seconds_from_now(schedule.last_time)) < 30
    assert 590 < seconds_from_now(schedule.next_time) < 600


async def test_three_replicas_start_one_audit_per_due_time(api, postgres):
    """Each with its own connections to the store, all looking at the same moment, over and over."""
    names = [f"db{number}" for number in range(6)]
    for number, name in enumerate(names):
        await add_database(api.services.store, name, oid=number)
        await put(api, name, **OFTEN)
    stopping = asyncio.Event()
    stores = [await Store.open(api.dsn) for _ in range(3)]
    replicas = [
        asyncio.create_task(
            start_due_forever(
                stopping,
                seconds_to_next=partial(flow.seconds_to_next, services),
                start_due=partial(flow.start_due, services),
                poll=timedelta(seconds=0.3),
            )
        )
        for services in (type(api.services)(**_fields(api.services) | {"store": store}) for store in stores)
    ]
    try:
        for turn in range(1, 5):
            await age(api, timedelta(seconds=1))
            async with api.services.store.connection() as connection:
                await wait_until(connection, "SELECT NOT EXISTS (SELECT FROM schedules WHERE next_time <= clock_timestamp())")
                assert await connection.fetchval("SELECT count(*) FROM audits") == turn * len(names)
                # Ended, or the next turn would be missed.
                await connection.execute("UPDATE jobs SET state = 'SUCCEEDED', end_time = clock_timestamp() WHERE state = 'QUEUED'")
    finally:
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*replicas), timeout=5)
        for store in stores:
            await store.close()

    assert len(await audit_ids(api)) == 4 * len(names)
    assert {(await got(api, name)).missed_runs for name in names} == {0}


def _fields(services):
    return {name: getattr(services, name) for name in type(services).__slots__}


@pytest.mark.parametrize("scheduled", [True, False], ids=["its own", "somebody's"])
async def test_an_audit_at_work_makes_the_next_run_a_missed_one(api, shop, scheduled):
    """They never overlap, and nothing waits in line for its end."""
    await put(api, **OFTEN)
    if scheduled:
        await age(api, timedelta(seconds=1))
        await flow.start_due(api.services)
    else:
        await add_audit(api.services.store, shop)
    (at_work,) = await audit_ids(api)
    await age(api, timedelta(seconds=1))

    assert await flow.start_due(api.services)
    schedule = await got(api)
    assert await audit_ids(api) == [at_work]
    assert schedule.missed_runs == 1
    assert schedule.missed_reason.startswith(f"Audit {at_work} of the database was still queued at ")
    assert 590 < seconds_from_now(schedule.next_time) < 600

    await end_audit(api)
    await age(api, timedelta(seconds=1))
    await flow.start_due(api.services)
    assert len(await audit_ids(api)) == 2


async def test_runs_that_nobody_started_are_told_and_not_caught_up(api, shop):
    """An hour without a replica: six runs of ten minutes are counted, and the next one comes when it is due."""
    await put(api, **OFTEN)
    await age(api, timedelta(minutes=59))

    with capture_logs() as lines:
        assert await flow.start_due(api.services)
    assert not await flow.start_due(api.services)
    schedule = await got(api)
    (entry,) = await entries(api, "schedule.miss")
    assert await audit_ids(api) == []
    assert (schedule.missed_runs, schedule.last_audit_id) == (6, "")
    assert schedule.missed_reason.startswith("No replica was there to start it at ")
    assert 50 < seconds_from_now(schedule.next_time) < 60
    assert (entry.principal, entry.subject, entry.details) == (
        "schedule:shop",
        shop.id,
        {"runs": "6", "reason": schedule.missed_reason},
    )
    assert [line["runs"] for line in lines if line["event"] == "schedule_missed"] == [6]


async def test_a_schedule_that_cannot_be_read_does_not_hold_up_the_others(api, shop):
    """Such as one with a time zone that this replica does not know."""
    await add_database(api.services.store, "other", oid=9)
    await put(api, **NIGHTLY)
    await put(api, "other", **OFTEN)
    await age(api, timedelta(seconds=1))
    async with api.services.store.connection() as connection:
        await connection.execute("UPDATE schedules SET time_zone = 'Mars/Base', next_time = next_time - interval '1s' WHERE cron <> ''")

    assert [await flow.start_due(api.services) for _ in range(3)] == [True, True, False]
    assert (await got(api, "other")).last_audit_id != ""
    broken = await got(api)
    assert (broken.missed_runs, broken.last_audit_id) == (1, "")
    assert "Mars/Base" in broken.missed_reason


async def test_a_database_that_is_being_removed_is_left_alone(api, shop):
    """Neither waits for the other: the schedule is skipped until it is known what becomes of the database."""
    await put(api, **OFTEN)
    await age(api, timedelta(seconds=1))
    async with api.services.store.transaction() as connection:
        await connection.execute("SELECT FROM databases WHERE name = 'shop' FOR UPDATE")
        assert not await asyncio.wait_for(flow.start_due(api.services), timeout=5)

    assert await flow.start_due(api.services)


async def test_a_start_comes_within_the_second_it_is_due(api, shop):
    """The loop looks when the next start comes, not only every few seconds."""
    await put(api, **OFTEN)
    stopping = asyncio.Event()
    async with api.services.store.connection() as connection:
        await connection.execute("UPDATE schedules SET next_time = clock_timestamp() + interval '0.6s', due_time = clock_timestamp()")
    loop = asyncio.create_task(
        start_due_forever(
            stopping, seconds_to_next=partial(flow.seconds_to_next, api.services), start_due=partial(flow.start_due, api.services)
        )
    )
    try:
        async with api.services.store.connection() as connection:
            started = asyncio.get_running_loop().time()
            await wait_until(connection, "SELECT EXISTS (SELECT FROM audits)")
            assert asyncio.get_running_loop().time() - started < 3
    finally:
        stopping.set()
        await asyncio.wait_for(loop, timeout=5)
    async with api.services.store.connection() as connection:
        assert await schedules.seconds_to_next(connection) > 500
