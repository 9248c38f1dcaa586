"""Who is in the way: read by the session that looks on, told in events. Names pids, applications and ages; queries only if configured."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.execute.session import TargetSession
from holdfastd.jobs.model import Blocker
from holdfastd.names import qualified
from holdfastd.plan.lock_budgets import conflicting, mode
from holdfastd.plan.model import LockPolicy, TableLock
from holdfastd.sql import load_queries

QUERIES = load_queries("holdfastd.execute.locking", "locking.sql")
#: The observer answers at once or not at all.
LIMIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InTheWay:
    """Somebody who holds what we want."""

    blocker: Blocker
    #: An ordinary autovacuum: it gives way to who waits longer than deadlock_timeout.
    yields: bool


async def read_blockers(session: TargetSession) -> tuple[InTheWay, ...]:
    """Return whom the working session waits for at this moment."""
    rows = await session.observer.fetch(QUERIES["blockers"], session.backend, session.tells_queries, timeout=LIMIT_SECONDS)
    return tuple(_in_the_way(row, row["age_seconds"]) for row in rows)


async def read_blockers_of(connection: asyncpg.Connection, application: str, *, tells_queries: bool) -> tuple[InTheWay, ...]:
    """Return whom the sessions that call themselves so wait for at this moment."""
    rows = await connection.fetch(QUERIES["blockers_of_application"], application, tells_queries, timeout=LIMIT_SECONDS)
    return tuple(_in_the_way(row, row["age_seconds"]) for row in rows)


async def read_holders(
    session: TargetSession, policy: LockPolicy, locks: Sequence[TableLock], *, older_than: float = 0.0
) -> tuple[InTheWay, ...]:
    """Return who holds locks that conflict with ours, the oldest transaction first. `older_than`: seconds since it began."""
    pairs = [(qualified(lock.table), mode(level)) for lock in locks for level in conflicting(policy, lock.level)]
    rows = await session.observer.fetch(
        QUERIES["holders"],
        [name for name, _ in pairs],
        [level for _, level in pairs],
        # A concurrent build waits for every older snapshot in the database, whatever it reads.
        policy is LockPolicy.BUILD,
        [session.backend, session.observer.get_server_pid()],
        session.tells_queries,
        timeout=LIMIT_SECONDS,
    )
    ages = _ages(session, rows)
    old = [(age, row) for age, row in zip(ages, rows, strict=True) if age >= older_than]
    return tuple(_in_the_way(row, age) for age, row in sorted(old, key=lambda pair: -pair[0]))


def _ages(session: TargetSession, rows: Sequence[asyncpg.Record]) -> list[float]:
    """Return how old transactions are, in seconds. Without pg_read_all_stats others' ages are hidden: then, since when we see them."""
    now, seen = time.monotonic(), dict(session.first_seen)
    session.first_seen.clear()
    ages = []
    for row in rows:
        transaction = f"{row['pid']} {row['transaction']}"
        since = session.first_seen[transaction] = seen.get(transaction, now)
        ages.append(now - since if row["age_seconds"] is None else row["age_seconds"])
    return ages


def blockers_of(found: Sequence[InTheWay]) -> tuple[Blocker, ...]:
    """Return what an event carries."""
    return tuple(item.blocker for item in found)


def describe(found: Sequence[InTheWay]) -> str:
    """Return up to three of them in words."""
    names = [f"pid {item.blocker.pid} ({item.blocker.application}, for {item.blocker.age_seconds} s)" for item in found[:3]]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 (the number above)
    return ", ".join(names) + more


def _in_the_way(row: asyncpg.Record, age: float) -> InTheWay:
    blocker = Blocker(pid=row["pid"], application=row["application"], age_seconds=int(age), query=row["query"] or "")
    return InTheWay(blocker=blocker, yields=bool(row["yields"]))
