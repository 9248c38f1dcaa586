"""Running statements that take locks: how long to wait, when to try again, and whom to name. The only place that knows lock SQLSTATEs.

SHORT locks (they block others while they wait) give up below deadlock_timeout and try again after a pause, so that the queue behind
us drains. LONG ones (SHARE UPDATE EXCLUSIVE) block nobody while they wait. No try is without a timeout, and tries are bounded.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from holdfastd.errors import Cancelled, LeaseLost, Reason, Refused
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.jobs.model import EventKind, Happening
from holdfastd.plan.model import LockPolicy

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBudget:
    """How long and how often to wait for locks. Milliseconds and seconds as named."""

    timeout_ms: int
    attempts: int
    first_pause_seconds: float
    longest_pause_seconds: float


#: 400 ms is below the default deadlock_timeout of 1 s: the application is never chosen as a deadlock's victim because of us.
BUDGETS = {
    LockPolicy.SHORT: LockBudget(timeout_ms=400, attempts=60, first_pause_seconds=0.1, longest_pause_seconds=4.0),
    LockPolicy.LONG: LockBudget(timeout_ms=30_000, attempts=20, first_pause_seconds=1.0, longest_pause_seconds=10.0),
    LockPolicy.NONE: LockBudget(timeout_ms=5_000, attempts=5, first_pause_seconds=0.1, longest_pause_seconds=1.0),
}
#: An autovacuum gives way only to who waited longer than deadlock_timeout; a short wait would starve behind it.
_AUTOVACUUM_TIMEOUT_MS = 1_500

_RETRIED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_BLOCKERS = """
SELECT pid, application_name, backend_type, extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start))::int AS age
FROM pg_catalog.pg_stat_activity
WHERE pid = ANY (pg_catalog.pg_blocking_pids($1))
"""
_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """Who holds what we wait for."""

    text: str
    is_autovacuum: bool


async def run_locked(
    session: TargetSession,
    reporter: Reporter,
    policy: LockPolicy,
    step: int,
    work: Callable[[], Awaitable[Result]],
    *,
    transactional: bool = True,
) -> Result:
    """Run `work` on session.work under a lock policy, in a transaction of its own unless told otherwise, and return its result.

    Refused LOCK_TIMEOUT, naming the last blocker, when the budget is spent.
    """
    budget = BUDGETS[policy]
    timeout_ms, blocker = budget.timeout_ms, None
    for attempt in range(1, budget.attempts + 1):
        reporter.raise_if_stopped()
        try:
            async with _naming_blockers(session, reporter, step) as seen:
                return await _run_once(session, work, timeout_ms, transactional=transactional)
        except asyncpg.QueryCanceledError:
            # Ours, when somebody asked to stop meanwhile.
            reporter.raise_if_stopped()
            raise
        except _RETRIED as error:
            blocker = seen.last or blocker
            timeout_ms = _AUTOVACUUM_TIMEOUT_MS if seen.only_autovacuum else budget.timeout_ms
            pause = _pause(budget, attempt)
            message = f"Attempt {attempt} of {budget.attempts}: {_what(error)}{_who(blocker)}; next try in {pause:.1f} s."
            await reporter.record(Happening(kind=EventKind.RETRY, message=message, step=step))
            await asyncio.sleep(pause)
    message = f"No lock within {budget.attempts} attempts{_who(blocker)}; end what blocks it, then apply the plan again: it goes on here."
    raise Refused(message, reason=Reason.LOCK_TIMEOUT, facts={"blocker": blocker.text if blocker else ""})


async def _run_once(session: TargetSession, work: Callable[[], Awaitable[Result]], timeout_ms: int, *, transactional: bool) -> Result:
    setting = "SELECT pg_catalog.set_config('lock_timeout', $1, $2)"
    if not transactional:
        await session.work.execute(setting, f"{timeout_ms}ms", False)
        return await work()
    async with session.work.transaction():
        await session.work.execute(setting, f"{timeout_ms}ms", True)
        return await work()


def _pause(budget: LockBudget, attempt: int) -> float:
    """Return full-jittered exponential back-off in seconds."""
    ceiling = min(budget.longest_pause_seconds, budget.first_pause_seconds * 2 ** min(attempt, 10))
    return budget.first_pause_seconds + random.uniform(0, ceiling)  # noqa: S311 (jitter, not a secret)


def _what(error: Exception) -> str:
    return "deadlock" if isinstance(error, asyncpg.DeadlockDetectedError) else "lock not available in time"


def _who(blocker: Blocker | None) -> str:
    return f", blocked by {blocker.text}" if blocker else ""


class _Seen:
    """What the look-out saw during one attempt."""

    def __init__(self) -> None:
        self.blockers: list[Blocker] = []

    @property
    def last(self) -> Blocker | None:
        return self.blockers[-1] if self.blockers else None

    @property
    def only_autovacuum(self) -> bool:
        return bool(self.blockers) and all(blocker.is_autovacuum for blocker in self.blockers)


@asynccontextmanager
async def _naming_blockers(session: TargetSession, reporter: Reporter, step: int) -> AsyncIterator[_Seen]:
    """Look, from the other session, whom the working one waits for; tell once per attempt."""
    seen = _Seen()
    look_out = asyncio.create_task(_look_out(session, reporter, step, seen))
    try:
        yield seen
    finally:
        look_out.cancel()
        await asyncio.gather(look_out, return_exceptions=True)


async def _look_out(session: TargetSession, reporter: Reporter, step: int, seen: _Seen) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        rows = await session.observer.fetch(_BLOCKERS, session.backend)
        if not rows:
            continue
        if _is_stopped(reporter):
            # Waiting can take as long as the lock policy says, and nobody wants its result any more.
            await session.observer.execute("SELECT pg_catalog.pg_cancel_backend($1)", session.backend)
        first = not seen.blockers
        seen.blockers += [_blocker(row) for row in rows]
        if first:
            waited = time.monotonic() - started
            message = f"Waiting for a lock since {waited:.1f} s{_who(seen.last)}."
            await reporter.record(Happening(kind=EventKind.LOCK_WAIT, message=message, step=step))


def _is_stopped(reporter: Reporter) -> bool:
    try:
        reporter.raise_if_stopped()
    except (Cancelled, LeaseLost):
        return True
    return False


def _blocker(row: asyncpg.Record) -> Blocker:
    name = row["application_name"] or row["backend_type"] or "unnamed"
    age = f", for {row['age']} s" if row["age"] is not None else ""
    return Blocker(text=f"pid {row['pid']} ({name}{age})", is_autovacuum=row["backend_type"] == "autovacuum worker")
