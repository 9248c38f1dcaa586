"""The methods over HTTP, asked with nothing but HTTP: the same answers as over gRPC, and more care about who asks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from grpc_status import rpc_status

from holdfast.v1 import access_pb2, database_service_pb2, job_service_pb2
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from holdfast.v1.job_service_pb2_grpc import JobServiceStub
from holdfastd.config.model import Address, Limits
from holdfastd.http.app import make_app
from holdfastd.http.listener import HttpListener
from holdfastd.identity.access_file import AccessFile
from holdfastd.identity.new_token import new_token
from holdfastd.identity.recognition import Recognition
from holdfastd.rpc.connect import request as reading
from holdfastd.rpc.listener import _SERVICES
from support.connect import END, ask, frames, opened, post, stream
from support.stored import add_audit, add_database

from .conftest import Api, serving_api

METHODS = [method for service in _SERVICES for method in service.methods]
ROLES = ("viewer", "auditor", "planner", "approver", "operator", "admin")


@asynccontextmanager
async def over_http(api: Api) -> AsyncIterator[str]:
    """Serve an API over HTTP, too."""

    async def ready() -> str:
        return ""

    listener = HttpListener(make_app(api.metrics.registry, ready, api.listener.over_http, is_suspect=api.listener.is_suspect))
    try:
        yield str(await listener.start(Address("127.0.0.1", 0)))
    finally:
        api.services.stopping.set()
        await listener.stop()


@pytest.fixture
async def http(api):
    """Where the test's own API listens for HTTP."""
    async with over_http(api) as address:
        yield address


@pytest.fixture(scope="module")
async def shared_http(shared_api):
    """The same for tests that leave it as it was."""
    async with over_http(shared_api) as address:
        yield address


def name_of(method):
    return method.full_name.removeprefix("holdfast.v1.")


def only_looks(method):
    """Whether it changes nothing and shows what the service knows; samples of rows are masked."""
    options = method.GetOptions()
    reads = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return reads and (options.Extensions[access_pb2.access].permission == access_pb2.PERMISSION_VIEW or method.name == "SampleOrphans")


async def sent(address, method, body=b"", **headers):
    """Call any method with bytes of the binary form."""
    if method.server_streaming:
        framed = len(body).to_bytes(5) + body
        return await ask(
            address,
            "POST",
            f"/{method.containing_service.full_name}/{method.name}",
            framed,
            headers | {"content_type": "application/connect+proto"},
        )
    return await ask(
        address, "POST", f"/{method.containing_service.full_name}/{method.name}", body, headers | {"content_type": "application/proto"}
    )


async def over_grpc(channel, method, metadata=()):
    """Call any method with an empty request; its code as Connect names it."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = kind(path)(b"", metadata=metadata)
    try:
        if method.server_streaming:
            async for _ in call:
                break
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code().name.lower()
    return ""


async def told(address, text):
    """Send what is written, and take all that comes until the other end closes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(text.encode())
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


def counted(api, method, code):
    """How many calls ended with a code."""
    service, _, name = f"holdfast.v1.{method}".rpartition("/")
    labels = {"grpc_service": service, "grpc_method": name, "grpc_code": code}
    return sum(
        sample.value
        for metric in api.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "grpc_server_handled_total" and labels.items() <= sample.labels.items()
    )


async def ended(api, method, code, count=1):
    """Wait until so many calls have ended with a code."""
    async with asyncio.timeout(20):
        while counted(api, method, code) < count:
            await asyncio.sleep(0.01)


@pytest.fixture
async def job_id(api):
    """A job that nobody works on."""
    await add_audit(api.services.store, await add_database(api.services.store))
    page = await JobServiceStub(api.channel).ListJobs(job_service_pb2.ListJobsRequest())
    return page.jobs[0].id


async def test_json_has_the_names_that_browsers_expect(shared_http):
    """Lower camel case comes out; the contract's own names go in as well."""
    for size in ({"page_size": 1}, {"pageSize": 1}):
        answer = await post(shared_http, "DatabaseService/ListDatabases", size)

        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        [shop] = answer.json["databases"]
        assert (shop["name"], shop["databaseName"], "createTime" in shop) == ("shop", "shop", True)


