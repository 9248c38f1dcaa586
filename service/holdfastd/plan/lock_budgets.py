"""How long a statement may wait for its locks, and which locks are in each other's way. Pure; the service and the scripts go by it.

SHORT locks make others queue behind them while they wait: they give up below deadlock_timeout, so that nobody else is chosen as a
deadlock's victim because of us, and try again after a pause in which the queue drains. LONG and BUILD locks block nobody while they
wait; an autovacuum gives way to them. No try is without a timeout, and tries and time are bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from holdfastd.plan.model import LockLevel, LockPolicy, Statement, TableLock


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBudget:
    """How long and how often to wait for locks."""

    #: lock_timeout of the first, second, … try; the last one holds for all that follow.
    timeouts_ms: tuple[int, ...]
    attempts: int
    #: After this, there is no other try.
    total_seconds: float
    first_pause_seconds: float
    longest_pause_seconds: float
    #: Do not queue behind transactions older than this; 0: there is no harm in it.
    old_seconds: float = 0.0

    def pause_ceiling(self, attempt: int) -> float:
        """Return the longest pause after a try, in seconds: exponential back-off."""
        ceiling: float = self.first_pause_seconds * 2.0 ** min(attempt - 1, 16)
        return min(self.longest_pause_seconds, ceiling)


BUDGETS: dict[LockPolicy, LockBudget] = {
    LockPolicy.NONE: LockBudget(timeouts_ms=(5_000,), attempts=5, total_seconds=60, first_pause_seconds=0.1, longest_pause_seconds=1.0),
    LockPolicy.SHORT: LockBudget(
        timeouts_ms=(50, 100, 200, 400),
        attempts=80,
        total_seconds=300,
        first_pause_seconds=0.1,
        longest_pause_seconds=4.0,
        old_seconds=5.0,
    ),
    LockPolicy.LONG: LockBudget(timeouts_ms=(30_000,), attempts=20, total_seconds=900, first_pause_seconds=1.0, longest_pause_seconds=10.0),
    # Giving up in the middle throws the work away and leaves an invalid index.
    LockPolicy.BUILD: LockBudget(
        timeouts_ms=(1_800_000,),
        attempts=3,
        total_seconds=3_600,
        first_pause_seconds=1.0,
        longest_pause_seconds=10.0,
        old_seconds=5.0,
    ),
}
#: Where deadlock_timeout is longer than this, waiting for an autovacuum to give way would hold up writers for too long.
_LONGEST_PATIENCE_MS = 2_000


def timeout_ms(policy: LockPolicy, attempt: int, *, deadlock_timeout_ms: int, is_patient: bool = False) -> int:
    """Return the lock_timeout of a try. `is_patient`: only an autovacuum is in the way, and it yields to who waits long enough."""
    budget = BUDGETS[policy]
    stated = budget.timeouts_ms[min(attempt, len(budget.timeouts_ms)) - 1]
    if policy is not LockPolicy.SHORT:
        return stated
    patience = deadlock_timeout_ms + 500
    if is_patient and patience <= _LONGEST_PATIENCE_MS:
        return patience
    # 0 would be no timeout at all.
    return max(1, min(stated, deadlock_timeout_ms * 4 // 5))


def script_timeout(policy: LockPolicy) -> str:
    """Return the lock_timeout of a script, which tries once and can be run again."""
    return f"{BUDGETS[policy].timeouts_ms[-1]}ms"


#: The levels that keep other schema changes out, weakest first.
_STRONG = (
    LockLevel.SHARE_UPDATE_EXCLUSIVE,
    LockLevel.SHARE,
    LockLevel.SHARE_ROW_EXCLUSIVE,
    LockLevel.EXCLUSIVE,
    LockLevel.ACCESS_EXCLUSIVE,
)
#: PostgreSQL's table of conflicts: which levels held by others a lock waits for.
_CONFLICTS: Mapping[LockLevel, tuple[LockLevel, ...]] = {
    LockLevel.ACCESS_SHARE: _STRONG[4:],
    LockLevel.ROW_SHARE: _STRONG[3:],
    LockLevel.ROW_EXCLUSIVE: _STRONG[1:],
    LockLevel.SHARE_UPDATE_EXCLUSIVE: _STRONG,
    LockLevel.SHARE: (LockLevel.ROW_EXCLUSIVE, _STRONG[0], *_STRONG[2:]),
    LockLevel.SHARE_ROW_EXCLUSIVE: (LockLevel.ROW_EXCLUSIVE, *_STRONG),
    LockLevel.EXCLUSIVE: (LockLevel.ROW_SHARE, LockLevel.ROW_EXCLUSIVE, *_STRONG),
    LockLevel.ACCESS_EXCLUSIVE: tuple(LockLevel),
}


def conflicting(policy: LockPolicy, level: LockLevel) -> tuple[LockLevel, ...]:
    """Return the levels held by others that a statement waits for."""
    if policy is LockPolicy.BUILD:
        # A concurrent build takes the weaker lock, but waits twice for whoever writes.
        return tuple(dict.fromkeys((*_CONFLICTS[level], *_CONFLICTS[LockLevel.SHARE])))
    return _CONFLICTS[level]


def mode(level: LockLevel) -> str:
    """Return a lock level as pg_locks spells it: `SHARE ROW EXCLUSIVE` is ShareRowExclusiveLock there."""
    return level.title().replace(" ", "") + "Lock"


def together(statements: Sequence[Statement]) -> tuple[tuple[Statement, ...], ...]:
    """Return statements in groups that share a transaction: short locks are not held while a long statement runs."""
    return tuple(tuple(group) for _, group in groupby(statements, key=lambda statement: statement.lock_policy))


def locks_of(statements: Sequence[Statement]) -> tuple[TableLock, ...]:
    """Return every lock that statements of one transaction take, once."""
    return tuple(dict.fromkeys(lock for statement in statements for lock in statement.locks))
