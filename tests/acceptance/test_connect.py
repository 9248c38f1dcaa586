"""What a browser does, without one: a sample audited, then everything read over HTTP; and a client that others wrote."""

import asyncio
import json
import shlex
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest

from holdfast import Holdfast
from holdfastd.identity.new_token import new_token
from samples.load import load_sample
from support.authority import Authority
from support.connect import END, ask, frames, post, stream
from support.postgres import Server, database_name
from support.service import Service, final, register

ROOT = Path(__file__).parents[2]
RELATIONSHIP = "public.reports(station_id)->public.stations(id)"
BUF = next((str(path) for path in (ROOT / "clients/typescript/node_modules/.bin/buf",) if path.exists()), None) or shutil.which("buf")


@pytest.fixture(scope="module")
async def dsn(postgres: Server, service: Service) -> AsyncIterator[str]:
    """The EV sample, registered as `connect` and audited."""
    dsn = await postgres.create_database()
    await load_sample(dsn, "ev_charging")
    async with service.client() as client:
        await register(client, "connect", dsn)
        await final(client.audit("connect"))
        yield dsn
        await client.remove_database("connect")
    await postgres.drop_database(database_name(dsn))


@pytest.mark.usefixtures("dsn")
async def test_a_job_is_followed_to_its_end(service: Service) -> None:
    """Snapshot, every event, the final state; the last token goes on after all of them."""
    [job] = (await post(service.http, "JobService/ListJobs", {"database": "connect"})).json["jobs"]

    answer = await stream(service.http, "JobService/WatchJob", {"id": job["id"]})
    *told, (flags, end) = [(flags, json.loads(data)) for flags, data in frames(answer.body)]
    again = await stream(service.http, "JobService/WatchJob", {"id": job["id"], "resumeToken": told[-1][1]["resumeToken"]})

    kinds = [next(key for key in message if key != "resumeToken") for _, message in told]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("snapshot", "final", {"event"})
    assert (flags, "error" in end) == (END, False)
    assert not [data for flags, data in frames(again.body) if flags != END and "event" in json.loads(data)]


async def test_masked_samples_hold_no_value(service: Service, client: Holdfast, dsn: str) -> None:
    """Over HTTP nobody is recognised here, so nothing but shapes is seen, whether asked for or not; more columns not at all."""
    connection = await asyncpg.connect(dsn)
    values = {str(value) for row in await connection.fetch("SELECT id, station_id FROM reports") for value in row.values()}
    await connection.close()
    asked = {"database": "connect", "relationship_id": RELATIONSHIP, "limit": 1000}

    plain = await client.sample_orphans("connect", RELATIONSHIP, limit=1000)
    for request in (asked, asked | {"masked": True}, asked | {"masked": False}):
        samples = (await post(service.http, "AuditService/SampleOrphans", request)).json["samples"]
        shown = {value for sample in samples for value in sample["values"]}
        assert len(samples) == len(plain.samples) == 8
        # All keys are numbers, and one number looks like another.
        assert shown == {"9"}

    assert {value for sample in plain.samples for value in sample.values} <= values
    refused = await post(service.http, "AuditService/SampleOrphans", asked | {"columns": ["description"]})
    assert refused.code == "permission_denied"


@pytest.mark.usefixtures("dsn")
async def test_everything_large_is_read_by_pages(service: Service) -> None:
    """What the console shows: relationships, tables, findings; the same numbers as in the summary of the audit."""
    [audit] = (await post(service.http, "AuditService/ListAudits", {"database": "connect"})).json["audits"]
    request = {"auditId": audit["id"], "pageSize": 1000}

    found = {
        noun.lower(): len((await post(service.http, f"AuditService/List{noun}", request)).json[noun.lower()])
        for noun in ("Relationships", "Tables", "Findings")
    }

    assert found == {noun: int(audit["summary"][noun]) for noun in found}


@pytest.mark.skipif(BUF is None, reason="buf is not installed (`make node` brings it)")
@pytest.mark.usefixtures("dsn")
async def test_a_client_that_others_wrote_is_served(service: Service) -> None:
    """`buf curl` speaks the protocol as its authors do: an answer, a stream, and an error with its details."""
    [job] = (await post(service.http, "JobService/ListJobs", {"database": "connect"})).json["jobs"]

    code, databases = await buf_curl(service, "DatabaseService/GetDatabase", {"name": "connect"})
    followed, messages = await buf_curl(service, "JobService/WatchJob", {"id": job["id"]})
    refused, complaint = await buf_curl(service, "DatabaseService/RemoveDatabase", {"name": "connect"})

    assert (code, json.loads(databases)["database"]["name"]) == (0, "connect")
    assert (followed, messages.count('"resumeToken"') > 2, '"final"' in messages) == (0, True, True)
    assert refused != 0
    assert ("permission_denied" in complaint, "PERMISSION_DENIED" in complaint) == (True, True)


async def buf_curl(service: Service, method: str, message: object) -> tuple[int, str]:
    """Call a method with buf, which reads the contract; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(BUF),
        *("curl", "--schema", str(ROOT / "proto"), "--protocol", "connect", "--data", json.dumps(message)),
        f"http://{service.http}/holdfast.v1.{method}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode or 0, out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.usefixtures("dsn")
async def test_the_page_shows_a_call(service: Service) -> None:
    """The command of docs/console.md, and the error that it quotes."""
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("curl "))
    quoted = json.loads(next(line for line in page.splitlines() if line.startswith('{"code"')))

    process = await asyncio.create_subprocess_exec(
        *shlex.split(command.replace("127.0.0.1:7480", service.http).replace('"shop"', '"connect"')), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    error = (await post(service.http, "DatabaseService/GetDatabase", {"name": "nope"})).json

    assert json.loads(out)["database"]["name"] == "connect"
    error["details"][0].pop("value")
    assert error == quoted


async def test_http_is_served_with_the_certificate_of_grpc(tmp_path: Path, database: str) -> None:
    """Over TLS a token is taken, and written nowhere; the console and its calls are where they were."""
    authority, (token, digest) = Authority(), new_token()
    authority.issue().write(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "access.yaml").write_text(f"principals: {{ada: {{roles: [viewer], tokens: ['{digest}']}}}}")
    service = Service()
    service.arguments = ("--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key"), "--http-tls")
    service.credentials = grpc.ssl_channel_credentials(authority.pem)
    await service.start(HOLDFAST_ACCESS=str(tmp_path / "access.yaml"), HOLDFAST_STORE_URL=database)
    try:
        trust = ssl.create_default_context(cadata=authority.pem.decode())
        page = await ask(service.http, "GET", "/", trust=trust)
        listed = await post(service.http, "DatabaseService/ListDatabases", trust=trust, authorization=f"Bearer {token}")
        removed = await post(service.http, "DatabaseService/RemoveDatabase", {"name": "x"}, trust=trust, authorization=f"Bearer {token}")
        refused = await ask(service.http, "GET", f"/holdfast.v1.DatabaseService/ListDatabases?token={token}", trust=trust)
        log = service.log
    finally:
        await service.discard()

    assert (page.status, listed.status, listed.json, refused.status) == (200, 200, {}, 405)
    assert ("RemoveDatabase" in log, token in log) == (True, False)
    assert (removed.status, removed.info.metadata["permission"]) == (403, "ADMINISTER")
