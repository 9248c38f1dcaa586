"""Who may call what: a real server, real certificates, a real issuer of tokens, and bare gRPC channels."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.message import Message

from holdfast.v1 import (
    audit_log_service_pb2,
    audit_service_pb2,
    backup_service_pb2,
    core_pb2,
    database_service_pb2,
    export_service_pb2,
    gate_service_pb2,
    impact_service_pb2,
    job_service_pb2,
    migration_service_pb2,
    plan_service_pb2,
    report_service_pb2,
    schedule_service_pb2,
)
from holdfastd.identity.new_token import new_token
from holdfastd.store.embedded import EmbeddedPostgres
from support.authority import Authority
from support.calls import PERMITTED, Calls, call, refused
from support.issuer import Issuer
from support.postgres import Server, database_name
from support.service import Service
from support.shop import TABLES

pb = database_service_pb2
MODULES = (
    *(audit_log_service_pb2, audit_service_pb2, backup_service_pb2, database_service_pb2, job_service_pb2),
    *(
        export_service_pb2,
        gate_service_pb2,
        impact_service_pb2,
        migration_service_pb2,
        plan_service_pb2,
        report_service_pb2,
        schedule_service_pb2,
    ),
)
METHODS = {
    f"{service.name}/{method.name}": method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ROLES = ("viewer", "auditor", "planner", "approver", "operator", "admin")
DENIED = {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}


class Guarded:
    """A service with TLS and an access file that tests may change."""

    def __init__(self, service: Service, issuer: Issuer, access: Path) -> None:
        self.service = service
        self.issuer = issuer
        self.access = access
        self.tokens: dict[str, str] = {}
        self.hashes: dict[str, list[str]] = {}
        self.roles: dict[str, str] = {}

    def add(self, name: str, roles: str) -> str:
        """A principal with a token; in force after `write`."""
        self.tokens[name], digest = new_token()
        self.hashes[name], self.roles[name] = [digest], roles
        return self.tokens[name]

    def write(self) -> None:
        lines = ["principals:"]
        lines += [f"  {name}: {{roles: [{roles}], tokens: {self.hashes[name]}}}" for name, roles in self.roles.items()]
        lines.append(
            f"oidc: [{{issuer: '{self.issuer.url}', audience: holdfast, leeway_seconds: 0, roles: {{dba: [admin], look: [viewer]}}}}]"
        )
        new = self.access.with_suffix(".new")
        new.write_text("\n".join(lines))
        new.rename(self.access)

    async def rewrite(self) -> None:
        """Write the file and wait until it is in force."""
        before = self.service.log.count("access_file_read")
        self.write()
        await until(lambda: self.service.log.count("access_file_read") > before)

    def calls(self, name: str = "") -> Calls:
        return Calls(self.service.channel(), self.tokens.get(name, name))


async def until(is_so: Any) -> None:
    async with asyncio.timeout(15):
        while not is_so():
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
async def guarded(authority: Authority) -> AsyncIterator[Guarded]:
    """TLS, tokens and an issuer."""
    service, issuer = Service(), Issuer()
    authority.issue(dns=["localhost"]).write(service.home / "tls.crt", service.home / "tls.key")
    service.credentials = grpc.ssl_channel_credentials(authority.pem)
    service.arguments = ["--access", str(service.home / "access.yaml")]
    service.arguments += ["--tls-cert", str(service.home / "tls.crt"), "--tls-key", str(service.home / "tls.key")]
    running = Guarded(service, issuer, service.home / "access.yaml")
    for role in ROLES:
        running.add(role, role)
    running.add("shopkeeper", "admin@shop")
    running.add("newcomer", "admin@fresh")
    running.add("seller", "viewer@shop, viewer@none")
    running.write()
    await service.start()
    yield running
    await service.discard()
    issuer.close()


@pytest.fixture(scope="module")
async def targets(guarded: Guarded, postgres: Server) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Two databases, `crm` and `shop`, each with an audit, its job, and a plan: their ids by what they are."""
    found: dict[str, dict[str, str]] = {}
    dsns = []
    async with guarded.calls("admin") as admin:
        for name in ("crm", "shop"):
            dsns.append(await postgres.create_database())
            connection = await asyncpg.connect(dsns[-1])
            await connection.execute(TABLES)
            await connection.close()
            await admin.unary("DatabaseService/AddDatabase", pb.AddDatabaseRequest(name=name, dsn=pb.DsnSource(inline=dsns[-1])))
            started = await admin.unary("AuditService/StartAudit", audit_service_pb2.StartAuditRequest(database=name))
            async for _ in admin.stream("JobService/WatchJob", job_service_pb2.WatchJobRequest(id=started.job.id)):
                pass
            plan = (await admin.unary("PlanService/CreatePlan", plan_service_pb2.CreatePlanRequest(database=name))).plan
            found[name] = {
                "database": name,
                "audit": started.audit.id,
                "job": started.job.id,
                "plan": plan.id,
                "target": database_name(dsns[-1]),
            }
    yield found
    for dsn in dsns:
        await postgres.drop_database(database_name(dsn))


