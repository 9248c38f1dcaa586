"""Audits and what they found."""

from datetime import timedelta

import pytest

from holdfastd.errors import NotFound, Reason
from holdfastd.findings.model import Severity
from holdfastd.jobs.model import JobState
from holdfastd.store import audits, databases, leases, overview
from holdfastd.store.model import DatabaseRecord
from holdfastd.store.pool import Store
from support.stored import MOMENT, SUMMARY, a_finding, a_relationship, add_audit, add_database


async def _finished(store: Store, *, name: str = "shop", orphans: int = 8) -> str:
    """Return the id of an audit that succeeded."""
    database = await _known_or_added(store, name)
    job = await add_audit(store, database)
    async with store.transaction() as connection:
        claimed = await leases.claim(connection, "w", timedelta(seconds=9))
        assert claimed is not None
        await audits.save_result(
            connection,
            job.audit_id,
            relationships=[a_relationship("warehouse_id"), a_relationship("customer_id", orphans=orphans)],
            findings=[a_finding(Severity.INFO), a_finding(Severity.ERROR), a_finding(Severity.WARN)],
            summary=SUMMARY,
            end_time=MOMENT,
        )
        await leases.finish(connection, claimed, JobState.SUCCEEDED)
    return job.audit_id


async def _known_or_added(store: Store, name: str) -> DatabaseRecord:
    async with store.connection() as connection:
        known = {record.name: record for record in await databases.list_page(connection, "", 100)}
    return known.get(name) or await add_database(store, name, oid=len(known) + 1)


async def test_audit_stands_where_its_job_stands(store: Store) -> None:
    job = await add_audit(store, await add_database(store))
    async with store.connection() as connection:
        record = await audits.get(connection, job.audit_id)

    assert (record.state, record.job_id, record.end_time, record.summary) == (JobState.QUEUED, job.id, None, None)


async def test_results_come_back_in_order(store: Store) -> None:
    """Relationships by their columns, findings the worst first; both survive the store unchanged."""
    audit_id = await _finished(store)
    async with store.connection() as connection:
        first = await audits.relationships_page(connection, audit_id, 0, 1)
        second = await audits.relationships_page(connection, audit_id, 1, 1)
        everything = await audits.all_relationships(connection, audit_id)
        warnings = await audits.findings_page(connection, audit_id, Severity.WARN, 0, 10)
        record = await audits.get(connection, audit_id)

    assert everything == (a_relationship("customer_id"), a_relationship("warehouse_id")) == (*first, *second)
    assert warnings == (a_finding(Severity.ERROR), a_finding(Severity.WARN))
    assert (record.state, record.summary) == (JobState.SUCCEEDED, SUMMARY)


async def test_saving_again_replaces(store: Store) -> None:
    """A second replica makes the same audit from the start."""
    audit_id = await _finished(store)
    async with store.transaction() as connection:
        await audits.save_result(connection, audit_id, relationships=[], findings=[], summary=SUMMARY, end_time=MOMENT)

        assert await audits.all_relationships(connection, audit_id) == ()
        assert await audits.findings_page(connection, audit_id, Severity.INFO, 0, 10) == ()


async def test_relationship_is_found_by_id(store: Store) -> None:
    audit_id = await _finished(store)
    wanted = a_relationship("customer_id")
    async with store.connection() as connection:
        assert await audits.relationship(connection, audit_id, wanted.id) == wanted

        with pytest.raises(NotFound) as missing:
            await audits.relationship(connection, audit_id, "no\0where")
    assert missing.value.reason is Reason.RELATIONSHIP_NOT_FOUND


async def test_unknown_audit_is_not_found(store: Store) -> None:
    async with store.connection() as connection:
        with pytest.raises(NotFound) as missing:
            await audits.get(connection, "audit-none")
    assert missing.value.reason is Reason.AUDIT_NOT_FOUND


async def test_pages_are_newest_first(store: Store) -> None:
    made = [await _finished(store) for _ in range(3)]
    async with store.connection() as connection:
        first = await audits.list_page(connection, database="shop", limit=2)
        second = await audits.list_page(connection, database="shop", after=first[-1].id, limit=2)
        nothing = await audits.list_page(connection, database="other", limit=2)

    assert [record.id for record in (*first, *second)] == made[::-1]
    assert nothing == ()


async def test_latest_is_the_newest_that_succeeded(store: Store) -> None:
    """An audit that still runs, or failed, does not hide the one before."""
    await _finished(store, orphans=1)
    newest = await _finished(store, orphans=2)
    await _finished(store, name="gas", orphans=3)
    database = await _known_or_added(store, "shop")
    await add_audit(store, database)
    async with store.connection() as connection:
        latest = await audits.latest_succeeded(connection, database.id)
        of_all = await overview.standings(connection)
        found = [await overview.counted(connection, one.audit.id) for one in of_all if one.audit]

    assert latest is not None
    assert latest.id == newest
    assert [one.database for one in of_all] == ["gas", "shop"]
    assert [relationships[0][1].orphan_rows.value for relationships in found] == [3, 2]
    assert all(one.audit is not None and one.audit.seconds >= 0 and one.audit.summary == SUMMARY for one in of_all)


async def test_database_without_audit_has_no_latest(store: Store) -> None:
    database = await add_database(store)
    async with store.connection() as connection:
        assert await audits.latest_succeeded(connection, database.id) is None
        assert [one.audit for one in await overview.standings(connection)] == [None]
