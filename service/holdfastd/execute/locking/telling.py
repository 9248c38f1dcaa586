"""Telling that a job waits: at once, again when somebody else is in the way, and now and then while nothing changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from holdfastd.execute.locking.blockers import InTheWay, blockers_of
from holdfastd.execute.reporter import Reporter
from holdfastd.jobs.model import EventKind, Happening, Progress

_AGAIN_SECONDS = 30.0


async def rest(reporter: Reporter, seconds: float) -> None:
    """Let time pass. Cancelled or LeaseLost at once when the job must not go on."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await reporter.heard(within=left)
        reporter.raise_if_stopped()


@dataclass(slots=True, kw_only=True)
class Teller:
    """Tells what one statement of a step goes through. `progress`: where the job is meanwhile; None: as told before."""

    reporter: Reporter
    step: int
    progress: Progress | None = None
    _told: tuple[bool, frozenset[int]] = (False, frozenset())
    _told_at: float = 0.0

    async def waits(self, message: str, found: Sequence[InTheWay], *, is_queued: bool) -> None:
        """Tell a wait, in the lock queue or outside of it, unless it was told just now."""
        state, now = (is_queued, frozenset(item.blocker.pid for item in found)), time.monotonic()
        if state == self._told and now - self._told_at < _AGAIN_SECONDS:
            return
        self._told, self._told_at = state, now
        await self.record(EventKind.LOCK_WAIT, message, found, waiting_for=message)

    async def goes_on(self, message: str, rows_done: int = 0) -> None:
        """Tell how far a long statement is."""
        total = self.progress.rows_total if self.progress else 0
        happening = Happening(kind=EventKind.PROGRESS, message=message, step=self.step, rows_done=rows_done, rows_total=total)
        progress = replace(self.progress, rows_done=rows_done, waiting_for="") if self.progress else None
        await self.reporter.record(happening, progress=progress)

    async def record(self, kind: EventKind, message: str, found: Sequence[InTheWay] = (), *, waiting_for: str = "") -> None:
        """Tell an event with who is in the way."""
        happening = Happening(kind=kind, message=message, step=self.step, blockers=blockers_of(found))
        progress = replace(self.progress, waiting_for=waiting_for) if self.progress else None
        await self.reporter.record(happening, progress=progress)
