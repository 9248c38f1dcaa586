"""Keeping house: what the store need not keep any longer goes, now and then, a small batch at a time.

Every replica tries; whoever is first does it, and the others find nothing left. In come the store and how long to keep what.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from holdfastd.errors import Unavailable
from holdfastd.store import housekeeping, orphan_counts
from holdfastd.store.pool import Store
from holdfastd.store.signals import is_set

log = structlog.get_logger()

#: Rows of one statement. An audit takes up to some thousand rows along.
_BATCH = 1000
_AUDITS_BATCH = 5
#: Between two batches, so that whoever works is served first.
_PAUSE_SECONDS = 0.05

Batch = Callable[[Any], Awaitable[int]]


class Housekeeper:
    """Prunes the store until told to stop."""

    def __init__(self, store: Store, *, jobs: timedelta, orphan_counts_kept: timedelta, every: timedelta = timedelta(minutes=10)) -> None:
        """Take how long ended jobs and audits, and orphan counts, are kept, and how often to look."""
        self._store = store
        self._every = every
        self._kinds: dict[str, tuple[Batch, int]] = {
            "requests": (partial(housekeeping.prune_requests, limit=_BATCH), _BATCH),
            # First: an audit then takes no events along.
            "events": (partial(housekeeping.prune_events, older_than=jobs, limit=_BATCH), _BATCH),
            "audits": (partial(housekeeping.prune_audits, older_than=jobs, limit=_AUDITS_BATCH), _AUDITS_BATCH),
            "orphan_counts": (partial(orphan_counts.prune, older_than=orphan_counts_kept, limit=_BATCH), _BATCH),
        }

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep house every so often until the event is set."""
        while not stopping.is_set():
            try:
                pruned = await self.keep_house(stopping)
                if any(pruned.values()):
                    log.info("store_pruned", **pruned)
            except Unavailable as error:
                log.warning("store_not_pruned", reason=error.reason)
            except Exception:
                # What is kept too long is no reason to end everything else.
                log.exception("store_not_pruned")
            await is_set(stopping, within=self._every.total_seconds())

    async def keep_house(self, stopping: asyncio.Event) -> dict[str, int]:
        """Prune all there is to prune; return the number of rows by what they were. Stops early when another replica is at it."""
        pruned = dict.fromkeys(self._kinds, 0)
        for kind, (batch, size) in self._kinds.items():
            while not stopping.is_set():
                async with self._store.transaction() as connection:
                    if not await housekeeping.is_ours(connection):
                        return pruned
                    rows = await batch(connection)
                pruned[kind] += rows
                if rows < size:
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
        return pruned