async def test_the_binary_form_is_that_of_grpc(shared_http, shared_api):
    """Byte for byte what a gRPC client gets."""
    request = database_service_pb2.GetDatabaseRequest(name="shop")

    answer = await sent(
        shared_http,
        database_service_pb2.DESCRIPTOR.services_by_name["DatabaseService"].methods_by_name["GetDatabase"],
        request.SerializeToString(),
    )
    told = await DatabaseServiceStub(shared_api.channel).GetDatabase(request)

    assert answer.headers["content-type"] == "application/proto"
    assert database_service_pb2.GetDatabaseResponse.FromString(answer.body) == told


async def test_errors_say_the_same_as_over_grpc(shared_http, shared_api):
    """Code, sentence and every detail; the status of HTTP is the one that Connect gives the code."""
    answer = await post(shared_http, "DatabaseService/GetDatabase", {"name": "nope"}, x_request_id="r-1")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await DatabaseServiceStub(shared_api.channel).GetDatabase(database_service_pb2.GetDatabaseRequest(name="nope"))

    status = rpc_status.from_call(raised.value)
    assert (answer.status, answer.code, answer.error["message"]) == (404, "not_found", status.message)
    assert answer.info.SerializeToString(deterministic=True) == status.details[0].value
    assert (answer.info.reason, answer.info.metadata["database"]) == ("DATABASE_NOT_FOUND", "nope")
    assert answer.headers["trailer-x-request-id"] == "r-1"
    assert "grpc-status-details-bin" not in str(answer.headers)


async def test_calls_are_counted_as_over_grpc(api, http):
    """One account of calls, whichever way they came."""
    await post(http, "DatabaseService/ListDatabases")
    await post(http, "DatabaseService/GetDatabase", {"name": "nope"})

    assert counted(api, "DatabaseService/ListDatabases", "OK") == 1
    assert counted(api, "DatabaseService/GetDatabase", "NOT_FOUND") == 1


@pytest.mark.parametrize(
    ("verb", "path", "headers", "status"),
    [
        ("GET", "DatabaseService/ListDatabases", {}, 405),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "text/plain"}, 415),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "DatabaseService/ListDatabases", {}, 415),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/connect+json"}, 415),
        ("POST", "JobService/WatchJob", {"content_type": "application/json"}, 415),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/json; charset=utf-8"}, 200),
        ("POST", "DatabaseService/Nope", {"content_type": "application/json"}, 501),
        ("POST", "Nope/Nope", {"content_type": "application/json"}, 501),
        ("GET", "Nope/Nope", {"accept": "text/html"}, 405),
        ("OPTIONS", "DatabaseService/ListDatabases", {"origin": "http://evil.example", "access_control_request_method": "POST"}, 405),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/json", "content_encoding": "gzip"}, 501),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/json", "connect_protocol_version": "2"}, 400),
        ("POST", "DatabaseService/ListDatabases", {"content_type": "application/json", "connect_timeout_ms": "soon"}, 400),
    ],
)
async def test_what_is_no_call_is_refused(shared_http, verb, path, headers, status):
    """Types that a foreign page may send without asking are not among those that are taken."""
    answer = await ask(shared_http, verb, f"/holdfast.v1.{path}", b"{}" if verb == "POST" else b"", headers)

    assert answer.status == status
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b'{"nam": "secret-7"}', "nam"),
        (b'{"name": {"secret-7": 1}}', "name"),
    ],
)
async def test_bad_json_names_the_field_and_repeats_nothing(shared_http, body, field):
    """INVALID_FIELD with its path; what was sent may hold a password."""
    answer = await post(shared_http, "DatabaseService/GetDatabase", body)

    assert (answer.status, answer.code, answer.info.reason) == (400, "invalid_argument", "INVALID_FIELD")
    assert answer.info.metadata["field"] == field
    assert "secret-7" not in answer.body.decode()


async def test_a_huge_request_is_refused(shared_http):
    """As large as over gRPC, and no larger; whoever sends it hears why."""
    fits = await post(shared_http, "DatabaseService/ListDatabases", b"{}" + b" " * (4 * 1024 * 1024 - 2))
    huge = await post(shared_http, "DatabaseService/ListDatabases", b"{}" + b" " * (4 * 1024 * 1024 - 1))

    assert (fits.status, huge.status, huge.code) == (200, 429, "resource_exhausted")


