"""No password, token, key or row value leaves the service: canaries are put everywhere, and looked for everywhere else."""

import asyncio
import base64
import os
import secrets
import shutil
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import asyncpg
import grpc
import pytest
from cryptography.fernet import Fernet
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from holdfast.v1 import (
    audit_log_service_pb2,
    audit_service_pb2,
    backup_service_pb2,
    core_pb2,
    database_service_pb2,
    job_service_pb2,
    migration_service_pb2,
    plan_service_pb2,
    schedule_service_pb2,
)
from holdfastd.access.tokens import PREFIX, digest_of_token
from support.postgres import PASSWORD_GROUP, Server, database_name
from support.service import Service

_FILES = (
    *(audit_log_service_pb2, audit_service_pb2, backup_service_pb2, database_service_pb2, job_service_pb2),
    *(migration_service_pb2, plan_service_pb2, schedule_service_pb2),
)
SERVICES: dict[str, ServiceDescriptor] = {service.name: service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()}

_TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, note text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO customers SELECT n, '{row}' FROM generate_series(1, 40) AS n;
INSERT INTO orders SELECT n, 1 + n % 40, '{row}' FROM generate_series(1, 200) AS n;
DELETE FROM customers WHERE id <= 5;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'row %', OLD.note USING DETAIL = OLD.note, HINT = OLD.note; END $$;
CREATE TRIGGER tell BEFORE UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION tell();
ALTER TABLE customers OWNER TO {role};
ALTER TABLE orders OWNER TO {role}
"""


def a_canary(name: str) -> str:
    return f"c4n4ry{name}{secrets.token_hex(8)}"


class Told:
    """Everything that anybody outside was told, and what nobody may be told."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.folder = service, folder
        self.canaries: dict[str, str] = {}
        #: What was told, by where.
        self.told: dict[str, str] = {}
        #: Codes and reasons of refused calls.
        self.refused: list[tuple[str, str]] = []
        self.token = ""

    def canary(self, name: str) -> str:
        self.canaries[name] = a_canary(name)
        return self.canaries[name]

    def tell(self, where: str, text: str) -> None:
        self.told[where] = self.told.get(where, "") + text + "\n"

    async def ask(self, channel: grpc.aio.Channel, method: str, request: Message, *, token: str | None = None) -> list[Message]:
        """Call, keep all that came back, whether answers or an error, and return the answers."""
        service, _, name = method.partition(".")
        descriptor = SERVICES[service].methods_by_name[name]
        answers: list[Message] = []
        metadata = (("authorization", f"Bearer {self.token if token is None else token}"),)
        try:
            async for answer in _call(channel, descriptor, request, metadata):
                answers.append(answer)
                self.tell("answers", f"{answer}\n{answer.SerializeToString()!r}")
        except grpc.aio.AioRpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            self.tell("errors", f"{error.details()} {error.debug_error_string()} {trailers} {error}")
            self.refused.append((error.code().name, str(trailers.get("grpc-status-details-bin", b""))))
        return answers

    def leaks(self, where: Iterable[str]) -> list[str]:
        """Name the canaries that were told, in plain text or thinly veiled."""
        found = []
        for place in where:
            text = self.told[place]
            assert text
            for name, canary in self.canaries.items():
                raw = canary.encode()
                veiled = (canary, raw.hex(), base64.b64encode(raw)[:-4].decode(), canary.upper())
                found += [f"{name} in {place}" for form in veiled if form in text]
        return found


async def _call(
    channel: grpc.aio.Channel, method: MethodDescriptor, request: Message, metadata: tuple[tuple[str, str], ...]
) -> AsyncIterator[Message]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    read = GetMessageClass(method.output_type).FromString
    if not method.server_streaming:
        yield await channel.unary_unary(path, type(request).SerializeToString, read)(request, metadata=metadata, timeout=60)
        return
    async for answer in channel.unary_stream(path, type(request).SerializeToString, read)(request, metadata=metadata, timeout=60):
        yield answer


def source(**given: str) -> database_service_pb2.DsnSource:
    return database_service_pb2.DsnSource(**given)


