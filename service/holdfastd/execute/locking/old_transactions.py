"""Not queueing behind old transactions: whoever waits for one makes all others wait, too, and nobody knows for how long.

What holds conflicting locks is read before every attempt. While its transaction is older than the budget says, nothing is asked of
the lock manager; we look again until it has ended.
"""

import random
import time
from collections.abc import Sequence

from holdfastd.errors import Reason, Refused
from holdfastd.execute.gate import wait_while_paused
from holdfastd.execute.locking.blockers import InTheWay, describe, read_holders
from holdfastd.execute.locking.telling import Teller, rest
from holdfastd.execute.session import TargetSession
from holdfastd.plan.lock_budgets import BUDGETS
from holdfastd.plan.model import LockPolicy, TableLock

_LOOK_AGAIN_SECONDS = 0.5


async def wait_for_old(session: TargetSession, teller: Teller, policy: LockPolicy, locks: Sequence[TableLock], *, deadline: float) -> None:
    """Return once no old transaction is in the way. Refused LOCK_TIMEOUT, naming it, at the deadline (monotonic)."""
    limit = BUDGETS[policy].old_seconds
    if not locks or not limit:
        return
    while old := [item for item in await read_holders(session, policy, locks, older_than=limit) if not item.yields]:
        if time.monotonic() >= deadline:
            raise refuse_waiting("Old transactions did not end in time", old)
        message = f"Not queueing behind {describe(old)}: older than {limit:g} s; looking again until it ends."
        await teller.waits(message, old, is_queued=False)
        await rest(teller.reporter, _LOOK_AGAIN_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 (jitter, not a secret)
        deadline += await wait_while_paused(teller.reporter)


def refuse_waiting(what: str, found: Sequence[InTheWay]) -> Refused:
    """Return the refusal when a budget is spent."""
    who = f", blocked by {describe(found)}" if found else ""
    message = f"{what}{who}; end what blocks it, then try again: work goes on where it stopped."
    return Refused(message, reason=Reason.LOCK_TIMEOUT, facts={"blocker": describe(found)})