async def test_a_body_that_does_not_come_is_not_waited_for(shared_http, monkeypatch):
    """Nobody is recognised yet: who only begins to send must not hold anything for long, and hears why."""
    monkeypatch.setattr(reading, "_BODY_SECONDS", 0.05)
    head = f"POST /holdfast.v1.DatabaseService/ListDatabases HTTP/1.1\r\nhost: {shared_http}\r\ncontent-type: application/json\r\n"

    answer = await told(shared_http, f"{head}content-length: 9\r\n\r\n{{")

    assert b"504 Gateway" in answer
    assert b"deadline_exceeded" in answer


async def test_large_bodies_of_strangers_do_not_fill_the_memory(shared_http, monkeypatch):
    """Beyond some at once large ones are refused, and small ones are taken all the same."""
    monkeypatch.setattr(reading, "_LARGE_AT_ONCE", 0)

    large = await post(shared_http, "DatabaseService/ListDatabases", b"{}" + b" " * 100_000)
    small = await post(shared_http, "DatabaseService/ListDatabases", b"{}" + b" " * 60_000)

    assert (large.status, large.code, small.status) == (429, "resource_exhausted", 200)


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\0\0\0\0\x09{}", b"\x01\0\0\0\x02{}", b"\0\0\0\0\x02{}\0\0\0\0\x02{}"])
async def test_a_stream_takes_exactly_one_message(shared_http, body):
    """A frame that is cut, compressed or followed by another is not guessed at."""
    answer = await ask(shared_http, "POST", "/holdfast.v1.JobService/WatchJob", body, {"content_type": "application/connect+json"})

    assert (answer.status, answer.code) == (200, "invalid_argument")


async def test_a_stream_tells_its_error_in_the_last_frame(shared_http):
    """With the reason, and the request id among the trailers."""
    answer = await stream(shared_http, "JobService/WatchJob", {"id": "job-nope"}, x_request_id="r-2")

    [(flags, end)] = frames(answer.body)
    assert (answer.status, flags, answer.code, answer.info.reason) == (200, END, "not_found", "JOB_NOT_FOUND")
    assert json.loads(end)["metadata"]["x-request-id"] == ["r-2"]


async def test_a_caller_who_leaves_ends_the_call(api, http, job_id):
    """A closed page must not go on watching."""
    async with opened(http, "JobService/WatchJob", {"id": job_id}) as reader:
        assert b"200 OK" in await reader.readline()
        await reader.readuntil(b'"snapshot"')

    await ended(api, "JobService/WatchJob", "CANCELLED")


async def test_a_deadline_ends_the_call(api, http, job_id):
    """Counted as what it is, and told in the last frame."""
    answer = await stream(http, "JobService/WatchJob", {"id": job_id}, connect_timeout_ms="300")

    assert answer.code == "deadline_exceeded"
    assert next(data for flags, data in frames(answer.body) if flags != END).startswith(b'{"snapshot"')
    await ended(api, "JobService/WatchJob", "DEADLINE_EXCEEDED")


async def test_stopping_ends_watches_as_over_grpc(api, http, job_id):
    """Told to reconnect, with the token that goes on."""
    watching = asyncio.create_task(stream(http, "JobService/WatchJob", {"id": job_id}))
    async with opened(http, "JobService/WatchJob", {"id": job_id}) as reader:
        await reader.readuntil(b'"snapshot"')
        api.services.stopping.set()
        answer = await watching

    assert (answer.code, answer.info.reason) == ("unavailable", "SHUTTING_DOWN")


async def test_the_places_are_those_of_grpc(database, tmp_path):
    """One watch, over either way: the second one is refused."""
    async with serving_api(database, tmp_path, Limits(watches=1)) as api, over_http(api) as http:
        await add_audit(api.services.store, await add_database(api.services.store))
        page = await JobServiceStub(api.channel).ListJobs(job_service_pb2.ListJobsRequest())
        watch = JobServiceStub(api.channel).WatchJob(job_service_pb2.WatchJobRequest(id=page.jobs[0].id))
        await watch.read()
        answer = await stream(http, "JobService/WatchJob", {"id": page.jobs[0].id})
        watch.cancel()

    assert (answer.code, answer.info.reason) == ("resource_exhausted", "LIMIT_REACHED")


