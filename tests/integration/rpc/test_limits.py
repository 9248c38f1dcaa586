"""What many, slow and hostile clients may do to a replica: be refused, and nothing to others."""

import asyncio
import random
from datetime import timedelta

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from holdfast.v1 import job_service_pb2 as pb
from holdfast.v1.job_service_pb2_grpc import JobServiceStub
from holdfastd.errors import Unavailable
from holdfastd.jobs import tail
from holdfastd.jobs.model import JobState
from holdfastd.store import leases
from support.stored import add_audit, add_database, an_event

WATCHERS = 500


@pytest.fixture
async def job(api):
    """A job that this test works on."""
    return await taken(api)


async def taken(api):
    await add_audit(api.services.store, await add_database(api.services.store))
    async with api.services.store.transaction() as connection:
        return await leases.claim(connection, "w", timedelta(minutes=5))


async def append(api, job, count):
    for _ in range(count):
        async with api.services.store.transaction() as connection:
            await leases.append_event(connection, job, an_event())


async def finish(api, job):
    async with api.services.store.transaction() as connection:
        await leases.finish(connection, job, JobState.SUCCEEDED)


async def told(api, job, token="", *, channel=None):
    """Watch to the end: the kinds of the messages, events by their sequence, heartbeats left out, and the last token."""
    heard = []
    async for message in JobServiceStub(channel or api.channel).WatchJob(pb.WatchJobRequest(id=job.id, resume_token=token)):
        kind = message.WhichOneof("payload")
        if kind != "heartbeat":
            heard.append(message.event.sequence if kind == "event" else kind)
    return heard


async def watched(api, job, count):
    """Wait until so many calls watch the job on this replica."""
    async with asyncio.timeout(20):
        while (found := api.services.feed._watched.get(job.id)) is None or found.watchers < count:
            await asyncio.sleep(0.01)


