"""Comparing audits, and the history of orphan rows."""

from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from holdfast.v1 import audit_service_pb2 as pb
from holdfast.v1 import core_pb2
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfastd.findings.model import Ignored, Severity
from holdfastd.jobs.model import JobState
from holdfastd.store import audits, ignored, leases, orphan_counts
from integration.rpc.test_api import info, refused
from support.stored import MOMENT, SUMMARY, a_finding, a_relationship, add_audit, add_database

FOUR_MEBIBYTES = 4 * 1024 * 1024


@pytest.fixture
async def shop(api):
    return await add_database(api.services.store)


async def audited(api, database, relationships=(), findings=(), *, time=MOMENT):
    """Make an audit that succeeded, with its place in the history."""
    job = await add_audit(api.services.store, database)
    async with api.services.store.transaction() as connection:
        claimed = await leases.claim(connection, "replica", timedelta(seconds=60))
        found = {"relationships": relationships, "findings": findings}
        await audits.save_result(connection, job.audit_id, **found, summary=SUMMARY, end_time=time)
        await orphan_counts.record(connection, database.id, job.audit_id, relationships, time)
        await leases.finish(connection, claimed, JobState.SUCCEEDED)
    return job.audit_id


async def compared(api, base="", head="", database="shop"):
    request = pb.CompareAuditsRequest(database=database, base_audit_id=base, head_audit_id=head)
    return await AuditServiceStub(api.channel).CompareAudits(request)


async def test_the_last_two_audits_are_compared(api, shop):
    """What changed, appeared and went away; findings that somebody lives with say so."""
    await audited(api, shop, [a_relationship("old_id")])
    base = await audited(api, shop, [a_relationship("a_id"), a_relationship("b_id")], [a_finding(Severity.WARN, "gone")])
    head = await audited(api, shop, [a_relationship("a_id", orphans=20), a_relationship("c_id")], [a_finding(Severity.ERROR, "new")])
    decision = Ignored(finding_id=a_finding(Severity.WARN, "gone").id, reason="So be it.", principal="ann", create_time=MOMENT)
    async with api.services.store.transaction() as connection:
        await ignored.put(connection, shop.id, decision)

    answer = await compared(api)

    assert (answer.base.id, answer.head.id) == (base, head)
    assert [(change.kind, change.message) for change in answer.relationships] == [
        (pb.CHANGE_KIND_CHANGED, "12 more orphan rows"),
        (pb.CHANGE_KIND_WENT_AWAY, "candidate"),
        (pb.CHANGE_KIND_APPEARED, "candidate"),
    ]
    changed, gone, new = answer.relationships
    assert (changed.base_orphan_rows.value, changed.head_orphan_rows.value) == (8, 20)
    assert (gone.HasField("head_orphan_rows"), new.HasField("base_orphan_rows")) == (False, False)
    assert [(change.kind, change.finding.state) for change in answer.findings] == [
        (pb.CHANGE_KIND_APPEARED, core_pb2.FINDING_STATE_OPEN),
        (pb.CHANGE_KIND_WENT_AWAY, core_pb2.FINDING_STATE_IGNORED),
    ]
    assert (answer.changed_relationships, answer.changed_findings) == (3, 2)


async def test_either_audit_may_be_named(api, shop):
    """The other is the last, or the last before."""
    first, second, third = [await audited(api, shop, [a_relationship(orphans=number)]) for number in range(3)]

    pairs = [await compared(api, *ids) for ids in ((first, second), (first, ""), ("", second))]

    assert [(answer.base.id, answer.head.id) for answer in pairs] == [(first, second), (first, third), (first, second)]


async def test_what_does_not_compare_is_refused(api, shop):
    """The same audit twice, in the wrong order, another database's, one that has not ended, one that is gone."""
    first, second = [await audited(api, shop) for _ in range(2)]
    other = await audited(api, await add_database(api.services.store, "other", oid=7))
    running = (await add_audit(api.services.store, shop)).audit_id
    invalid, precondition = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION

    for base, head, code, reason, word in (
        (first, first, invalid, "INVALID_FIELD", "the same"),
        (second, first, invalid, "INVALID_FIELD", "later"),
        (other, second, invalid, "INVALID_FIELD", "of database other"),
        (first, running, precondition, "NO_AUDIT", "QUEUED"),
        ("audit-gone", second, grpc.StatusCode.NOT_FOUND, "AUDIT_NOT_FOUND", "pruned"),
        ("", first, precondition, "NO_AUDIT", "no earlier finished audit"),
    ):
        error = await refused(compared(api, base, head))
        assert (error.code(), info(error).reason) == (code, reason)
        assert word in error.details()
    error = await refused(compared(api, database="other"))
    assert (error.code(), info(error).reason) == (precondition, "NO_AUDIT")


