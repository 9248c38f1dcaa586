"""The audit log cannot be changed unnoticed."""

import asyncio
import contextlib
from dataclasses import replace

import asyncpg
import pytest
from structlog.testing import capture_logs

from holdfast.log_export import entry_of
from holdfastd.rpc.encode_record import log_entry
from holdfastd.store import audit_log
from holdfastd.store.log_chain import hash_of
from holdfastd.store.model import Anchor
from holdfastd.store.pool import Store

UNGUARDED = "SET session_replication_role = replica;"


async def _as_owner(database: str, *statements: str) -> None:
    """Do what the append-only log does not let anybody else do."""
    superuser = await asyncpg.connect(database)
    for statement in statements:
        await superuser.execute(UNGUARDED + statement)
    await superuser.close()


async def _noted(store: Store, count: int) -> list[Anchor]:
    """Append entries, and note each elsewhere."""
    return [Anchor(number, hash_) for number, hash_ in enumerate(await _append(store, count), start=1)]


async def _append_and_roll_back(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with store.transaction() as connection:
            await audit_log.append(connection, principal="eve", action="plan.reject")
            raise ZeroDivisionError


async def _forge(store: Store, database: str, *, first: int) -> None:
    """Change one entry, and compute its hash and all later ones anew."""
    async with store.connection() as connection:
        entries = await audit_log.read_after(connection, first - 2, upto=100, limit=100)
    previous, changed = entries[0].hash, [replace(entries[1], principal="eve"), *entries[2:]]
    for entry in changed:
        previous = hash_of(previous, entry)
        await _as_owner(
            database,
            f"UPDATE holdfastd.audit_log SET principal = '{entry.principal}', hash = '{previous}' WHERE sequence = {entry.sequence}",
        )


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
    """Cutting off the end leaves the rest intact: only the head, noted elsewhere, tells."""
    noted = await _noted(store, 3)
    await _as_owner(database, "DELETE FROM holdfastd.audit_log WHERE sequence = 3")

    async with store.connection() as connection:
        without, with_anchor = await audit_log.verify(connection), await audit_log.verify(connection, noted[2:])
    assert (without.intact, without.head_hash) == (True, noted[1].hash)
    assert (with_anchor.intact, with_anchor.first_broken_sequence) == (False, 3)
    assert with_anchor.message == "The log ends at entry 2, but entry 3 was noted: its end is missing."


async def test_log_written_anew_does_not_hold_what_was_noted(store: Store, database: str) -> None:
    """The store's owner can compute all hashes anew: only a noted one tells, and those before it say where."""
    noted = await _noted(store, 5)
    await _forge(store, database, first=3)

    async with store.connection() as connection:
        without = await audit_log.verify(connection)
        with_anchors = await audit_log.verify(connection, [noted[1], noted[4]])
        before = await audit_log.verify(connection, noted[:2])
    assert (without.intact, before.intact) == (True, True)
    assert (with_anchors.intact, with_anchors.first_broken_sequence) == (False, 3)
    assert with_anchors.message.startswith("One of the entries 3 to 5 was rewritten with all later hashes")


async def test_reordered_log_is_found(store: Store, database: str) -> None:
    """Entries that change places keep their hashes, which fit no longer."""
    await _noted(store, 4)
    swap = "UPDATE holdfastd.audit_log SET sequence = CASE sequence WHEN 2 THEN 3000 ELSE 2 END WHERE sequence IN (2, 3)"
    await _as_owner(database, swap, "UPDATE holdfastd.audit_log SET sequence = 3 WHERE sequence = 3000")

    async with store.connection() as connection:
        verification = await audit_log.verify(connection)
    assert (verification.intact, verification.first_broken_sequence) == (False, 2)
    assert verification.message == "Entry 2 was changed: its hash is not that of its content after entry 1."


async def test_emptied_log_is_found_by_any_anchor(store: Store, database: str) -> None:
    """TRUNCATE leaves a log that is intact, and empty."""
    noted = await _noted(store, 2)
    await _as_owner(database, "TRUNCATE holdfastd.audit_log")

    async with store.connection() as connection:
        assert (await audit_log.verify(connection)).intact
        assert (await audit_log.verify(connection, noted[:1])).first_broken_sequence == 1


async def test_head_is_made_known_when_it_is_committed(store: Store) -> None:
    """And a log line tells; what was rolled back, or not yet committed, nobody hears of."""
    with capture_logs() as lines:
        async with store.transaction() as connection:
            entry = await audit_log.append(connection, principal="ann", action="plan.approve")
            assert (store.log_head.newest, lines) == ((0, ""), [])
        await _append_and_roll_back(store)

    assert store.log_head.newest == (1, entry.hash)
    told = {"event": "audit_log_appended", "log_level": "info", "sequence": 1, "hash": entry.hash, "action": "plan.approve"}
    assert lines == [told]


async def test_head_of_other_replicas_is_read(store: Store, database: str) -> None:
    """Each replica knows the newest entry a moment later, whoever wrote it."""
    other = await Store.open(database)
    (_, newest) = await _noted(other, 2)
    await other.close()
    async with store.connection() as connection:
        read = await audit_log.refresh(connection, store.log_head)

    assert read == store.log_head.newest == newest


async def test_running_service_notices_a_log_that_got_shorter(store: Store, database: str) -> None:
    """It says so once, in its own log, which the store's owner does not write."""
    noted = await _noted(store, 3)
    await _as_owner(database, "DELETE FROM holdfastd.audit_log WHERE sequence = 3")
    with capture_logs() as lines:
        for _ in range(2):
            async with store.connection() as connection:
                await audit_log.refresh(connection, store.log_head)

    told = {"event": "audit_log_rewritten", "log_level": "error", "known": str(noted[2]), "found": str(noted[1])}
    assert lines == [told]


async def test_reading_on_stops_where_it_was_asked_to(store: Store) -> None:
    """What is appended during an export belongs to the next one."""
    await _noted(store, 5)
    async with store.connection() as connection:
        first = await audit_log.read_after(connection, 1, upto=4, limit=2)
        second = await audit_log.read_after(connection, 3, upto=4, limit=2)

    assert [entry.sequence for entry in (*first, *second)] == [2, 3, 4]


async def test_any_words_hash_alike_in_service_and_client(store: Store) -> None:
    """Two implementations of one canonical form: every character that JSON may write in several ways."""
    odd = "".join(map(chr, (*range(1, 0x30), 0x5C, 0x7F, 0x80, 0xFF, 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF)))
    details = dict.fromkeys((odd, "b", "B", "ä", "\uffff", "\U00010000", ""), odd)
    async with store.transaction() as connection:
        first = await audit_log.append(connection, principal=odd, action="x", database=odd, subject=odd, outcome=odd, details=details)
        second = await audit_log.append(connection, principal="", action="", details={})
        (read, _) = await audit_log.read_after(connection, 0, upto=2, limit=2)

    exported = [entry_of(log_entry(entry)) for entry in (read, second)]
    assert exported[0].hash_after("") == first.hash
    assert exported[1].hash_after(first.hash) == second.hash


async def test_any_words_can_be_logged(store: Store) -> None:
    async with store.transaction() as connection:
        await audit_log.append(connection, principal="a\0b", action="x", subject="\ud7ff😀", details={"k\0": "\0"})
        verification = await audit_log.verify(connection)

    assert verification.intact
