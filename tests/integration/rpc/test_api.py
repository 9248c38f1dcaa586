"""The API at its door: what is refused, how lists and watches go on, and that nothing typed is ever a fault of ours."""

import asyncio
import uuid
from datetime import timedelta

import grpc
import pytest
from google.protobuf import descriptor, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.v1 import audit_service_pb2 as audits
from holdfast.v1 import core_pb2
from holdfast.v1 import database_service_pb2 as databases
from holdfast.v1 import job_service_pb2 as jobs
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from holdfast.v1.job_service_pb2_grpc import JobServiceStub
from holdfastd.jobs.model import JobState
from holdfastd.rpc.listener import _SERVICES
from holdfastd.store import leases
from support.stored import add_audit, add_database, an_event

METHODS = [method for service in _SERVICES for method in service.methods]
NOT_OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}


async def call(api, method, request):
    """Call any method; a stream is read to its end or for a moment. Returns the error, or None."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    response = message_factory.GetMessageClass(method.output_type)
    codec = {"request_serializer": lambda message: message.SerializeToString(), "response_deserializer": response.FromString}
    try:
        if method.server_streaming:
            async for _ in api.channel.unary_stream(path, **codec)(request, timeout=20):
                pass
        else:
            await api.channel.unary_unary(path, **codec)(request, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error
    return None


def new(method):
    return message_factory.GetMessageClass(method.input_type)()


def info(error):
    """Return the one ErrorInfo of an error."""
    details = [detail for detail in rpc_status.from_call(error).details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(details) == 1
    found = error_details_pb2.ErrorInfo()
    details[0].Unpack(found)
    assert found.domain == "holdfast"
    return found


async def refused(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await awaitable
    return failed.value


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_an_empty_request_is_answered_or_refused_with_its_field(shared_api, method):
    """Lists of what the store knows, and the audit log as a whole, need nothing; everything else says what is missing."""
    error = await call(shared_api, method, new(method))

    of_one_database = {"ListRelationships", "ListTables", "ListFindings", "ListSuggestions", "ListBackups", "ListOrphanCounts"}
    if (method.name.startswith("List") and method.name not in of_one_database) or method.name in {"VerifyEntries", "ExportEntries"}:
        assert error is None
    else:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert info(error).metadata["field"] in {field.name for field in method.input_type.fields}


@pytest.mark.parametrize("method", [method for method in METHODS if "id" in method.input_type.fields_by_name], ids=lambda m: m.name)
async def test_ids_are_malformed_or_unknown(shared_api, method):
    """A malformed one is refused with its field, a well-formed one that nobody has is not found."""
    request = new(method)
    if "format" in method.input_type.fields_by_name:
        request.format = 1
    request.id = "no id"
    error = await call(shared_api, method, request)
    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "id")

    request.id = "job-0650a1b2c3d4e5f60718"
    error = await call(shared_api, method, request)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert request.id in info(error).metadata.values()


@pytest.mark.parametrize("method", [method for method in METHODS if "page_token" in method.input_type.fields_by_name], ids=lambda m: m.name)
async def test_bad_pages_are_refused(shared_api, method):
    """With the field."""
    for field, value in (("page_token", "tampered"), ("page_size", -1)):
        request = new(method)
        if "database" in method.input_type.fields_by_name:
            request.database = "shop"
        setattr(request, field, value)

        error = await call(shared_api, method, request)

        assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, field)


@pytest.mark.parametrize("method", [method for method in METHODS if "database" in method.input_type.fields_by_name], ids=lambda m: m.name)
async def test_a_database_of_a_wrong_name_is_refused(shared_api, method):
    """Also a filter: no database can have that name."""
    request = new(method)
    request.database = "X" * 10_000
    if "relationship_id" in method.input_type.fields_by_name:
        request.relationship_id = "r"

    error = await call(shared_api, method, request)

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "database")


TYPED = st.sampled_from(
    [
        "",
        "shop",
        "nowhere",
        "7",
        "\0",
        "é" * 50,
        "x" * 5000,
        "job-0650a1b2c3d4e5f60718",
        str(uuid.UUID(int=5)),
        "postgresql://u:p@127.0.0.1:1/x",
        "%s",
        "'",
    ]
)


def requests(kind, depth=0):
    """Any message of a kind, out of texts that people type and numbers at the edges."""
    fields = {}
    for field in kind.fields:
        match field.type:
            case descriptor.FieldDescriptor.TYPE_STRING:
                one = TYPED
            case descriptor.FieldDescriptor.TYPE_BOOL:
                one = st.booleans()
            case descriptor.FieldDescriptor.TYPE_MESSAGE if depth < 3:
                one = requests(field.message_type, depth + 1)
            case descriptor.FieldDescriptor.TYPE_INT32 | descriptor.FieldDescriptor.TYPE_ENUM:
                one = st.sampled_from([0, 1, 2, 99, -1, 2**31 - 1, -(2**31)])
            case descriptor.FieldDescriptor.TYPE_INT64:
                one = st.sampled_from([0, 1, -1, 2**31, 315_576_000_001, 2**63 - 1, -(2**63)])
            case _:
                raise AssertionError(field.full_name)
        fields[field.name] = st.lists(one, max_size=2) if field.is_repeated else one
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: message_of(kind, values))


def message_of(kind, values):
    oneofs = {}
    for name in values:
        oneof = kind.fields_by_name[name].containing_oneof
        oneofs[oneof.name if oneof else name] = name
    return message_factory.GetMessageClass(kind)(**{name: values[name] for name in oneofs.values()})


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_nothing_that_is_typed_is_a_fault_of_ours(shared_api, method):
    """Whatever a request holds, the answer is an answer, or an error that says what is wrong with the request."""
    loop = asyncio.get_running_loop()

    @given(request=requests(method.input_type))
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(request):
        error = asyncio.run_coroutine_threadsafe(call(shared_api, method, request), loop).result(30)
        if error is not None:
            assert error.code() not in NOT_OURS, (request, error)
            assert info(error).reason

    await asyncio.to_thread(check)


async def test_a_database_is_registered_listed_and_never_tells_its_dsn(api):
    """Pages list every database once; no answer holds the password."""
    stub = DatabaseServiceStub(api.channel)
    canary = "c4n4ry"
    dsn = api.target.replace("postgres@", f"postgres:{canary}@")
    assert canary in dsn
    added = (await stub.AddDatabase(databases.AddDatabaseRequest(name="inline", dsn=databases.DsnSource(inline=dsn)))).database
    for number in range(4):
        await add_database(api.services.store, f"shop{number}", oid=number)

    names, token, seen = [], "", str(added)
    while True:
        page = await stub.ListDatabases(databases.ListDatabasesRequest(page_size=2, page_token=token))
        names += [item.name for item in page.databases]
        seen += str(page)
        token = page.next_page_token
        if not token:
            break

    assert names == ["inline", "shop0", "shop1", "shop2", "shop3"]
    assert (added.state, added.dsn_source, added.host) == (databases.DATABASE_STATE_REACHABLE, "inline", "127.0.0.1")
    assert canary not in seen


async def test_wrong_passwords_and_dead_hosts_are_told_without_the_dsn(api):
    """The reason is there; user, password and host text are not."""
    stub, canary = DatabaseServiceStub(api.channel), "c4n4ry"
    for dsn, codes in (
        (f"postgresql://ada:{canary}@127.0.0.1:1/shop", {grpc.StatusCode.UNAVAILABLE}),
        (f"postgresql://ada:{canary}@", {grpc.StatusCode.INVALID_ARGUMENT}),
        (f"nonsense {canary}", {grpc.StatusCode.INVALID_ARGUMENT}),
        (api.dsn.replace("postgres@", f"nobody:{canary}@"), {grpc.StatusCode.FAILED_PRECONDITION}),
    ):
        request = databases.AddDatabaseRequest(name="shop", dsn=databases.DsnSource(inline=dsn))

        error = await refused(stub.AddDatabase(request))

        assert error.code() in codes
        assert canary not in f"{error.details()} {error.trailing_metadata()} {error.debug_error_string()}"
        assert info(error).reason


async def test_one_request_id_is_one_audit(api):
    """The same id gives the same audit; another gives another."""
    await add_database(api.services.store)
    stub, request_id = AuditServiceStub(api.channel), str(uuid.uuid4())

    first = await stub.StartAudit(audits.StartAuditRequest(database="shop", request_id=request_id))
    again = await stub.StartAudit(audits.StartAuditRequest(database="shop", request_id=request_id.upper()))
    other = await stub.StartAudit(audits.StartAuditRequest(database="shop"))

    assert first == again
    assert other.audit.id != first.audit.id
    assert first.audit.state == audits.AUDIT_STATE_QUEUED
    assert first.job.id == first.audit.job_id
    assert first.job.principal == "anonymous"


async def test_a_watch_is_a_snapshot_then_events_then_the_end(api):
    """And goes on after the last token, missing nothing and repeating nothing."""
    store = api.services.store
    queued = await add_audit(store, await add_database(store))
    async with store.connection() as connection:
        job = await leases.claim(connection, "replica", timedelta(seconds=60))
        for number in range(3):
            await leases.append_event(connection, job, an_event(f"event {number}"))
    stub = JobServiceStub(api.channel)

    call = stub.WatchJob(jobs.WatchJobRequest(id=queued.id))
    first = [await call.read() for _ in range(3)]
    call.cancel()
    async with store.connection() as connection:
        await leases.finish(connection, job, JobState.SUCCEEDED)
    rest = [item async for item in stub.WatchJob(jobs.WatchJobRequest(id=queued.id, resume_token=first[-1].resume_token))]

    assert [item.WhichOneof("payload") for item in first] == ["snapshot", "event", "event"]
    assert first[0].snapshot.state == core_pb2.JOB_STATE_RUNNING
    assert [rest[0].WhichOneof("payload"), rest[-1].WhichOneof("payload")] == ["snapshot", "final"]
    assert rest[-1].final.state == core_pb2.JOB_STATE_SUCCEEDED
    sequences = [item.event.sequence for item in (*first, *rest) if item.WhichOneof("payload") == "event"]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) >= 4
    assert rest[-1].resume_token


async def test_a_job_is_paused_and_resumed_until_it_has_ended(api):
    """Twice is once; a job that has ended can be neither."""
    store, stub = api.services.store, JobServiceStub(api.channel)
    job = await add_audit(store, await add_database(store))

    paused = [await stub.PauseJob(jobs.PauseJobRequest(id=job.id)) for _ in range(2)]
    resumed = [await stub.ResumeJob(jobs.ResumeJobRequest(id=job.id)) for _ in range(2)]
    await stub.CancelJob(jobs.CancelJobRequest(id=job.id))
    errors = [
        await refused(stub.PauseJob(jobs.PauseJobRequest(id=job.id))),
        await refused(stub.ResumeJob(jobs.ResumeJobRequest(id=job.id))),
    ]

    assert {(each.job.pause_requested, each.job.progress.waiting_for) for each in paused} == {(True, "paused by anonymous")}
    assert {(each.job.pause_requested, each.job.progress.waiting_for) for each in resumed} == {(False, "")}
    assert {(error.code(), info(error).reason) for error in errors} == {(grpc.StatusCode.FAILED_PRECONDITION, "JOB_STATE")}


@pytest.mark.parametrize("name", ["ApplyPlan", "RollBack", "RestoreRows"])
async def test_a_throttle_that_cannot_be_meant_is_refused_with_its_path(shared_api, name):
    """Wherever one can be given."""
    method = next(method for method in METHODS if method.name == name)
    request = new(method)
    request.throttle.max_active_sessions = -1
    setattr(request, "plan_id" if name == "ApplyPlan" else "job_id", "job-0650a1b2c3d4e5f60718")
    error = await call(shared_api, method, request)

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "throttle.max_active_sessions")


async def test_a_token_of_another_job_is_refused(api):
    """Before anything is sent."""
    store = api.services.store
    database = await add_database(store)
    one, other = await add_audit(store, database), await add_audit(store, database)
    stub = JobServiceStub(api.channel)
    call = stub.WatchJob(jobs.WatchJobRequest(id=one.id))
    token = (await call.read()).resume_token
    call.cancel()

    error = await refused(stub.WatchJob(jobs.WatchJobRequest(id=other.id, resume_token=token)).read())

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "resume_token")


async def test_a_stopping_replica_ends_its_watches(api):
    """At once, and so that the client knows to go on elsewhere."""
    store = api.services.store
    job = await add_audit(store, await add_database(store))
    call = JobServiceStub(api.channel).WatchJob(jobs.WatchJobRequest(id=job.id))
    await call.read()
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0.1)

    api.services.stopping.set()

    async with asyncio.timeout(2):
        error = await refused(reading)
    assert (error.code(), info(error).reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


async def test_a_watch_that_is_left_is_forgotten(api):
    """Its place in the store's signals is given back."""
    store = api.services.store
    job = await add_audit(store, await add_database(store))
    call = JobServiceStub(api.channel).WatchJob(jobs.WatchJobRequest(id=job.id))
    await call.read()
    assert any(job.id in key for key in store.signals._waiting)

    call.cancel()

    async with asyncio.timeout(5):
        while any(job.id in key for key in store.signals._waiting):
            await asyncio.sleep(0.01)