async def test_two_thousand_changes_fit_and_more_are_counted(api, shop):
    """Never a message beyond what clients take, never a cut that is not told."""
    column = "a_rather_long_name_of_a_column_of_a_rather_long_name_of_a_table"
    relationships = [a_relationship(f"{column[:50]}_{number}") for number in range(2000)]
    verbose = replace(a_finding(Severity.WARN), message="It is so. " * 20, consequence="It stays so. " * 20, cure="Change it. " * 20)
    findings = [replace(verbose, part=f"part_{number}") for number in range(5000)]
    await audited(api, shop, relationships, findings)
    await audited(api, shop, [a_relationship(item.referencing.columns[0], orphans=9) for item in relationships])

    answer = await compared(api)

    assert (len(answer.relationships), answer.changed_relationships) == (2000, 2000)
    assert 1000 < len(answer.findings) < answer.changed_findings == 5000
    assert answer.ByteSize() < FOUR_MEBIBYTES


async def history(api, page_size=2, **filters):
    found, token = [], ""
    while True:
        request = pb.ListOrphanCountsRequest(database="shop", page_size=page_size, page_token=token, **filters)
        page = await AuditServiceStub(api.channel).ListOrphanCounts(request)
        found += page.counts
        token = page.next_page_token
        if not token:
            return found


async def test_history_goes_back_page_by_page(api, shop):
    """Newest first, then by relationship, also after the audits are gone."""
    columns = ("a_id", "b_id", "c_id")
    made = [
        await audited(api, shop, [a_relationship(name, orphans=number) for name in columns], time=MOMENT + timedelta(days=number))
        for number in range(3)
    ]
    async with api.services.store.transaction() as connection:
        await connection.execute("DELETE FROM audits")

    everything = await history(api)
    assert [(item.audit_id, item.relationship_id, item.orphan_rows.value) for item in everything] == [
        (made[number], a_relationship(name).id, number) for number in (2, 1, 0) for name in columns
    ]
    assert {item.orphan_rows.exactness for item in everything} == {core_pb2.EXACTNESS_EXACT}
    since = Timestamp()
    since.FromDatetime(MOMENT + timedelta(days=1))
    one = await history(api, relationship_id=a_relationship("b_id").id, start_time=since)
    assert [item.orphan_rows.value for item in one] == [2, 1]
    assert one[0].time.ToDatetime(tzinfo=MOMENT.tzinfo) == MOMENT + timedelta(days=2)


async def test_history_may_begin_at_any_time_there_is(api, shop):
    """The first and the last second that a time can be."""
    await audited(api, shop, [a_relationship("a_id")])

    assert [len(await history(api, start_time=Timestamp(seconds=seconds))) for seconds in (-62_135_596_800, 253_402_300_799)] == [1, 0]


async def test_a_token_belongs_to_its_filters(api, shop):
    """Or a page of one relationship would go on in another's."""
    for number in range(3):
        await audited(api, shop, [a_relationship("a_id")], time=MOMENT + timedelta(days=number))
    stub = AuditServiceStub(api.channel)
    page = await stub.ListOrphanCounts(pb.ListOrphanCountsRequest(database="shop", page_size=1))

    error = await refused(
        stub.ListOrphanCounts(pb.ListOrphanCountsRequest(database="shop", relationship_id="r", page_token=page.next_page_token))
    )
    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
async def test_times_that_are_none_are_refused(api, shop, seconds):
    """Before anything is made of them."""
    request = pb.ListOrphanCountsRequest(database="shop", start_time=Timestamp(seconds=seconds))
    error = await refused(AuditServiceStub(api.channel).ListOrphanCounts(request))

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "start_time")
