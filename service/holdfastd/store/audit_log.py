"""The audit log: who did what to which database when. Append-only, every entry holding the hash of the one before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from holdfastd.store.documents import decode, encode, searchable, storable
from holdfastd.store.log_chain import Chain, hash_of
from holdfastd.store.log_head import LogHead, was_appended
from holdfastd.store.model import Anchor, LogEntry, LogVerification

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
    """Append an entry in the caller's transaction, as its last statement: others wait here until it ends.

    In a transaction of `Store`, the entry is made known when that is committed.
    """
    # READ COMMITTED: the statement after the lock sees what its previous holder committed.
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    time = await connection.fetchval("SELECT clock_timestamp()")
    last = await head(connection)
    unsigned = LogEntry(
        sequence=last.sequence + 1,
        time=time,
        principal=storable(principal),
        action=action,
        database=storable(database),
        subject=storable(subject),
        outcome=outcome,
        details={storable(name): storable(value) for name, value in (details or {}).items()},
        hash="",
    )
    entry = replace(unsigned, hash=hash_of(last.hash, unsigned))
    insert = """
        INSERT INTO audit_log (sequence, time, principal, action, database, subject, outcome, details, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """
    texts = (entry.principal, entry.action, entry.database, entry.subject, entry.outcome)
    await connection.execute(insert, entry.sequence, entry.time, *texts, encode(entry.details), entry.hash)
    was_appended(entry)
    return entry


async def head(connection: Any) -> Anchor:
    """Return the last entry and its hash; `(0, "")` for an empty log. Entries are counted from 1, so this is their number, too."""
    row = await connection.fetchrow("SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1")
    return Anchor(row["sequence"], row["hash"]) if row else Anchor(0, "")


async def refresh(connection: Any, known: LogHead) -> Anchor:
    """Return the head, and tell it to what this replica knows, which complains when the log became shorter."""
    before = known.newest
    read = await head(connection)
    known.compare(read, before)
    return read


async def list_page(
    connection: Any, *, database: str = "", before: int = 0, limit: int, visible: Collection[str] | None = None
) -> tuple[LogEntry, ...]:
    """Return entries, newest first: of one database or all (of the visible ones), those before a sequence (0: from the newest)."""
    query = """
        SELECT * FROM audit_log
        WHERE ($1 = '' OR database = $1) AND ($2::bigint = 0 OR sequence < $2)
          AND ($4::text[] IS NULL OR database = ANY ($4))
        ORDER BY sequence DESC LIMIT $3
    """
    return tuple(_entry(row) for row in await connection.fetch(query, searchable(database), before, limit, visible))


async def read_after(connection: Any, sequence: int, *, upto: int, limit: int) -> tuple[LogEntry, ...]:
    """Return the next entries after a sequence, oldest first, none beyond `upto`."""
    query = "SELECT * FROM audit_log WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3"
    return tuple(_entry(row) for row in await connection.fetch(query, sequence, upto, limit))


async def verify(connection: Any, anchors: Sequence[Anchor] = ()) -> LogVerification:
    """Recompute every hash from the first entry on, a batch at a time, and compare with what was noted elsewhere."""
    chain, last = Chain(anchors), _BEFORE_ALL
    query = "SELECT * FROM audit_log WHERE sequence > $1 ORDER BY sequence LIMIT $2"
    while batch := await connection.fetch(query, last, _BATCH):
        for entry in map(_entry, batch):
            chain.take(entry)
            last = entry.sequence
    return chain.verdict()


def _entry(row: Any) -> LogEntry:
    same = ("sequence", "time", "principal", "action", "database", "subject", "outcome", "hash")
    return LogEntry(details=decode(row["details"], dict[str, str]), **{name: row[name] for name in same})