def about(method: str, ids: dict[str, str]) -> Message:
    """A request of the method about the things with these ids."""
    request = call(method).request()
    kinds = {"AuditService": "audit", "PlanService": "plan", "ExportService": "plan", "JobService": "job"}
    for field in request.DESCRIPTOR.fields:
        kind = field.name.removeprefix("base_").removeprefix("head_").removesuffix("_id")
        kind = kinds[method.partition("/")[0]] if field.name == "id" else {"name": "database"}.get(kind, kind)
        if kind in ids:
            setattr(request, field.name, ids[kind])
    return request


def test_every_rpc_is_in_the_table() -> None:
    """A new one must be thought about."""
    assert set(PERMITTED) == set(METHODS)


@pytest.mark.parametrize("role", [*ROLES, ""])
async def test_every_rpc_is_allowed_to_whom_it_should(guarded: Guarded, role: str) -> None:
    """All methods with each role and without any: allowed to the roles in the table, denied to all others."""
    expected = {method: "allowed" if role in PERMITTED[method].split() else "denied" for method in METHODS}
    if not role:
        expected = dict.fromkeys(METHODS, "UNAUTHENTICATED")
    answered = {}
    async with guarded.calls(role) as calls:
        for method in METHODS:
            code = await calls.code(method, call(method).request())
            answered[method] = "denied" if code is grpc.StatusCode.PERMISSION_DENIED else "allowed" if code not in DENIED else code.name

    assert answered == expected


async def test_what_belongs_to_others_and_what_is_nowhere_are_denied_alike(guarded: Guarded, targets: dict) -> None:
    """With rights on shop: everything about crm, and about ids that nobody has, gets one and the same answer."""
    nowhere = {"database": "nowhere", "audit": "audit-0", "job": "job-0", "plan": "plan-0"}
    async with guarded.calls("shopkeeper") as calls:
        for method in METHODS:
            if not about(method, nowhere).ListFields():
                continue
            answers = {str(await refused(calls.answer(method, about(method, ids)))) for ids in (targets["crm"], nowhere)}
            mixed = about(method, targets["shop"] | {"audit": targets["crm"]["audit"], "plan": targets["crm"]["plan"]})

            assert len(answers) == 1, answers
            assert "PERMISSION_DENIED" in answers.pop()
            if mixed != about(method, targets["shop"]):
                assert await calls.code(method, mixed) is grpc.StatusCode.PERMISSION_DENIED, method


async def test_what_is_about_all_databases_is_denied_to_those_with_one(guarded: Guarded, targets: dict) -> None:
    """Verifying and exporting the whole audit log."""
    async with guarded.calls("shopkeeper") as calls:
        assert (
            await calls.code("AuditLogService/VerifyEntries", audit_log_service_pb2.VerifyEntriesRequest())
            is grpc.StatusCode.PERMISSION_DENIED
        )
        assert (
            await calls.code("AuditLogService/ExportEntries", audit_log_service_pb2.ExportEntriesRequest())
            is grpc.StatusCode.PERMISSION_DENIED
        )


@pytest.mark.parametrize(
    ("method", "items", "name"),
    [
        ("DatabaseService/ListDatabases", "databases", "name"),
        ("AuditService/ListAudits", "audits", "database"),
        ("PlanService/ListPlans", "plans", "database"),
        ("JobService/ListJobs", "jobs", "database"),
        ("AuditLogService/ListEntries", "entries", "database"),
    ],
)
async def test_lists_hold_what_the_caller_may_see(guarded: Guarded, targets: dict, method: str, items: str, name: str) -> None:
    """Page by page, without gaps: crm and shop for viewer, shop for seller."""
    seen: dict[str, list[str]] = {}
    for who in ("viewer", "seller"):
        seen[who] = []
        async with guarded.calls(who) as calls:
            token = "first"
            while token:
                request = call(method).request(page_size=1, page_token="" if token == "first" else token)
                page = await calls.unary(method, request)
                assert len(getattr(page, items)) <= 1
                seen[who] += [getattr(item, name) for item in getattr(page, items)]
                token = page.next_page_token

    assert {"crm", "shop"} <= set(seen["viewer"])
    assert seen["seller"] == [database for database in seen["viewer"] if database == "shop"]


