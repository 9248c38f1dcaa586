"""How far an audit has come: turns what its stages tell into events of the job, and the wish to stop into their end."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import TypeVar

from holdfastd.evidence.counting.audit import Counted
from holdfastd.evidence.counting.run import Pace
from holdfastd.evidence.model import Exactness, OrphanDetails
from holdfastd.execute.gate import wait_while_paused
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import Blocker, EventKind, Happening, Progress

_T = TypeVar("_T")
_ASK_SECONDS = 0.25


class AuditProgress:
    """Listens to the stages of one audit."""

    def __init__(self, context: JobContext) -> None:
        """Take the job that the audit is made for."""
        self.job_id = context.job.id
        self.raise_if_stopped = context.raise_if_stopped
        self._context = context
        self._activity = ""
        self._done = 0
        self._total = 0
        #: When something was told last.
        self.told_at = time.monotonic()

    async def begin(self, activity: str, *, total: int = 0) -> None:
        """Tell that a stage begins, of so many parts if known. The place to wait while somebody wants the audit to pause."""
        await wait_while_paused(self._context)
        self._activity, self._done, self._total = activity, 0, total
        await self._context.record(Happening(kind=EventKind.STEP_STARTED, message=activity), progress=self._progress())

    async def unless_stopped(self, work: Coroutine[object, object, _T]) -> _T:
        """Wait for a stage; cancel it, and the statement that it runs on the server, as soon as the job is to stop."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self.raise_if_stopped()
                await asyncio.wait({task}, timeout=_ASK_SECONDS)
            return task.result()
        finally:
            # Whatever the end of the stage raises, the wish to stop is what ends the job.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def on_part(self, done: int, total: int) -> None:
        """Tell how many parts of a stage are done."""
        self._done, self._total = done, total
        happening = Happening(kind=EventKind.PROGRESS, message=f"{self._activity}: {done} of {total}")
        await self._context.record(happening, progress=self._progress())

    async def on_counted(self, counted: Counted) -> None:
        """Tell the count of one relationship, and how it was obtained."""
        self._done += 1
        count = counted.count
        number = f"about {count.value}" if count.exactness is Exactness.ESTIMATED else str(count.value)
        rows = "orphan row" if count.value == 1 else "orphan rows"
        text = f"{number} {rows} ({counted.how})" if count.is_known else f"not counted: {count.reason}"
        happening = Happening(
            kind=EventKind.STEP_DONE,
            message=f"{counted.relationship_id}: {text}",
            relationship_id=counted.relationship_id,
            rows_done=count.value,
        )
        await self._context.record(happening, progress=self._progress())

    async def on_pace(self, relationship_id: str, pace: Pace, rows: float) -> None:
        """Tell how far a long count has come."""
        done, total = int(max(rows, 0) * pace.blocks_done / pace.blocks_total), int(max(rows, 0))
        text = f"about {done} of {total} rows, {done / max(pace.seconds, 0.001):.0f} rows/s, {pace.seconds_left:.0f} s left"
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{relationship_id}: {text}",
            relationship_id=relationship_id,
            rows_done=done,
            rows_total=total,
        )
        await self._context.record(happening, progress=self._progress(rows_done=done, rows_total=total))

    async def on_detailed(self, relationship_id: str, _details: OrphanDetails) -> None:
        """Tell that the orphan rows of one relationship were looked at more closely."""
        self._done += 1
        happening = Happening(
            kind=EventKind.PROGRESS, message=f"{relationship_id}: looked closer at its orphan rows", relationship_id=relationship_id
        )
        await self._context.record(happening, progress=self._progress())

    async def on_wait(self, message: str, blockers: tuple[Blocker, ...]) -> None:
        """Tell that a session waits for a lock, and who holds it."""
        happening = Happening(kind=EventKind.LOCK_WAIT, message=message, blockers=blockers)
        await self._context.record(happening, progress=replace(self._progress(), waiting_for=message))

    def _progress(self, *, rows_done: int = 0, rows_total: int = 0) -> Progress:
        self.told_at = time.monotonic()
        return Progress(activity=self._activity, done=self._done, total=self._total, rows_done=rows_done, rows_total=rows_total)