async def register(told: Told, channel: grpc.aio.Channel, name: str, dsn: database_service_pb2.DsnSource) -> bool:
    request = database_service_pb2.AddDatabaseRequest(name=name, dsn=dsn)
    return bool(await told.ask(channel, "DatabaseService.AddDatabase", request))


@pytest.fixture(scope="module")
async def told(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """Live through everything that goes right and wrong, and keep all that was said."""
    store = await postgres.create_database()
    service = Service()
    told = Told(service, tmp_path_factory.mktemp("secrets"))
    told.token = PREFIX + told.canary("token").ljust(43, "x")
    access = told.folder / "access.yaml"
    access.write_text(f"principals:\n  admin:\n    roles: [admin]\n    tokens: [{digest_of_token(told.token)}]\n")
    targets = {}
    for kind in ("inline", "env", "file"):
        dsn, role = await postgres.create_database(), f"role_{kind}_{secrets.token_hex(4)}"
        targets[kind] = postgres.dsn(database_name(dsn), role=role, password=told.canary(kind))
        login = f"CREATE ROLE {role} LOGIN PASSWORD '{told.canaries[kind]}' IN ROLE {PASSWORD_GROUP}"
        await postgres.execute(f"{login}; ALTER DATABASE {database_name(dsn)} OWNER TO {role}")
        row = told.canaries.get("row") or told.canary("row")
        await postgres.execute(_TABLES.format(row=row, role=role), database=database_name(dsn))
    file = told.folder / "dsn"
    file.write_text(targets["file"])
    (told.folder / "no-dsn").write_text(told.canary("otherfile"))
    key = Fernet.generate_key().decode()
    told.canaries["key"] = key[:-1]
    settings = {
        "HOLDFAST_STORE_URL": store,
        "HOLDFAST_SECRET_KEY": key,
        "HOLDFAST_ACCESS": str(access),
        "HOLDFAST_ALLOWED_HOSTS": "127.0.0.1",
        "TARGET": targets["env"],
        "OTHER": told.canary("othervariable"),
    }
    await service.start(**settings)
    try:
        async with grpc.aio.insecure_channel(service.listen) as channel:
            await go_right(told, channel, targets, file)
            await go_wrong(told, channel, targets, postgres)
            await look_at_everything(told, channel)
        told.tell("metrics", await asyncio.to_thread(scrape, service))
        await service.stop()
        told.tell("log", service.log)
        await dump(told, store)
        yield told
    finally:
        if service.process and service.process.returncode is None:
            await service.stop()
        shutil.rmtree(service.home)
        for name in (store, *targets.values()):
            await postgres.drop_database(database_name(name))


def scrape(service: Service) -> str:
    with urllib.request.urlopen(f"http://{service.http}/metrics") as answer:
        return str(answer.read().decode())


async def go_right(told: Told, channel: grpc.aio.Channel, targets: dict[str, str], file: Path) -> None:
    """Register each kind of DSN, audit, plan, and apply what must fail."""
    assert await register(told, channel, "inline", source(inline=targets["inline"])), told.told
    assert await register(told, channel, "env", source(env="TARGET"))
    assert await register(told, channel, "file", source(file=str(file)))
    (started,) = await told.ask(channel, "AuditService.StartAudit", audit_service_pb2.StartAuditRequest(database="inline"))
    await told.ask(channel, "JobService.WatchJob", job_service_pb2.WatchJobRequest(id=started.job.id))
    (made,) = await told.ask(channel, "PlanService.CreatePlan", plan_service_pb2.CreatePlanRequest(database="inline"))
    await told.ask(channel, "PlanService.ApprovePlan", plan_service_pb2.ApprovePlanRequest(id=made.plan.id))
    (applied,) = await told.ask(channel, "MigrationService.ApplyPlan", migration_service_pb2.ApplyPlanRequest(plan_id=made.plan.id))
    watched = await told.ask(channel, "JobService.WatchJob", job_service_pb2.WatchJobRequest(id=applied.job.id))
    assert watched[-1].final.state == core_pb2.JOB_STATE_FAILED


async def go_wrong(told: Told, channel: grpc.aio.Channel, targets: dict[str, str], postgres: Server) -> None:
    """Mistype everything that can be mistyped, with something secret in it."""
    inline, wrong = targets["inline"], told.canary("wrong")
    name = database_name(inline)
    dsns = {
        "wrong-password": inline.replace(told.canaries["inline"], wrong),
        "wrong-port": f"postgresql://me:{wrong}@127.0.0.1:1/db",
        "wrong-host": f"postgresql://me:{wrong}@{told.canary('host')}.invalid/db",
        "wrong-role": postgres.dsn(name, role=wrong, password=wrong),
        "wrong-name": inline.replace(f"/{name}", f"/{wrong}"),
        "metadata": f"postgresql://me:{wrong}@169.254.169.254/db",
        "no-tls": f"{inline}?sslmode=verify-full",
        "malformed": f"postgresql://me:{wrong}@h:port/db",
        "more-malformed": f"{wrong} {inline}",
        "option": f"{inline}?options={wrong}",
        "hash": f"postgresql://me:{wrong}#{wrong}@h/db",
        "twice": inline,
        f"{wrong.upper()}": inline,
    }
    for each, dsn in dsns.items():
        assert not await register(told, channel, each, source(inline=dsn)), each
    assert not await register(told, channel, "other", source(env="OTHER"))
    assert not await register(told, channel, "missing", source(env=told.canary("variable")))
    assert not await register(told, channel, "other", source(env="HOLDFAST_SECRET_KEY"))
    assert not await register(told, channel, "other", source(env="HOLDFAST_STORE_URL"))
    assert not await register(told, channel, "other", source(file=str(told.folder / "no-dsn")))
    changed = database_service_pb2.UpdateDatabaseRequest(name="inline", dsn=source(inline=dsns["wrong-password"]))
    assert not await told.ask(channel, "DatabaseService.UpdateDatabase", changed)
    listing = database_service_pb2.ListDatabasesRequest()
    forged = base64.urlsafe_b64encode(told.canary("jwt").encode()).decode().rstrip("=")
    for token in (
        PREFIX + told.canary("badtoken").ljust(43, "x"),
        f"eyJhbGciOiJFUzI1NiJ9.{forged}.{forged}",
        told.canaries["badtoken"],
        "",
    ):
        assert not await told.ask(channel, "DatabaseService.ListDatabases", listing, token=token)
    told.canaries["jwt"] = forged
    # The password is changed behind our back, with a job under way to notice.
    role = database_name(inline) and inline.partition("//")[2].partition(":")[0]
    await postgres.execute(f"ALTER ROLE {role} PASSWORD '{told.canary('changed')}'")
    (started,) = await told.ask(channel, "AuditService.StartAudit", audit_service_pb2.StartAuditRequest(database="inline"))
    watched = await told.ask(channel, "JobService.WatchJob", job_service_pb2.WatchJobRequest(id=started.job.id))
    assert watched[-1].final.state == core_pb2.JOB_STATE_FAILED


async def look_at_everything(told: Told, channel: grpc.aio.Channel) -> None:
    """Ask every question that changes nothing, about the database in which most went wrong."""
    (audits,) = await told.ask(channel, "AuditService.ListAudits", audit_service_pb2.ListAuditsRequest(database="inline"))
    (jobs,) = await told.ask(channel, "JobService.ListJobs", job_service_pb2.ListJobsRequest())
    (plans,) = await told.ask(channel, "PlanService.ListPlans", plan_service_pb2.ListPlansRequest(database="inline"))
    good = next(audit for audit in audits.audits if audit.state == core_pb2.JOB_STATE_SUCCEEDED)
    asking = audit_service_pb2.ListRelationshipsRequest(database="inline", audit_id=good.id)
    (page,) = await told.ask(channel, "AuditService.ListRelationships", asking)
    known = {
        **dict.fromkeys(("database", "name"), "inline"),
        **dict.fromkeys(("audit_id", "base_audit_id"), good.id),
        "plan_id": plans.plans[0].id,
        "relationship_id": page.relationships[0].id,
    }
    ids = {"AuditService": [good.id], "PlanService": [plan.id for plan in plans.plans], "JobService": [job.id for job in jobs.jobs]}
    for service in SERVICES.values():
        for method in service.methods:
            if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS:
                continue
            fields = {name: value for name, value in known.items() if name in method.input_type.fields_by_name}
            of_id = ids.get(service.name, [""]) if "id" in method.input_type.fields_by_name else [""]
            for each in of_id:
                request = GetMessageClass(method.input_type)(**fields, **({"id": each} if each else {}))
                await told.ask(channel, f"{service.name}.{method.name}", request)


async def dump(told: Told, store: str) -> None:
    """Every row of every table of the store, as text."""
    connection = await asyncpg.connect(store)
    tables = await connection.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'holdfastd'::regnamespace"
    )
    for table in tables:
        for row in await connection.fetch(f"SELECT (whole.*)::text AS text FROM ONLY {table['name']} AS whole"):
            told.tell("store", f"{table['name']} {row['text']}")
    await connection.close()