async def test_registering_tells_no_names_of_others(guarded: Guarded, targets: dict, postgres: Server) -> None:
    """Whoever may register fresh, and gives the DSN of crm, learns that it is registered, and not as what."""
    dsn = postgres.dsn(targets["crm"]["target"])
    async with guarded.calls("admin") as admin, guarded.calls("newcomer") as newcomer:
        told = await refused(admin.unary("DatabaseService/AddDatabase", pb.AddDatabaseRequest(name="other", dsn=pb.DsnSource(inline=dsn))))
        hidden = await refused(
            newcomer.unary("DatabaseService/AddDatabase", pb.AddDatabaseRequest(name="fresh", dsn=pb.DsnSource(inline=dsn)))
        )

    assert (told.reason, hidden.reason) == ("DATABASE_REGISTERED_TWICE", "DATABASE_REGISTERED_TWICE")
    assert "crm" in told.message
    assert "crm" not in hidden.message


async def test_the_server_of_the_store_is_no_target(guarded: Guarded) -> None:
    """Whoever may register one database would otherwise work in it as its superuser: the service is let in without a password."""
    store = EmbeddedPostgres(guarded.service.home / "data" / "store")

    async with guarded.calls("newcomer") as newcomer:
        for database in ("postgres", "template1"):
            request = pb.AddDatabaseRequest(name="fresh", dsn=pb.DsnSource(inline=store.dsn(database)))
            assert (await refused(newcomer.unary("DatabaseService/AddDatabase", request))).reason == "HOST_NOT_ALLOWED", database


async def test_a_page_token_leads_to_no_other_audit(guarded: Guarded, targets: dict) -> None:
    """A token that was made for crm, and looks as if it were for shop."""
    from holdfastd.rpc import tokens

    scope = ("ListRelationships", "", targets["shop"]["audit"])
    forged = tokens.page_token(scope, (targets["crm"]["audit"], "0"))
    request = audit_service_pb2.ListRelationshipsRequest(audit_id=targets["shop"]["audit"], page_token=forged)

    async with guarded.calls("seller") as calls:
        assert await calls.code("AuditService/ListRelationships", request) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stated_name_is_not_believed(guarded: Guarded, targets: dict) -> None:
    """With an access file, x-holdfast-principal is ignored: the plan's author is who was recognised."""
    async with guarded.calls("planner") as calls:
        metadata = (("x-holdfast-principal", "somebody"),)
        made = await calls.unary("PlanService/CreatePlan", plan_service_pb2.CreatePlanRequest(database="shop"), metadata=metadata)
        alone = await refused(
            Calls(guarded.service.channel(), "").unary("DatabaseService/ListDatabases", pb.ListDatabasesRequest(), metadata=metadata)
        )

    assert made.plan.author == "planner"
    assert alone.code is grpc.StatusCode.UNAUTHENTICATED


async def test_whoever_is_not_known_is_told_how_to_be(guarded: Guarded) -> None:
    """One answer for all that may be wrong, and a line in the log that says where it came from, without the token."""
    wrong, _ = new_token()
    answers = set()
    for token in ("", wrong, "hunter2", guarded.issuer.token(lifetime=-9), guarded.issuer.token(aud="other")):
        answers.add(str(await refused(guarded.calls(token).unary("DatabaseService/ListDatabases", pb.ListDatabasesRequest()))))

    assert len(answers) == 1
    assert "authorization: Bearer" in answers.pop()
    assert '"peer": "ipv4:127.0.0.1' in guarded.service.log
    assert wrong not in guarded.service.log


async def test_denied_changes_are_in_both_logs(guarded: Guarded, targets: dict) -> None:
    """Who tried what on which database, as far as it is theirs to know."""
    async with guarded.calls("seller") as calls:
        await refused(calls.unary("AuditService/StartAudit", audit_service_pb2.StartAuditRequest(database="shop")))
    async with guarded.calls("admin") as calls:
        page = await calls.unary("AuditLogService/ListEntries", audit_log_service_pb2.ListEntriesRequest(page_size=1))

    (entry,) = page.entries
    assert (entry.principal, entry.action, entry.database, entry.outcome) == ("seller", "call.refuse", "shop", "PERMISSION_DENIED")
    assert dict(entry.details) == {"method": "AuditService/StartAudit", "permission": "AUDIT"}
    assert '"code": "PERMISSION_DENIED"' in guarded.service.log