@pytest.mark.parametrize("method", METHODS, ids=name_of)
async def test_without_an_access_file_nothing_but_reading_is_answered(shared_http, method):
    """What may change something or tells of single rows is denied before anything else is said about it; the rest is answered."""
    answer = await sent(shared_http, method)

    if only_looks(method):
        assert answer.code != "permission_denied"
    else:
        assert (answer.code, answer.info.reason) == ("permission_denied", "PERMISSION_DENIED")
        assert "--access" in answer.error["message"]


async def test_a_service_of_others_is_answered_as_a_call(shared_http):
    """Clients of another version, or of another service, hear that they mean nothing here, not that POST is wrong."""
    answer = await ask(shared_http, "POST", "/grpc.health.v1.Health/Check", b"{}", {"content_type": "application/json"})

    assert (answer.status, answer.code) == (501, "unimplemented")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "EVIL.example.:7480",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[evil.example]",
        "[localhost",
        "2130706433",
        "",
    ],
)
async def test_names_that_a_page_may_have_made_up_are_refused(shared_http, host):
    """DNS rebinding: a name of somebody else that leads here. Metrics name tables, so they are not told either."""
    answer = await post(shared_http, "DatabaseService/ListDatabases", host=host)
    metrics = await ask(shared_http, "GET", "/metrics", headers={"host": host})

    assert (answer.status, answer.info.reason) == (403, "PERMISSION_DENIED")
    assert (metrics.status, b"grpc_server" in metrics.body) == (403, False)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7480", "console.localhost", "127.0.0.1", "[::1]:7480", "192.0.2.7:80"])
async def test_addresses_are_nobodys_to_make_up(shared_http, host):
    """A browser that was told an address names the address."""
    assert (await post(shared_http, "DatabaseService/ListDatabases", host=host)).status == 200
    assert (await ask(shared_http, "GET", "/metrics", headers={"host": host})).status == 200


@pytest.fixture(scope="module")
async def guarded(postgres, tmp_path_factory):
    """An API with an access file: where it is, and a token for each role."""
    folder, tokens = tmp_path_factory.mktemp("guarded"), {role: new_token() for role in ROLES}
    lines = [f"  {role}: {{roles: [{role}], tokens: ['{digest}']}}" for role, (_, digest) in tokens.items()]
    (folder / "access.yaml").write_text("\n".join(("principals:", *lines)))
    dsn = await postgres.create_database()
    async with serving_api(dsn, folder, recognition=Recognition(AccessFile(folder / "access.yaml"))) as api, over_http(api) as http:
        await add_database(api.services.store)
        yield api, http, {role: token for role, (token, _) in tokens.items()}


@pytest.mark.parametrize("role", ROLES)
async def test_roles_permit_the_same_as_over_grpc(guarded, role):
    """All methods, each way: whatever gRPC answers an empty request with is answered over HTTP."""
    api, http, tokens = guarded
    bearer = f"Bearer {tokens[role]}"

    answers = {name_of(method): (await sent(http, method, authorization=bearer)).code for method in METHODS}
    told = {name_of(method): await over_grpc(api.channel, method, (("authorization", bearer),)) for method in METHODS}

    assert answers == told
    assert ("permission_denied" in answers.values()) == (role != "admin")


async def test_with_an_access_file_nobody_is_answered_without_a_token(guarded):
    """Not even the list of databases; any host name will do, because a foreign page has no token."""
    _, http, tokens = guarded

    for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}):
        answer = await post(http, "DatabaseService/ListDatabases", **header)
        assert (answer.status, answer.code, answer.info.reason) == (401, "unauthenticated", "UNAUTHENTICATED")
    named = await post(http, "DatabaseService/ListDatabases", authorization=f"Bearer {tokens['viewer']}", host="holdfast.example")
    assert named.status == 200
