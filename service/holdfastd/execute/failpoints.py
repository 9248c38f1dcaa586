"""Places where tests may stop the process: `HOLDFAST_FAILPOINTS=CLEAN_UP.before_commit#2=exit` kills it at the second visit.

Off unless the composition root arms it from the environment at start, which it does only beside HOLDFAST_ALLOW_FAILPOINTS=1.
"""

import asyncio
import os
import signal
from collections import Counter

_armed: dict[tuple[str, int], str] = {}
_visits: Counter[str] = Counter()


def arm(specification: str) -> None:
    """Arm failpoints: `name#visit=action` separated by `;`, actions `exit` (SIGKILL to ourselves) and `sleep:SECONDS`."""
    _armed.clear()
    _visits.clear()
    for part in filter(None, specification.split(";")):
        place, _, action = part.partition("=")
        name, _, visit = place.partition("#")
        _armed[name, int(visit or 1)] = action


async def reach(name: str) -> None:
    """Pass a failpoint. Does nothing unless it is armed."""
    if not _armed:
        return
    _visits[name] += 1
    action = _armed.get((name, _visits[name]), "")
    if action == "exit":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("sleep:"):
        await asyncio.sleep(float(action.removeprefix("sleep:")))