async def test_health_is_open_and_reflection_is_not(guarded: Guarded) -> None:
    """Load balancers have no token; what the service offers is told to callers."""
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection_pb2

    async def reflect(token: str) -> Any:
        stream = guarded.service.channel().stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            lambda request: request.SerializeToString(),
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        async for answer in stream(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), metadata=metadata):
            return answer
        return None

    check = guarded.service.channel().unary_unary(
        "/grpc.health.v1.Health/Check", lambda request: request.SerializeToString(), health_pb2.HealthCheckResponse.FromString
    )
    assert (await check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
    assert (await refused(reflect(""))).code is grpc.StatusCode.UNAUTHENTICATED
    assert "holdfast.v1.JobService" in str(await reflect(guarded.tokens["viewer"]))


async def test_tokens_are_replaced_without_a_restart(guarded: Guarded) -> None:
    """The second hash is added, the first removed; a file that cannot be meant changes nothing and is told of."""
    old, request = guarded.add("rotator", "viewer"), pb.ListDatabasesRequest()
    await guarded.rewrite()
    new, digest = new_token()
    first = guarded.hashes["rotator"]

    guarded.hashes["rotator"] = [*first, digest]
    await guarded.rewrite()
    both = [await guarded.calls(token).code("DatabaseService/ListDatabases", request) for token in (old, new)]
    guarded.hashes["rotator"] = [digest]
    await guarded.rewrite()
    after = [await guarded.calls(token).code("DatabaseService/ListDatabases", request) for token in (old, new)]
    guarded.access.write_text("principals: {rotator: {roles: [king]}}")
    await until(lambda: "principals.rotator.roles[0]: 'king' is no role" in guarded.service.log)
    bad = await guarded.calls(new).code("DatabaseService/ListDatabases", request)
    await guarded.rewrite()

    assert both == [grpc.StatusCode.OK, grpc.StatusCode.OK]
    assert after == [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.OK]
    assert bad is grpc.StatusCode.OK


async def test_a_token_of_an_issuer_is_a_caller(guarded: Guarded, targets: dict) -> None:
    """Its groups are roles; wrong ones are nobody's (every way to be wrong is in the tests of recognition)."""
    request = plan_service_pb2.CreatePlanRequest(database="shop")
    async with guarded.calls(guarded.issuer.token(roles=["dba"])) as calls:
        made = await calls.unary("PlanService/CreatePlan", request)
    async with guarded.calls(guarded.issuer.token(roles=["look"])) as calls:
        denied = await calls.code("PlanService/CreatePlan", request)

    assert made.plan.author == "olga"
    assert denied is grpc.StatusCode.PERMISSION_DENIED


async def test_a_token_may_name_hundreds_of_groups(guarded: Guarded, targets: dict) -> None:
    """Directories put all of them in; gRPC alone takes 8 KiB of headers, and answers more by chance."""
    groups = [f"00000000-0000-0000-0000-{number:012}" for number in range(280)]
    token = guarded.issuer.token(sub="ida", roles=[*groups, "look"])
    assert len(token) > 14_000

    async with Calls(guarded.service.channel(), token) as ida:
        for _ in range(5):
            await ida.unary("DatabaseService/ListDatabases", pb.ListDatabasesRequest())


async def test_a_certificate_is_replaced_without_a_restart(guarded: Guarded, authority: Authority) -> None:
    """New connections get the new one, open ones go on, and one that cannot be used changes nothing."""
    home, request, other = guarded.service.home, pb.ListDatabasesRequest(), Authority()
    trusting_other = Calls(
        grpc.aio.secure_channel(guarded.service.listen, grpc.ssl_channel_credentials(other.pem)), guarded.tokens["viewer"]
    )
    async with guarded.calls("viewer") as before, trusting_other:
        assert await before.code("DatabaseService/ListDatabases", request) is grpc.StatusCode.OK

        other.issue(dns=["localhost"]).write(home / "tls.crt", home / "tls.key")
        assert await trusting_other.code("DatabaseService/ListDatabases", request) is grpc.StatusCode.OK
        assert await before.code("DatabaseService/ListDatabases", request) is grpc.StatusCode.OK
        assert await guarded.calls("viewer").code("DatabaseService/ListDatabases", request) is grpc.StatusCode.UNAVAILABLE

        (home / "tls.crt").write_text("nonsense")
        credentials = grpc.ssl_channel_credentials(other.pem)
        again = Calls(
            grpc.aio.secure_channel(guarded.service.listen, credentials, options=[("grpc.use_local_subchannel_pool", 1)]),
            guarded.tokens["viewer"],
        )
        assert await again.code("DatabaseService/ListDatabases", request) is grpc.StatusCode.OK
        assert "certificate_rejected" in guarded.service.log

    authority.issue(dns=["localhost"]).write(home / "tls.crt", home / "tls.key")
    async with guarded.calls("viewer") as after:
        assert await after.code("DatabaseService/ListDatabases", request) is grpc.StatusCode.OK


async def test_four_eyes(guarded: Guarded, targets: dict) -> None:
    """Where a database asks for it, its author's approval is none: not when asked for before, and not when asked for after."""
    approve, settings = plan_service_pb2.ApprovePlanRequest, pb.DatabaseSettings(four_eyes=True, max_running_jobs=1)
    update = "DatabaseService/UpdateDatabase"
    async with guarded.calls("admin") as admin, guarded.calls("approver") as approver:
        early = (await admin.unary("PlanService/CreatePlan", plan_service_pb2.CreatePlanRequest(database="crm"))).plan.id
        await admin.unary("PlanService/ApprovePlan", approve(id=early))
        changed = await admin.unary(update, pb.UpdateDatabaseRequest(name="crm", settings=settings))
        plan = (await admin.unary("PlanService/CreatePlan", plan_service_pb2.CreatePlanRequest(database="crm"))).plan.id
        own = await refused(admin.unary("PlanService/ApprovePlan", approve(id=plan)))
        applied = await refused(admin.unary("MigrationService/ApplyPlan", migration_service_pb2.ApplyPlanRequest(plan_id=early)))
        approved = [(await approver.unary("PlanService/ApprovePlan", approve(id=each))).plan for each in (early, plan)]
        started = await admin.unary("MigrationService/ApplyPlan", migration_service_pb2.ApplyPlanRequest(plan_id=early))
        async for _ in admin.stream("JobService/WatchJob", job_service_pb2.WatchJobRequest(id=started.job.id)):
            pass
        await admin.unary(update, pb.UpdateDatabaseRequest(name="crm", settings=pb.DatabaseSettings(), etag=changed.database.etag))
        log = await admin.unary("AuditLogService/ListEntries", audit_log_service_pb2.ListEntriesRequest(database="crm", page_size=1))
        nothing = await refused(admin.unary(update, pb.UpdateDatabaseRequest(name="crm")))

    assert changed.database.settings == settings
    assert (own.code, own.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SECOND_PERSON_NEEDED")
    assert (applied.code, applied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SECOND_PERSON_NEEDED")
    assert [each.reviewer for each in approved] == ["approver", "approver"]
    assert dict(log.entries[0].details) == {"four_eyes": "true -> false", "max_running_jobs": "1 -> 0"}
    assert nothing.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_watch_ends_with_the_right_to_it(guarded: Guarded, targets: dict, postgres: Server, database: str) -> None:
    """A token that expires or is removed: UNAUTHENTICATED; a role that goes: PERMISSION_DENIED. Others go on watching."""
    guarded.add("removed", "viewer")
    guarded.add("demoted", "viewer@slow")
    guarded.add("kept", "viewer@slow")
    await guarded.rewrite()
    blocker = await asyncpg.connect(database)
    await blocker.execute(TABLES)
    async with guarded.calls("admin") as admin:
        await admin.unary("DatabaseService/AddDatabase", pb.AddDatabaseRequest(name="slow", dsn=pb.DsnSource(inline=database)))
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("LOCK TABLE sales.orders IN ACCESS EXCLUSIVE MODE")
        job = (await admin.unary("AuditService/StartAudit", audit_service_pb2.StartAuditRequest(database="slow"))).job.id
        expiring = guarded.issuer.token(roles=["look"], lifetime=4)
        watches = {
            name: guarded.calls(name).stream("JobService/WatchJob", job_service_pb2.WatchJobRequest(id=job))
            for name in ("removed", "demoted", "kept", expiring)
        }
        for watch in watches.values():
            await anext(watch)

        del guarded.roles["removed"]
        guarded.roles["demoted"] = "viewer@shop"
        await guarded.rewrite()
        async with asyncio.timeout(10):
            ends = {name: (await refused(exhaust(watch))).code for name, watch in watches.items() if name != "kept"}
        await lock.rollback()
        last = await exhaust(watches["kept"])
        await admin.unary("DatabaseService/RemoveDatabase", pb.RemoveDatabaseRequest(name="slow"))
    await blocker.close()

    assert ends == {
        "removed": grpc.StatusCode.UNAUTHENTICATED,
        "demoted": grpc.StatusCode.PERMISSION_DENIED,
        expiring: grpc.StatusCode.UNAUTHENTICATED,
    }
    assert last.final.state == core_pb2.JOB_STATE_SUCCEEDED


async def exhaust(watch: AsyncIterator[Any]) -> Any:
    return [message async for message in watch][-1]


async def test_certificates_of_callers(authority: Authority) -> None:
    """mTLS: a SPIFFE id and a DNS name are principals, others are nobody, and without a certificate there is no connection."""
    service = Service()
    authority.issue(dns=["localhost"]).write(service.home / "tls.crt", service.home / "tls.key")
    (service.home / "ca.crt").write_bytes(authority.pem)
    token, digest = new_token()
    (service.home / "access.yaml").write_text(
        f"""principals:
  ci: {{roles: [auditor], certificates: ["spiffe://example.org/ci"]}}
  desk: {{roles: [viewer], certificates: ["dns:desk.example.org"]}}
  ada: {{roles: [admin], tokens: [{digest}]}}
"""
    )
    tls = {"--tls-cert": "tls.crt", "--tls-key": "tls.key", "--tls-client-ca": "ca.crt", "--access": "access.yaml"}
    service.arguments = [word for option, name in tls.items() for word in (option, str(service.home / name))]

    def credentials(signer: Authority | None, **names: Any) -> grpc.ChannelCredentials:
        shown = signer.issue(**names) if signer else None
        return grpc.ssl_channel_credentials(authority.pem, shown.key if shown else None, shown.chain if shown else None)

    async def code(shown: grpc.ChannelCredentials, method: str, token: str = "") -> grpc.StatusCode:
        async with Calls(grpc.aio.secure_channel(service.listen, shown), token) as calls:
            return await calls.code(method, call(method).request())

    listing, verifying = "DatabaseService/ListDatabases", "AuditService/StartAudit"
    ci, nobody = (
        credentials(authority, uris=["spiffe://example.org/ci"]),
        credentials(authority, dns=["other"], common_name="desk.example.org"),
    )
    service.credentials = ci
    await service.start()
    try:
        assert await code(ci, listing) is grpc.StatusCode.OK
        assert await code(ci, verifying) is grpc.StatusCode.INVALID_ARGUMENT
        assert await code(ci, "DatabaseService/AddDatabase") is grpc.StatusCode.PERMISSION_DENIED
        assert await code(ci, "DatabaseService/AddDatabase", token) is grpc.StatusCode.INVALID_ARGUMENT
        assert await code(ci, listing, "wrong") is grpc.StatusCode.UNAUTHENTICATED
        assert await code(credentials(authority, dns=["desk.example.org"]), verifying) is grpc.StatusCode.PERMISSION_DENIED
        assert await code(nobody, listing) is grpc.StatusCode.UNAUTHENTICATED
        assert await code(credentials(authority, dns=["spiffe://example.org/ci"]), listing) is grpc.StatusCode.UNAUTHENTICATED
        assert await code(credentials(None), listing, token) is grpc.StatusCode.UNAVAILABLE
        assert await code(credentials(Authority(), uris=["spiffe://example.org/ci"]), listing) is grpc.StatusCode.UNAVAILABLE
    finally:
        await service.discard()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--access", "/nowhere/access.yaml"],
            "holdfastd: The access file /nowhere/access.yaml cannot be read (No such file or directory)",
        ),
        (["--tls-cert", "/nowhere/a", "--tls-key", "/nowhere/b"], "holdfastd: /nowhere/a cannot be read (No such file or directory)"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """Before anything was started."""
    command = [sys.executable, "-m", "holdfastd", "serve", "--data-dir", str(tmp_path / "data"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_new_token_prints_a_token_and_its_hash() -> None:
    """The only place where the token is ever seen."""
    ended = subprocess.run([sys.executable, "-m", "holdfastd", "new-token"], capture_output=True, text=True, timeout=60, check=True)
    token, digest = ended.stdout.splitlines()

    assert token.startswith("holdfast_")
    assert digest.startswith("sha256:")
    assert ended.stderr == ""
