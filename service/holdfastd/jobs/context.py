"""What a job's code is handed: its job, a way to tell what happens, and when to stop.

The lease is kept here. It counts as lost when the store says so, and also when no renewal succeeded for a whole time to live:
whoever slept that long must assume a successor.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NoReturn

from holdfastd.errors import Cancelled, LeaseLost, Unavailable
from holdfastd.jobs.model import EventKind, Happening, Job, Progress
from holdfastd.jobs.observer import Nobody, Observer
from holdfastd.store import leases
from holdfastd.store.pool import Store
from holdfastd.store.signals import WORK_CHANNEL, is_set

#: Progress in between is told at most ten times a second; every event is a transaction.
_PROGRESS_SECONDS = 0.1
_RETRY_SECONDS = 0.25
_RENEWALS_PER_TTL = 4


class JobContext:
    """One job in the hands of one worker."""

    def __init__(self, store: Store, job: Job, *, ttl: timedelta, claimed_at: float, observer: Observer | None = None) -> None:
        """Take the job as claimed, the monotonic time just before the claim, and who looks on."""
        self.job = job
        #: The last progress told, also when its event was left out.
        self.progress: Progress | None = None
        #: How often something got done that a successor need not do again.
        self.lasting = 0
        self._store = store
        self._observer: Observer = observer or Nobody()
        self._ttl = ttl
        self._deadline = claimed_at + ttl.total_seconds()
        self._deadline_moved = asyncio.Event()
        self._asked = leases.Asked(cancel=job.cancel_requested, paused_by=job.paused_by)
        #: Set when anything changed that raise_if_stopped or paused_by tell.
        self._news = asyncio.Event()
        self._handed_over = False
        self._stays_away = timedelta(0)
        self._lost = False
        self._next_progress = 0.0

    async def record(self, happening: Happening, *, progress: Progress | None = None) -> None:
        """Append an event; LeaseLost when the job was taken over. PROGRESS that follows too fast is left out."""
        self.progress = progress or self.progress
        self.lasting += leases.lasts(self.job, happening, self.progress)
        self._observer.happened(self.job, happening)
        now = time.monotonic()
        if happening.kind is EventKind.PROGRESS:
            if now < self._next_progress:
                return
            self._next_progress = now + _PROGRESS_SECONDS
        await self.write(lambda connection: leases.append_event(connection, self.job, happening, self.progress))

    def raise_if_stopped(self) -> None:
        """Raise LeaseLost when the job is no longer ours or is handed over, Cancelled when somebody asked to stop."""
        if not self.is_held or self._handed_over:
            raise LeaseLost(f"job {self.job.id} is not ours any more")
        if self._asked.cancel:
            raise Cancelled

    @property
    def is_cancelled(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self._asked.cancel

    @property
    def paused_by(self) -> str:
        """Who asked to pause; empty while nobody does."""
        return self._asked.paused_by

    async def heard(self, *, within: float) -> None:
        """Wait until somebody asks for something else than before, or the job is lost; so many seconds at most."""
        await is_set(self._news, within=within)
        self._news.clear()

    @property
    def is_held(self) -> bool:
        """Tell whether the lease must still be ours."""
        return not self._lost and time.monotonic() < self._deadline

    @property
    def is_handed_over(self) -> bool:
        """Tell whether the job is to be given back because this replica stops."""
        return self._handed_over

    def hand_over(self) -> None:
        """Stop at the next safe point, so that another replica, or the next start, goes on."""
        self._handed_over = True
        self._news.set()

    @property
    def stays_away(self) -> timedelta:
        """How long this replica leaves the job to others once it is given back."""
        return self._stays_away

    def pass_on(self, stays_away: timedelta) -> NoReturn:
        """Give the job to another replica, which may reach what this one does not. Raises LeaseLost.

        This one stays away so long, and goes on itself when nobody else took the job.
        """
        self._stays_away = stays_away
        self.hand_over()
        raise LeaseLost(f"job {self.job.id} is left to a replica that reaches its database")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lend a transaction of the store that commits only while the job is ours. Do nothing to the target meanwhile.

        However slow the store is, nobody can take the job before the end; so the lease lasts until then, and is renewed at the end.
        """
        async with self._store.transaction() as connection:
            await leases.hold(connection, self.job)
            deadline, self._deadline = self._deadline, math.inf
            try:
                yield connection
                sent = time.monotonic()
                await leases.renew(connection, self.job, self._ttl)
                deadline = sent + self._ttl.total_seconds()
            finally:
                self._deadline = deadline
                self._deadline_moved.set()

    async def write(self, write: Callable[[Any], Awaitable[object]]) -> None:
        """Write to the store in a transaction; a store that is away is tried again as long as the lease lasts."""
        while True:
            try:
                async with self._store.transaction() as connection:
                    await write(connection)
            except Unavailable:
                if not self.is_held:
                    raise LeaseLost(f"job {self.job.id}: the store was away for too long") from None
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def keep(self) -> None:
        """Renew the lease until it is lost; that raises LeaseLost. Requests to cancel and to pause arrive here, too."""
        period = self._ttl.total_seconds() / _RENEWALS_PER_TTL
        with self._store.signals.waiting(WORK_CHANNEL, self.job.id) as asked:
            while True:
                try:
                    await self._renew()
                except (Unavailable, TimeoutError):
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                await is_set(asked, within=period)
                asked.clear()

    async def outlive(self) -> None:
        """Wait until the lease must be taken for lost, by this process's own clock; that raises LeaseLost.

        Apart from `keep`, which may be waiting for a store that is cut off without a word.
        """
        while (left := self._deadline - time.monotonic()) > 0:
            await is_set(self._deadline_moved, within=left)
            self._deadline_moved.clear()
        self._lost = True
        self._news.set()
        raise LeaseLost(f"job {self.job.id} was not renewed in time")

    async def _renew(self) -> None:
        sent = time.monotonic()
        if self._deadline == math.inf:
            # It would wait for our own transaction.
            return
        if not self.is_held:
            raise LeaseLost(f"job {self.job.id} was not renewed in time")
        try:
            async with asyncio.timeout(self._deadline - sent), self._store.connection() as connection:
                asked = await leases.renew(connection, self.job, self._ttl)
        except LeaseLost:
            self._lost = True
            self._news.set()
            raise
        if asked != self._asked:
            self._asked = asked
            self._news.set()
        self._deadline = max(self._deadline, sent + self._ttl.total_seconds())
