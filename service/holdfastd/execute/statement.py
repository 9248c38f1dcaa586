"""Running statements that take locks: how long to wait, when to try again, and whom to name. The only place that knows lock SQLSTATEs.

How long is plan/locks.py's to say; who is in the way, and how a running statement is stopped, is in locking/.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute.gate import wait_while_paused
from holdfastd.execute.locking.blockers import InTheWay, describe, read_holders
from holdfastd.execute.locking.look_out import LookOut, looking_out
from holdfastd.execute.locking.old_transactions import refuse_waiting, wait_for_old
from holdfastd.execute.locking.telling import Teller, rest
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.jobs.model import EventKind, Progress
from holdfastd.plan.lock_budgets import BUDGETS, timeout_ms
from holdfastd.plan.model import LockPolicy, TableLock
from holdfastd.session_contract import CONTRACT

Result = TypeVar("Result")

_LOCKED_OUT = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
#: How often somebody else's pg_cancel_backend, or a statement_timeout, may stop a statement before we ask for help.
_INTERRUPTIONS = 3
#: The look-out looks ten times a second, so it sees the end of a wait this late.
_SLACK_SECONDS = 0.1


async def run_locked(
    session: TargetSession,
    reporter: Reporter,
    policy: LockPolicy,
    step: int,
    work: Callable[[], Awaitable[Result]],
    *,
    transactional: bool = True,
    locks: Sequence[TableLock] = (),
    progress: Progress | None = None,
) -> Result:
    """Run `work` on session.work under a lock policy, in a transaction of its own unless told otherwise, and return its result.

    `locks`: what it will take, so that it does not queue behind old transactions. `progress`: where the job is while it runs.
    Refused LOCK_TIMEOUT, naming who is in the way, when the budget is spent; Cancelled or LeaseLost when the job was stopped.
    """
    budget = BUDGETS[policy]
    deadline = time.monotonic() + budget.total_seconds
    teller = Teller(reporter=reporter, step=step, progress=progress)
    found: Sequence[InTheWay] = ()
    interruptions = 0
    for attempt in range(1, budget.attempts + 1):
        reporter.raise_if_stopped()
        await wait_for_old(session, teller, policy, locks, deadline=deadline)
        limit = _limit(session, policy, attempt, found)
        patience = limit / 1000 + _SLACK_SECONDS if policy is LockPolicy.SHORT else 0
        look_out: LookOut | None = None
        try:
            async with looking_out(session, teller, patience_seconds=patience) as look_out:
                return await _run_once(session, work, limit, transactional=transactional)
        except (*_LOCKED_OUT, asyncpg.QueryCanceledError) as error:
            # Ours, when somebody asked to stop meanwhile.
            reporter.raise_if_stopped()
            what = _what(error, gave_up=look_out is not None and look_out.gave_up)
            interruptions += what is _INTERRUPTED
            if interruptions > _INTERRUPTIONS:
                raise _refuse_interrupted() from error
            found = (look_out.seen if look_out else ()) or await read_holders(session, policy, locks)
        if time.monotonic() >= deadline:
            break
        await _pause(teller, policy, attempt, limit, f"Attempt {attempt} of {budget.attempts}: {what}", found)
        deadline += await wait_while_paused(reporter)
    raise refuse_waiting(f"No lock within {attempt} attempts", found)


def _limit(session: TargetSession, policy: LockPolicy, attempt: int, found: Sequence[InTheWay]) -> int:
    """Return the lock_timeout of an attempt in milliseconds. `found`: who was in the way of the last one."""
    is_patient = bool(found) and all(item.yields for item in found)
    return timeout_ms(policy, attempt, deadlock_timeout_ms=session.deadlock_timeout_ms, is_patient=is_patient)


async def _run_once(session: TargetSession, work: Callable[[], Awaitable[Result]], limit: int, *, transactional: bool) -> Result:
    setting = "SELECT pg_catalog.set_config('lock_timeout', $1, $2)"
    if transactional:
        async with session.work.transaction():
            await session.work.execute(setting, f"{limit}ms", True)
            return await work()
    await session.work.execute(setting, f"{limit}ms", False)
    try:
        return await work()
    finally:
        if not session.work.is_closed():
            await session.work.execute(setting, CONTRACT["lock_timeout"], False)


async def _pause(teller: Teller, policy: LockPolicy, attempt: int, limit: int, what: str, found: Sequence[InTheWay]) -> None:
    """Let those who queued behind us pass: at least as long as they may have waited, and a jittered back-off on top."""
    drain = limit / 1000 if policy is LockPolicy.SHORT else 0.0
    seconds = drain + random.uniform(0, BUDGETS[policy].pause_ceiling(attempt))  # noqa: S311 (jitter, not a secret)
    who = f", blocked by {describe(found)}" if found else ""
    await teller.record(EventKind.RETRY, f"{what}{who}; next try in {seconds:.1f} s.", found)
    await rest(teller.reporter, seconds)


_INTERRUPTED = "somebody, or a statement_timeout, stopped the statement"


def _what(error: Exception, *, gave_up: bool) -> str:
    match error:
        case asyncpg.DeadlockDetectedError():
            return "deadlock"
        case asyncpg.SerializationError():
            return "a concurrent change got in between"
        case asyncpg.QueryCanceledError() if not gave_up:
            return _INTERRUPTED
        case _:
            return "lock not available in time"


def _refuse_interrupted() -> Refused:
    message = (
        f"The statement was stopped {_INTERRUPTIONS + 1} times by pg_cancel_backend or a statement_timeout of the server;"
        " find out who does it, then try again: work goes on where it stopped."
    )
    return Refused(message, reason=Reason.STEP_FAILED)