async def test_everything_went_wrong_as_it_should(told: Told) -> None:
    """Otherwise the tests below would look at nothing."""
    reasons = " ".join(reason for _, reason in told.refused)
    expected = ("HOST_NOT_ALLOWED", "TARGET_LOGIN_REFUSED", "TARGET_UNREACHABLE", "DSN_UNREADABLE", "INVALID_FIELD", "UNAUTHENTICATED")

    assert [reason for reason in expected if reason not in reasons] == []
    assert "INTERNAL" not in {code for code, _ in told.refused}
    assert "databases " in told.told["store"]
    assert "audit_log " in told.told["store"]
    assert "events " in told.told["store"]
    assert "rpc_handled" in told.told["log"]
    assert len(told.canaries) == 14


@pytest.mark.parametrize("place", ["answers", "errors", "metrics", "log", "store"])
async def test_no_canary_is_told(place: str, told: Told) -> None:
    """Neither passwords, tokens, keys, contents of variables and files, nor values of rows."""
    # A caller who names a variable reads its name in the error, as everybody does who mistypes one.
    named = {"variable in errors"} if place == "errors" else set()

    assert set(told.leaks([place])) - named == set()


async def test_the_search_finds_what_is_there(told: Told) -> None:
    """In the store the DSN is encrypted, so it can be found after decrypting; and a planted canary is seen."""
    key = told.canaries["key"] + "="
    stored = told.told["store"]
    tokens = [part for part in stored.replace('"', " ").replace(",", " ").split() if part.startswith("\\\\x674141")]
    opened = [Fernet(key).decrypt(bytes.fromhex(token.lstrip("\\x"))).decode() for token in tokens]
    told.told["planted"] = f"x{told.canaries['inline']}x {told.canaries['env'].encode().hex()}"

    assert any(told.canaries["inline"] in dsn for dsn in opened)
    assert sorted(told.leaks(["planted"])) == ["env in planted", "inline in planted"]


@pytest.mark.slow
async def test_keys_are_rotated_while_the_service_runs(database: str) -> None:
    """The command joins the embedded store; after a restart with the new key alone nothing is lost."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    service = Service({"HOLDFAST_SECRET_KEY": old})
    try:
        await service.start()
        async with service.client() as client:
            await client.add_database("shop", source(inline=database))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "holdfastd", "rotate-keys", "--data-dir", str(service.home / "data")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOLDFAST_SECRET_KEY": f"{new},{old}"},
        )
        output, _ = await process.communicate()
        await service.stop()
        await service.start(HOLDFAST_SECRET_KEY=new)
        async with service.client() as client:
            assert (await client.check_database("shop")).database.state == database_service_pb2.DATABASE_STATE_REACHABLE
            actions = [entry.action for entry in (await client.list_entries()).entries]
    finally:
        await service.discard()

    assert (process.returncode, output) == (0, b"1 stored DSN was encrypted anew with the first key; 0 stored DSNs were already.\n")
    assert "keys.rotate" in actions
