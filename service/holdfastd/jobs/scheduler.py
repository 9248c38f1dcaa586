"""The loop that starts what is due. In come ways to ask and to start; nothing comes out but what they do.

Every replica runs one. They agree through the store: whoever takes a schedule first starts its audit, the others find nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from holdfastd.errors import HoldfastError
from holdfastd.store.signals import is_set

log = structlog.get_logger()

#: A start that another replica is at, or a database that is being changed, is looked at again after this.
_SHORTEST_WAIT = 0.25


async def start_due_forever(
    stopping: asyncio.Event,
    *,
    seconds_to_next: Callable[[], Awaitable[float | None]],
    start_due: Callable[[], Awaitable[bool]],
    poll: timedelta = timedelta(seconds=5),
) -> None:
    """Start whatever is due until the event is set. Schedules that are set meanwhile are noticed within `poll`."""
    failing = False
    while not stopping.is_set():
        wait = poll.total_seconds()
        try:
            while not stopping.is_set() and await start_due():
                pass
            next_start = await seconds_to_next()
            wait = wait if next_start is None else min(wait, max(next_start, _SHORTEST_WAIT))
            failing = False
        except HoldfastError as error:
            # The store is away; what becomes due meanwhile is started late, or counted as missed.
            if not failing:
                log.warning("schedules_not_read", reason=error.reason)
            failing = True
        except Exception:
            # One schedule's fault must not end all others.
            if not failing:
                log.exception("schedules_not_read")
            failing = True
        await is_set(stopping, within=wait)