async def refused(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await awaitable
    return failed.value


def details(error):
    """The details of an error by their names."""
    found = {}
    for detail in rpc_status.from_call(error).details:
        message = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        detail.Unpack(message)
        found[type(message).__name__] = message
    return found


async def test_five_hundred_watch_one_job(api, job):
    """Over one connection: each hears everything once and in order, one tail reads for all, and nothing is left of them."""
    await append(api, job, 5)
    tasks_before = len(asyncio.all_tasks())
    watches = [asyncio.create_task(told(api, job)) for _ in range(WATCHERS)]
    await watched(api, job, WATCHERS)
    await append(api, job, 20)
    await finish(api, job)
    async with asyncio.timeout(30):
        heard = await asyncio.gather(*watches)

    assert len(api.services.feed._watched) == 0
    assert heard == [["snapshot", *range(1, 27), "final"]] * WATCHERS
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks_before:
            await asyncio.sleep(0.01)


async def test_watchers_of_a_job_ask_the_store_as_one(api, job):
    """However many watch, an event costs one look at the store."""
    watches = [asyncio.create_task(told(api, job)) for _ in range(100)]
    await watched(api, job, 100)
    before = api.services.feed._watched[job.id].tail._begun
    await append(api, job, 10)
    looks = api.services.feed._watched[job.id].tail._begun - before
    await finish(api, job)
    await asyncio.gather(*watches)

    assert looks <= 11


async def test_a_client_that_never_reads_holds_nobody_up(api, job):
    """On a connection of its own and on that of the others; what it does not read is not kept for it."""
    # Otherwise the window of a stream grows to megabytes, and it takes more events to fill it.
    narrow = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
    async with (
        grpc.aio.insecure_channel(api.address, options=narrow) as shared,
        grpc.aio.insecure_channel(api.address, options=narrow) as own,
    ):
        lazy = [JobServiceStub(channel).WatchJob(pb.WatchJobRequest(id=job.id)) for channel in (shared, own)]
        for call in lazy:
            await call.read()
        watches = [asyncio.create_task(told(api, job, channel=shared)) for _ in range(10)]
        await watched(api, job, 12)
        await flood(api, job, 3_000)
        await finish(api, job)
        async with asyncio.timeout(20):
            heard = await asyncio.gather(*watches)

        stuck = api.services.feed._watched[job.id]
        assert stuck.watchers == 2
        assert len(stuck.tail._kept) <= tail._KEPT
        assert all(items == ["snapshot", *range(1, 3_002), "final"] for items in heard)
        # Whoever reads again after all has missed nothing.
        assert (await rest(lazy[0]))[-1] == 3_001
        # The other leaves in the middle of a write.
        await own.close()
    async with asyncio.timeout(5):
        while api.services.feed._watched:
            await asyncio.sleep(0.01)
    labels = {"grpc_type": "server_stream", "grpc_service": "holdfast.v1.JobService", "grpc_method": "WatchJob"}
    assert api.metrics.registry.get_sample_value("grpc_server_handled_total", labels | {"grpc_code": "INTERNAL"}) is None


async def rest(call):
    """The sequences of the events that are still to be read, gapless."""
    heard = []
    while (message := await call.read()) is not grpc.aio.EOF:
        if message.WhichOneof("payload") == "event":
            heard.append(message.event.sequence)
    assert heard == list(range(heard[0], heard[-1] + 1))
    return heard


async def flood(api, job, count):
    """Append many large events in one statement."""
    async with api.services.store.transaction() as connection:
        head = await connection.fetchval(
            "UPDATE jobs SET last_sequence = last_sequence + $2 WHERE id = $1 RETURNING last_sequence", job.id, count
        )
        document = '{"kind": "PROGRESS", "message": "' + "x" * 1_500 + '"}'
        insert = (
            "INSERT INTO events (job_id, sequence, document) SELECT $1, number, $2 FROM generate_series($3::bigint, $4::bigint) AS number"
        )
        await connection.execute(insert, job.id, document, head - count + 1, head)


async def test_a_watch_goes_on_anywhere_and_through_a_store_that_reconnects(api, job, monkeypatch):
    """From any token, while events come and connections are cut: no gap and no repeat, also for those who are far behind."""
    monkeypatch.setattr(tail, "_KEPT", 8)
    monkeypatch.setattr(tail, "_PAGE", 5)
    await append(api, job, 40)
    tokens = await first_tokens(api, job, 40)
    seed = random.randrange(10**6)
    print("seed", seed)
    order = random.Random(seed)
    watches = []
    for round_number in range(6):
        for _ in range(10):
            after = order.randrange(41)
            watches.append((after, asyncio.create_task(told(api, job, tokens[after]))))
        await append(api, job, order.randrange(12))
        if round_number in (2, 4):
            await cut(api)
    await finish(api, job)
    async with asyncio.timeout(30):
        heard = [(after, await watch) for after, watch in watches]
    async with api.services.store.connection() as connection:
        last = await connection.fetchval("SELECT last_sequence FROM jobs WHERE id = $1", job.id)

    assert [items for _, items in heard] == [["snapshot", *range(after + 1, last + 1), "final"] for after, _ in heard]


async def first_tokens(api, job, count):
    """The token after each of the first events, by sequence; 0 is that of the snapshot."""
    call, found = JobServiceStub(api.channel).WatchJob(pb.WatchJobRequest(id=job.id)), {}
    while len(found) <= count:
        message = await call.read()
        found[message.event.sequence] = message.resume_token
    call.cancel()
    return found


async def cut(api):
    """End every connection of the service to its store, as a restart of PostgreSQL would."""
    killer = await asyncpg.connect(api.dsn)
    await killer.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await killer.close()
    # Those who lend a connection now may meet a dead one: once each.
    for _ in range(20):
        try:
            async with api.services.store.connection() as connection:
                await connection.fetchval("SELECT 1")
        except Unavailable:
            await asyncio.sleep(0)


async def test_events_that_are_no_longer_kept_are_told(api, job):
    """A gap is an error with its reason, never a jump; a job that is gone is not found."""
    await append(api, job, 5)
    await finish(api, job)
    tokens = await first_tokens(api, job, 3)
    async with api.services.store.transaction() as connection:
        await connection.execute("DELETE FROM events WHERE job_id = $1 AND sequence <= 2", job.id)
    pruned = await refused(told(api, job))
    assert await told(api, job, tokens[2]) == ["snapshot", 3, 4, 5, 6, "final"]
    async with api.services.store.transaction() as connection:
        await connection.execute("DELETE FROM jobs WHERE id = $1", job.id)
    gone = await refused(told(api, job, tokens[2]))

    assert pruned.code() is grpc.StatusCode.OUT_OF_RANGE
    assert details(pruned)["ErrorInfo"].reason == "EVENTS_PRUNED"
    assert gone.code() is grpc.StatusCode.NOT_FOUND


async def test_a_job_that_is_deleted_ends_its_watches(api, job):
    """Whoever watches it is told, and does not wait for ever."""
    watch = asyncio.create_task(told(api, job))
    await watched(api, job, 1)
    async with api.services.store.transaction() as connection:
        await connection.execute("DELETE FROM jobs WHERE id = $1", job.id)
        await connection.execute("SELECT pg_notify('holdfast_jobs', $1)", job.id)

    assert (await refused(asyncio.wait_for(watch, 10))).code() is grpc.StatusCode.NOT_FOUND


async def test_what_is_beyond_a_limit_is_refused_at_once(narrow_api):
    """With the reason and when to come back; health is answered all the same, and a place that is left is free again."""
    api = narrow_api
    job = await taken(api)
    watch = JobServiceStub(api.channel).WatchJob(pb.WatchJobRequest(id=job.id))
    await watch.read()
    over = await refused(told(api, job))
    health = await health_pb2_grpc.HealthStub(api.channel).Check(health_pb2.HealthCheckRequest())
    calls = [JobServiceStub(api.channel).GetJob(pb.GetJobRequest(id=job.id)) for _ in range(40)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    watch.cancel()
    async with asyncio.timeout(5):
        while api.services.feed._watched:
            await asyncio.sleep(0.01)
    again = JobServiceStub(api.channel).WatchJob(pb.WatchJobRequest(id=job.id))
    assert (await again.read()).WhichOneof("payload") == "snapshot"
    again.cancel()

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert over.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(over)["ErrorInfo"].reason == "LIMIT_REACHED"
    assert dict(details(over)["ErrorInfo"].metadata) == {"what": "watches", "limit": "1"}
    assert details(over)["RetryInfo"].retry_delay.seconds == 1
    assert 0 < len(refusals) < 40
    assert {refusal.code() for refusal in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}


async def test_a_call_has_its_place_before_the_store_is_asked_who_may_make_it(guarded_api):
    """Otherwise a store that is slow would let any number of calls wait for it."""
    api, token = guarded_api
    job, blocker = await taken(api), await asyncpg.connect(api.dsn)
    await blocker.execute("BEGIN; LOCK TABLE holdfastd.jobs")
    call = api.channel.unary_unary("/holdfast.v1.JobService/GetJob")
    request, who = pb.GetJobRequest(id=job.id).SerializeToString(), (("authorization", f"Bearer {token}"),)
    calls = [asyncio.ensure_future(call(request, metadata=who)) for _ in range(5)]
    try:
        async with asyncio.timeout(5):
            while sum(one.done() for one in calls) < len(calls) - 1:
                await asyncio.wait([one for one in calls if not one.done()], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await blocker.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)

    refusals = [answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert refusals == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 4


async def test_messages_and_headers_beyond_the_limit_are_refused(shared_api):
    """By gRPC itself, before they are read; smaller ones are judged by what is in them."""
    call = shared_api.channel.unary_unary("/holdfast.v1.JobService/GetJob")
    largest = await refused(call(pb.GetJobRequest(id="x" * (4 * 1024 * 1024 - 100)).SerializeToString()))
    larger = await refused(call(pb.GetJobRequest(id="x" * (4 * 1024 * 1024 + 1)).SerializeToString()))
    header = await refused(call(b"", metadata=(("x-request-id", "x" * 40_000),)))

    assert largest.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert larger.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert header.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message_are_the_callers_fault(shared_api):
    """With the same details as every error; gRPC itself would answer UNKNOWN."""
    error = await refused(shared_api.channel.unary_unary("/holdfast.v1.JobService/GetJob")(b"\xff\xff\xff"))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["ErrorInfo"].reason == "INVALID_FIELD"