async def test_requests_above_the_limit_are_refused(shared_api):
    """4 MiB is enough for any request that can be meant."""
    request = databases.AddDatabaseRequest(name="x" * (4 * 1024 * 1024 + 1))

    error = await refused(DatabaseServiceStub(shared_api.channel).AddDatabase(request))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_health_follows_draining(api):
    """Load balancers ask for the whole server and for single services."""
    stub = health_pb2_grpc.HealthStub(api.channel)
    services = ("", "holdfast.v1.JobService")

    before = [(await stub.Check(health_pb2.HealthCheckRequest(service=service))).status for service in services]
    await api.listener.drain()
    after = [(await stub.Check(health_pb2.HealthCheckRequest(service=service))).status for service in services]

    assert before == [health_pb2.HealthCheckResponse.SERVING] * 2
    assert after == [health_pb2.HealthCheckResponse.NOT_SERVING] * 2


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_every_service(shared_api, version):
    """Grpcurl and buf curl work without our proto files."""
    method = shared_api.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = [
        answer
        async for answer in method(
            iter(
                [
                    reflection_pb2.ServerReflectionRequest(list_services=""),
                    reflection_pb2.ServerReflectionRequest(file_containing_symbol="holdfast.v1.PlanService"),
                ]
            )
        )
    ]

    listed = {service.name for service in answers[0].list_services_response.service}
    assert listed >= {service.full_name for service in _SERVICES} | {"grpc.health.v1.Health"}
    assert answers[1].file_descriptor_response.file_descriptor_proto


