"""The audit log cannot be changed unnoticed."""

import asyncio

import asyncpg
import pytest

from holdfastd.store import audit_log
from holdfastd.store.pool import Store

UNGUARDED = "SET session_replication_role = replica;"


async def _append(store: Store, count: int) -> list[str]:
    hashes = []
    for number in range(count):
        async with store.transaction() as connection:
            entry = await audit_log.append(
                connection, principal="ann", action="plan.approve", database="shop", subject=f"plan-{number}", details={"b": "2", "a": "ü"}
            )
        hashes.append(entry.hash)
    return hashes


async def test_empty_log_is_intact(store: Store) -> None:
    async with store.connection() as connection:
        verification = await audit_log.verify(connection)

    assert (verification.intact, verification.entries, verification.head_hash) == (True, 0, "")


async def test_log_is_intact_and_pages_are_newest_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verification crosses the borders of its batches."""
    monkeypatch.setattr(audit_log, "_BATCH", 2)
    hashes = await _append(store, 5)
    async with store.connection() as connection:
        verification = await audit_log.verify(connection)
        first = await audit_log.list_page(connection, limit=3)
        second = await audit_log.list_page(connection, before=first[-1].sequence, limit=3)
        nothing = await audit_log.list_page(connection, database="other", limit=3)

    assert (verification.intact, verification.entries, verification.head_hash) == (True, 5, hashes[-1])
    assert [entry.sequence for entry in (*first, *second)] == [5, 4, 3, 2, 1]
    assert nothing == ()
    assert dict(first[0].details) == {"a": "ü", "b": "2"}


async def test_sequence_has_no_gaps_under_concurrency(store: Store) -> None:
    """Transactions that roll back leave no hole and no wrong hash."""

    async def append(number: int) -> None:
        async with store.transaction() as connection:
            await audit_log.append(connection, principal="ann", action="x", subject=str(number))
            if number % 3 == 0:
                raise RuntimeError

    await asyncio.gather(*(append(number) for number in range(20)), return_exceptions=True)
    async with store.connection() as connection:
        verification = await audit_log.verify(connection)

    assert (verification.intact, verification.entries) == (True, 13)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET principal = 'eve'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
async def test_log_is_append_only(store: Store, statement: str) -> None:
    await _append(store, 1)

    async with store.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(statement)


@pytest.mark.parametrize(
    ("tampering", "first_broken"),
    [
        ("UPDATE holdfastd.audit_log SET principal = 'eve' WHERE sequence = 3", 3),
        ('UPDATE holdfastd.audit_log SET details = \'{"a": "1"}\' WHERE sequence = 3', 3),
        ("UPDATE holdfastd.audit_log SET time = time + interval '1 microsecond' WHERE sequence = 3", 3),
        ("UPDATE holdfastd.audit_log SET hash = repeat('0', 64) WHERE sequence = 3", 3),
        ("DELETE FROM holdfastd.audit_log WHERE sequence = 3", 3),
        ("DELETE FROM holdfastd.audit_log WHERE sequence = 1", 1),
        ("INSERT INTO holdfastd.audit_log SELECT 0, time, 'eve', action, '', '', 'OK', '{}', hash FROM holdfastd.audit_log LIMIT 1", 1),
        ("UPDATE holdfastd.audit_log SET sequence = 9 WHERE sequence = 4", 4),
        ("UPDATE holdfastd.audit_log SET sequence = -sequence WHERE sequence = 1", 1),
    ],
)
async def test_tampering_is_found(store: Store, database: str, tampering: str, first_broken: int) -> None:
    """A superuser may switch the triggers off; the hashes tell."""
    await _append(store, 5)
    superuser = await asyncpg.connect(database)
    await superuser.execute(UNGUARDED + tampering)
    await superuser.close()

    async with store.connection() as connection:
        verification = await audit_log.verify(connection)
    assert (verification.intact, verification.first_broken_sequence) == (False, first_broken)


async def test_shortened_log_has_another_head(store: Store, database: str) -> None:
    """Cutting off the end leaves the rest intact: only the head hash, kept elsewhere, tells."""
    hashes = await _append(store, 3)
    superuser = await asyncpg.connect(database)
    await superuser.execute(f"{UNGUARDED} DELETE FROM holdfastd.audit_log WHERE sequence = 3")
    await superuser.close()

    async with store.connection() as connection:
        verification = await audit_log.verify(connection)
    assert (verification.intact, verification.head_hash) == (True, hashes[1])


async def test_any_words_can_be_logged(store: Store) -> None:
    async with store.transaction() as connection:
        await audit_log.append(connection, principal="a\0b", action="x", subject="\ud7ff😀", details={"k\0": "\0"})
        verification = await audit_log.verify(connection)

    assert verification.intact
