"""Findings that somebody decided to live with: left out of lists until they expire, in every audit, and on record."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from holdfast.v1 import audit_service_pb2 as audits_pb
from holdfast.v1 import core_pb2
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfastd.findings.model import Ignored, Severity
from holdfastd.jobs.model import JobState
from holdfastd.store import audit_log, audits, ignored, leases
from integration.rpc.test_api import info, refused
from support.stored import MOMENT, SUMMARY, a_finding, add_audit, add_database

TABLES = tuple(f"table_{number}" for number in range(7))


def id_of(table):
    return a_finding(Severity.WARN, table).id


async def finish_audit(store, database, tables=TABLES):
    """Make an audit that found one table without a primary key after the other."""
    job = await add_audit(store, database)
    async with store.transaction() as connection:
        claimed = await leases.claim(connection, "replica", timedelta(seconds=60))
        findings = [a_finding(Severity.WARN, table) for table in tables]
        await audits.save_result(connection, job.audit_id, relationships=[], findings=findings, summary=SUMMARY, end_time=MOMENT)
        await leases.finish(connection, claimed, JobState.SUCCEEDED)
    return job.audit_id


@pytest.fixture
async def audited(api):
    record = await add_database(api.services.store)
    await finish_audit(api.services.store, record)
    return record


async def ignore(api, table, reason="It is a staging table.", **fields):
    request = audits_pb.IgnoreFindingRequest(database="shop", finding_id=id_of(table), reason=reason, **fields)
    return await AuditServiceStub(api.channel).IgnoreFinding(request)


async def listed(api, *, page_size=2, **filters):
    """Return the findings of all pages, and the largest page."""
    stub, found, token, largest = AuditServiceStub(api.channel), [], "", 0
    while True:
        request = audits_pb.ListFindingsRequest(database="shop", page_size=page_size, page_token=token, **filters)
        page = await stub.ListFindings(request)
        found += page.findings
        largest = max(largest, len(page.findings))
        token = page.next_page_token
        if not token:
            assert largest <= page_size
            return found


async def test_an_ignored_finding_is_left_out_and_told_when_asked(api, audited):
    """Pages stay full and miss nothing; the rest of the list keeps its order."""
    for table in (TABLES[0], TABLES[1], TABLES[4]):
        answer = await ignore(api, table)
        assert (answer.finding.id, answer.finding.state) == (id_of(table), core_pb2.FINDING_STATE_IGNORED)

    left, everything = await listed(api), await listed(api, include_ignored=True)

    assert [item.id for item in left] == [id_of(TABLES[number]) for number in (2, 3, 5, 6)]
    assert {item.state for item in left} == {core_pb2.FINDING_STATE_OPEN}
    assert [item.id for item in everything] == [id_of(table) for table in TABLES]
    first = everything[0]
    assert (first.state, first.ignored.reason, first.ignored.principal) == (
        core_pb2.FINDING_STATE_IGNORED,
        "It is a staging table.",
        "anonymous",
    )
    assert not first.ignored.HasField("expire_time")


async def test_all_ignored_is_an_empty_list(api, audited):
    """Without a token that leads nowhere."""
    for table in TABLES:
        await ignore(api, table)

    assert await listed(api) == []


async def test_a_page_token_does_not_fit_the_other_list(api, audited):
    """Positions would be the same, what is shown would not."""
    stub = AuditServiceStub(api.channel)
    token = (await stub.ListFindings(audits_pb.ListFindingsRequest(database="shop", page_size=2))).next_page_token
    request = audits_pb.ListFindingsRequest(database="shop", page_size=2, page_token=token, include_ignored=True)

    assert info(await refused(stub.ListFindings(request))).metadata["field"] == "page_token"


async def test_ignoring_again_replaces_reason_and_expiry(api, audited):
    """The last decision is the one that counts."""
    until = Timestamp()
    until.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    await ignore(api, TABLES[0], "First.", expire_time=until)
    await ignore(api, TABLES[0], "  Second.  ")

    decision = (await listed(api, include_ignored=True))[0].ignored

    assert (decision.reason, decision.HasField("expire_time")) == ("Second.", False)


async def test_an_expired_decision_no_longer_holds(api, audited):
    """The finding is open again, by itself."""
    hour = timedelta(hours=1)
    decision = Ignored(
        finding_id=id_of(TABLES[0]), reason="For now.", principal="ada", create_time=MOMENT - hour, expire_time=datetime.now(UTC) - hour
    )
    async with api.services.store.transaction() as connection:
        await ignored.put(connection, audited.id, decision)

    found = await listed(api)

    assert [item.id for item in found] == [id_of(table) for table in TABLES]
    assert {item.state for item in found} == {core_pb2.FINDING_STATE_OPEN}


async def test_the_next_audit_ignores_it_too_and_unignore_opens_it(api, audited):
    """A decision is about the database, not about one audit; taking it back twice succeeds."""
    stub = AuditServiceStub(api.channel)
    await ignore(api, TABLES[0])
    await finish_audit(api.services.store, audited)
    before = len(await listed(api))

    for _ in range(2):
        await stub.UnignoreFinding(audits_pb.UnignoreFindingRequest(database="shop", finding_id=id_of(TABLES[0])))

    assert (before, len(await listed(api))) == (len(TABLES) - 1, len(TABLES))


async def test_only_what_the_latest_audit_found_can_be_ignored(api, audited):
    """A typing mistake must not pass for a decision."""
    await finish_audit(api.services.store, audited, tables=("other",))

    error = await refused(ignore(api, TABLES[0]))

    assert (error.code(), info(error).reason) == (grpc.StatusCode.NOT_FOUND, "FINDING_NOT_FOUND")
    assert info(error).metadata["finding_id"] == id_of(TABLES[0])


async def test_both_decisions_are_in_the_audit_log(api, audited):
    """Who, what, why, until when; refusals too."""
    until = Timestamp()
    until.FromDatetime(datetime(2100, 1, 1, tzinfo=UTC))
    await ignore(api, TABLES[0], "Rebuilt every night.", expire_time=until)
    await refused(ignore(api, "nothing"))
    await AuditServiceStub(api.channel).UnignoreFinding(audits_pb.UnignoreFindingRequest(database="shop", finding_id=id_of(TABLES[0])))
    async with api.services.store.connection() as connection:
        entries = await audit_log.list_page(connection, database="shop", before=0, limit=10)

    assert [(entry.action, entry.subject, entry.outcome) for entry in entries] == [
        ("finding.unignore", id_of(TABLES[0]), "OK"),
        ("finding.ignore", id_of("nothing"), "FINDING_NOT_FOUND"),
        ("finding.ignore", id_of(TABLES[0]), "OK"),
    ]
    assert entries[-1].details == {"reason": "Rebuilt every night.", "until": "2100-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"finding_id": ""}, "finding_id"),
        ({"expire_time": Timestamp(seconds=1)}, "expire_time"),
        ({"expire_time": Timestamp(seconds=2**62)}, "expire_time"),
        ({"database": "Shop"}, "database"),
    ],
    ids=["empty", "long", "nothing", "past", "never", "name"],
)
async def test_what_cannot_be_meant_is_refused_with_its_field(shared_api, fields, wrong):
    request = audits_pb.IgnoreFindingRequest(**{"database": "shop", "finding_id": "f", "reason": "r"} | fields)
    error = await refused(AuditServiceStub(shared_api.channel).IgnoreFinding(request))

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, wrong)


async def test_an_audit_keeps_how_it_was_asked_for(api):
    """estimate_after reaches the store, and the audit log; the same request_id with another one is another request."""
    await add_database(api.services.store)
    stub = AuditServiceStub(api.channel)
    options = audits_pb.AuditOptions(estimate_after=timedelta(seconds=90))
    started = await stub.StartAudit(audits_pb.StartAuditRequest(database="shop", options=options))
    plain = await stub.StartAudit(audits_pb.StartAuditRequest(database="shop"))
    async with api.services.store.connection() as connection:
        records = [await audits.get(connection, answer.audit.id) for answer in (started, plain)]
        entries = await audit_log.list_page(connection, database="shop", before=0, limit=10)

    assert [record.estimate_after for record in records] == [timedelta(seconds=90), None]
    assert [entry.details for entry in entries] == [{}, {"estimate_after": "0:01:30"}]


@pytest.mark.parametrize("seconds", [0, -1, 2**62])
async def test_estimating_needs_a_time(shared_api, seconds):
    """0 s would estimate everything, which nobody means by leaving a field empty."""
    request = audits_pb.StartAuditRequest(database="shop")
    request.options.estimate_after.seconds = seconds
    error = await refused(AuditServiceStub(shared_api.channel).StartAudit(request))

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "options.estimate_after")
