"""The audit log: who did what to which database when. Append-only, every entry holding the hash of the one before."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

import msgspec

from holdfastd.store.documents import decode, encode, searchable, storable
from holdfastd.store.model import LogEntry, LogVerification

#: Any number will do that differs from the migrations' ("hlog" in ASCII).
_LOCK = 0x686C6F67
_BATCH = 1000
#: A forged entry may have any sequence.
_BEFORE_ALL = -(2**63)


async def append(
    connection: Any,
    *,
    principal: str,
    action: str,
    database: str = "",
    subject: str = "",
    outcome: str = "OK",
    details: Mapping[str, str] | None = None,
) -> LogEntry:
    """Append an entry in the caller's transaction, as its last statement: others wait here until it ends."""
    # READ COMMITTED: the statement after the lock sees what its previous holder committed.
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    time = await connection.fetchval("SELECT clock_timestamp()")
    head = await connection.fetchrow("SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1")
    unsigned = LogEntry(
        sequence=head["sequence"] + 1 if head else 1,
        time=time,
        principal=storable(principal),
        action=action,
        database=storable(database),
        subject=storable(subject),
        outcome=outcome,
        details={storable(name): storable(value) for name, value in (details or {}).items()},
        hash="",
    )
    entry = replace(unsigned, hash=_hash(head["hash"] if head else "", unsigned))
    insert = """
        INSERT INTO audit_log (sequence, time, principal, action, database, subject, outcome, details, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """
    texts = (entry.principal, entry.action, entry.database, entry.subject, entry.outcome)
    await connection.execute(insert, entry.sequence, entry.time, *texts, encode(entry.details), entry.hash)
    return entry


async def list_page(connection: Any, *, database: str = "", before: int = 0, limit: int) -> tuple[LogEntry, ...]:
    """Return entries, newest first: of one database or all, those before a sequence (0: from the newest)."""
    query = """
        SELECT * FROM audit_log
        WHERE ($1 = '' OR database = $1) AND ($2::bigint = 0 OR sequence < $2)
        ORDER BY sequence DESC LIMIT $3
    """
    return tuple(_entry(row) for row in await connection.fetch(query, searchable(database), before, limit))


async def verify(connection: Any) -> LogVerification:
    """Recompute every hash from the first entry on, a batch at a time."""
    entries, expected, first_broken, previous_hash, last = 0, 1, 0, "", _BEFORE_ALL
    query = "SELECT * FROM audit_log WHERE sequence > $1 ORDER BY sequence LIMIT $2"
    while batch := await connection.fetch(query, last, _BATCH):
        for entry in map(_entry, batch):
            is_right = entry.sequence == expected and entry.hash == _hash(previous_hash, entry)
            if not is_right and not first_broken:
                first_broken = max(1, min(entry.sequence, expected))
            entries, expected, previous_hash, last = entries + 1, entry.sequence + 1, entry.hash, entry.sequence
    return LogVerification(intact=not first_broken, entries=entries, first_broken_sequence=first_broken, head_hash=previous_hash)


def _hash(previous_hash: str, entry: LogEntry) -> str:
    """Return SHA-256 over the previous hash and the entry as canonical JSON: fields in this order, details sorted, time in UTC."""
    texts = (entry.principal, entry.action, entry.database, entry.subject, entry.outcome)
    content = (entry.sequence, entry.time.astimezone(UTC).isoformat(timespec="microseconds"), *texts, dict(entry.details))
    return hashlib.sha256(previous_hash.encode() + msgspec.json.encode(content, order="sorted")).hexdigest()


def _entry(row: Any) -> LogEntry:
    same = ("sequence", "time", "principal", "action", "database", "subject", "outcome", "hash")
    return LogEntry(details=decode(row["details"], dict[str, str]), **{name: row[name] for name in same})
