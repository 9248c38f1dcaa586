"""Registered databases."""

import asyncio
from dataclasses import replace

import pytest

from holdfastd.errors import AlreadyExists, Conflict, NotFound, Reason
from holdfastd.jobs.model import JobKind
from holdfastd.store import audit_log, audits, databases, jobs
from holdfastd.store.model import DsnKind
from holdfastd.store.pool import Store
from support.stored import a_registration, add_audit, add_database, add_job


async def test_what_was_added_is_returned(store: Store) -> None:
    registration = a_registration(dsn_kind=DsnKind.INLINE, dsn_reference="", dsn_encrypted=b"\x00sealed")
    async with store.transaction() as connection:
        added = await databases.add(connection, registration)

    async with store.connection() as connection:
        assert await databases.get(connection, "shop") == added
    assert (added.identity, added.dsn_encrypted, added.reachable) == (registration.identity, b"\x00sealed", True)


async def test_taken_name_is_refused(store: Store) -> None:
    await add_database(store)

    with pytest.raises(AlreadyExists) as refusal:
        await add_database(store, oid=6)
    assert refusal.value.reason is Reason.DATABASE_EXISTS


async def test_second_name_for_the_same_database_is_refused(store: Store) -> None:
    """The refusal names the first one, and the caller's transaction lives on."""
    await add_database(store)

    async with store.transaction() as connection:
        with pytest.raises(AlreadyExists) as refusal:
            await databases.add(connection, a_registration("shop2"))
        names = [record.name for record in await databases.list_page(connection, "", 10)]
    assert (refusal.value.reason, refusal.value.facts["registered_as"]) == (Reason.DATABASE_REGISTERED_TWICE, "shop")
    assert names == ["shop"]


@pytest.mark.parametrize("name", ["absent", "sh\0p", ""])
async def test_unknown_name_is_not_found(store: Store, name: str) -> None:
    async with store.connection() as connection:
        with pytest.raises(NotFound) as missing:
            await databases.get(connection, name)
    assert (missing.value.reason, missing.value.facts) == (Reason.DATABASE_NOT_FOUND, {"database": name})


async def test_pages_follow_names(store: Store) -> None:
    for oid, name in enumerate(("b", "a", "c"), start=1):
        await add_database(store, name, oid=oid)
    async with store.connection() as connection:
        first = await databases.list_page(connection, "", 2)
        second = await databases.list_page(connection, first[-1].name, 2)

    assert [record.name for record in (*first, *second)] == ["a", "b", "c"]


async def test_update_needs_the_etag_that_was_seen(store: Store) -> None:
    added = await add_database(store)
    changed = replace(a_registration(), role="other")
    async with store.transaction() as connection:
        updated = await databases.update(connection, changed, if_etag=added.etag)

        with pytest.raises(Conflict) as refusal:
            await databases.update(connection, changed, if_etag=added.etag)
        blind = await databases.update(connection, changed)
    assert refusal.value.reason is Reason.ETAG_MISMATCH
    assert (updated.role, updated.id) == ("other", added.id)
    assert len({added.etag, updated.etag, blind.etag}) == 3


async def test_reachability_is_no_update(store: Store) -> None:
    """A check in the background must not make a caller's etag stale."""
    added = await add_database(store)
    async with store.transaction() as connection:
        await databases.set_reachable(connection, "shop", reachable=False)
        record = await databases.get(connection, "shop")

    assert record == replace(added, reachable=False)


async def test_removing_takes_audits_and_jobs_along_but_not_the_log(store: Store) -> None:
    added = await add_database(store)
    job = await add_audit(store, added)
    async with store.transaction() as connection:
        await jobs.request_cancel(connection, job.id, "ann")
        await audit_log.append(connection, principal="ann", action="database.add", database="shop")
    async with store.transaction() as connection:
        await databases.remove(connection, "shop")

    async with store.connection() as connection:
        assert await audits.list_page(connection, limit=10) == ()
        assert await jobs.list_page(connection, limit=10) == ()
        assert [entry.database for entry in await audit_log.list_page(connection, limit=10)] == ["shop"]


async def test_busy_database_is_not_removed(store: Store) -> None:
    added = await add_database(store)
    job = await add_audit(store, added)

    async with store.transaction() as connection:
        with pytest.raises(Conflict) as refusal:
            await databases.remove(connection, "shop")
    assert (refusal.value.reason, refusal.value.facts["job_id"]) == (Reason.DATABASE_BUSY, job.id)


async def test_job_asked_for_while_the_database_goes_is_not_found(store: Store) -> None:
    """Whoever comes second waits and gets an answer, not a broken reference."""
    added = await add_database(store)

    async def ask() -> None:
        async with store.transaction() as connection:
            await add_job(connection, added, JobKind.APPLICATION)

    async with store.transaction() as connection:
        await databases.remove(connection, "shop")
        late = asyncio.create_task(ask())
        await asyncio.wait({late}, timeout=0.2)
        assert not late.done()

    with pytest.raises(NotFound):
        await late