async def test_every_method_has_its_series_before_its_first_call(api):
    """rate() needs a zero to start from."""
    for method in METHODS:
        labels = {
            "grpc_type": "server_stream" if method.server_streaming else "unary",
            "grpc_service": method.containing_service.full_name,
            "grpc_method": method.name,
        }
        assert api.metrics.registry.get_sample_value("grpc_server_started_total", labels) == 0
        assert api.metrics.registry.get_sample_value("grpc_server_handled_total", labels | {"grpc_code": "OK"}) == 0


async def test_targets_that_do_not_answer_keep_nobody_from_the_store(api):
    """More registrations wait for such targets than the replica has connections to the store, and other calls are served."""
    stub, waiting = DatabaseServiceStub(api.channel), asyncio.Queue()

    async def take(_reader, writer):
        waiting.put_nowait(writer)

    await add_database(api.services.store)
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    dsn = f"postgresql://app@127.0.0.1:{server.sockets[0].getsockname()[1]}/shop?sslmode=disable"
    source = databases.DsnSource(inline=dsn)
    calls = [stub.AddDatabase(databases.AddDatabaseRequest(name=f"slow-{number}", dsn=source)) for number in range(7)]
    calls += [stub.UpdateDatabase(databases.UpdateDatabaseRequest(name="shop", dsn=source)) for _ in range(7)]
    async with asyncio.timeout(8):
        writers = [await waiting.get() for _ in calls]
    listed = await stub.ListDatabases(databases.ListDatabasesRequest(), timeout=5)
    for call_ in calls:
        call_.cancel()
    for writer in writers:
        writer.close()
    server.close()

    assert [database.name for database in listed.databases] == ["shop"]
