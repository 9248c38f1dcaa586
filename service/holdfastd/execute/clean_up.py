"""Cleaning up orphan rows in batches: each saves its rows and changes them in one short transaction.

The table is walked in windows of blocks, so that no batch looks at what earlier ones have dealt with. A window without orphan rows
takes no lock. Windows and batches shrink when a batch takes longer than writers should wait, and grow again.
"""

import time
from dataclasses import dataclass

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind, Happening, Progress
from holdfastd.names import qualified
from holdfastd.plan.model import CleanUpRecipe, LockPolicy, Step

#: Writers of the referenced table wait while a batch runs: aim below this.
_TARGET_SECONDS = 0.2
_SMALLEST_BATCH, _LARGEST_BATCH = 50, 5_000
_SMALLEST_WINDOW, _LARGEST_WINDOW = 16, 16_384
#: Rows that an application moves while we walk are met again on the next walk.
_WALKS = 10
#: More orphan rows than this beyond the plan's were not what somebody approved.
_TOLERATED_GROWTH, _TOLERATED_ROWS = 0.1, 1_000
_REPORT_EVERY_SECONDS = 0.25


@dataclass(slots=True, kw_only=True)
class _Pace:
    """How much to do at once."""

    batch: int = 500
    window: int = 256

    def learn(self, seconds: float) -> None:
        """Adapt to how long the last batch took."""
        if seconds > _TARGET_SECONDS:
            self.batch = max(self.batch // 2, _SMALLEST_BATCH)
            self.window = max(self.window // 2, _SMALLEST_WINDOW)
        elif seconds < _TARGET_SECONDS / 4:
            self.batch = min(self.batch * 2, _LARGEST_BATCH)

    def widen(self) -> None:
        """Nothing was found: look further at once."""
        self.window = min(self.window * 2, _LARGEST_WINDOW)


@dataclass(slots=True, kw_only=True)
class CleanUp:
    """One cleanup step being worked on. `expected`: orphan rows when the plan was made."""

    session: TargetSession
    reporter: Reporter
    plan_id: str
    step: Step
    recipe: CleanUpRecipe
    expected: int
    progress: Progress
    rows_done: int = 0
    _last_report: float = 0.0

    async def run(self) -> int:
        """Clean up until no orphan row is left; return the rows taken or changed, dependents included."""
        total = await self.session.work.fetchval(self.recipe.count)
        self._refuse_growth(total)
        pace = _Pace()
        for _ in range(_WALKS):
            await self._walk(pace, total)
            if not await self.session.work.fetchval(self.recipe.count):
                return self.rows_done
        message = f"{self.step.title}: orphan rows keep appearing after {_WALKS} walks; look for what writes them, then apply again."
        raise Refused(message, reason=Reason.STEP_FAILED)

    def _refuse_growth(self, total: int) -> None:
        allowed = max(self.expected * (1 + _TOLERATED_GROWTH), self.expected + _TOLERATED_ROWS)
        if total > allowed:
            message = (
                f"{self.step.relationship_id} has {total} orphan rows now, the approved plan was made for {self.expected};"
                " nothing of them was touched. Audit again and make a new plan."
            )
            raise Refused(message, reason=Reason.STEP_FAILED, facts={"orphan_rows": str(total), "planned": str(self.expected)})

    async def _walk(self, pace: _Pace, total: int) -> None:
        """Walk the table once, window by window."""
        table = qualified(self.recipe.tables[0])
        size = "SELECT pg_catalog.pg_relation_size($1::regclass) / pg_catalog.current_setting('block_size')::bigint"
        blocks = await self.session.work.fetchval(size, table)
        low = 0
        while low < blocks:
            self.reporter.raise_if_stopped()
            high = low + pace.window
            if not await self.session.work.fetchval(self.recipe.probe, _tid(low), _tid(high)):
                low = high
                pace.widen()
                continue
            started, limit = time.monotonic(), pace.batch
            try:
                orphans, rows = await self._locked_batch(low, high, limit)
            except asyncpg.ForeignKeyViolationError:
                # A key without action may hold rows together that go in different batches: try all of them in one.
                low, high, limit = 0, blocks, _LARGEST_BATCH
                orphans, rows = await self._locked_batch(low, high, limit)
            pace.learn(time.monotonic() - started)
            self.rows_done += rows
            if orphans < limit:
                low = high
            await self._report(total)

    async def _locked_batch(self, low: int, high: int, limit: int) -> tuple[int, int]:
        return await run_locked(self.session, self.reporter, LockPolicy.SHORT, self.step.number, lambda: self._batch(low, high, limit))

    async def _batch(self, low: int, high: int, limit: int) -> tuple[int, int]:
        """Run one batch inside the caller's transaction; return the orphan rows it met and the rows it took or changed."""
        work, recipe = self.session.work, self.recipe
        await ledger.hold_fence(self.session)
        await work.execute(recipe.lock)
        batch = await ledger.write(self.session, self.plan_id, self.step.number, "BATCH")
        found = _rows(await work.execute(recipe.back_up, batch, _tid(low), _tid(high), limit))
        await work.execute(recipe.recheck, batch)
        await self._expand(batch)
        saved = await ledger.saved_rows(work, batch)
        if saved.total == 0:
            await work.execute(ledger.QUERIES["drop_batch"], batch)
        else:
            await self._change(batch, saved)
            for statement in recipe.left:
                await work.execute(statement, batch)
            await work.execute(ledger.QUERIES["close_batch"], batch, saved.total)
            await reach("CLEAN_UP.before_commit")
        return found, saved.total

    async def _expand(self, batch: int) -> None:
        """Back up what the deletion takes along, to the fixpoint."""
        added = bool(self.recipe.expansions)
        while added:
            added = False
            for expansion in self.recipe.expansions:
                added |= _rows(await self.session.work.execute(expansion.back_up, batch)) > 0
                await self.session.work.execute(expansion.recheck, batch)

    async def _change(self, batch: int, saved: ledger.SavedRows) -> None:
        """Change the saved rows, and make sure that nothing else was changed along with them."""
        work = self.session.work
        tolerated = saved.changes + sum([await work.fetchval(question, batch) for question in self.recipe.nulled_first])
        before = await work.fetchrow(ledger.QUERIES["changed_so_far"])
        changed = _rows(await work.execute(self.recipe.change, batch))
        after = await work.fetchrow(ledger.QUERIES["changed_so_far"])
        if changed != saved.orphans:
            self._refuse(f"{saved.orphans} rows were to be changed, {changed} were: a trigger or rule interferes")
        counted = await work.fetchval("SELECT pg_catalog.current_setting('track_counts')") == "on"
        deletes, updates = after["deletes"] - before["deletes"], after["updates"] - before["updates"]
        if counted and (deletes != saved.deletes or updates > tolerated):
            self._refuse(
                f"{deletes} rows were deleted and {updates} updated, but {saved.deletes} and {saved.updates} were backed up:"
                " a trigger or rule changes more"
            )

    def _refuse(self, fact: str) -> None:
        message = f"{self.step.title}: {fact}; the batch was undone. Look at the triggers of {self.recipe.tables[0]}, or leave these rows."
        raise Refused(message, reason=Reason.STEP_FAILED)

    async def _report(self, total: int) -> None:
        now = time.monotonic()
        if now - self._last_report < _REPORT_EVERY_SECONDS:
            return
        self._last_report = now
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{self.step.title}: {self.rows_done} rows",
            step=self.step.number,
            relationship_id=self.step.relationship_id,
            rows_done=self.rows_done,
            rows_total=max(total, self.rows_done),
        )
        progress = Progress(
            activity=self.step.title,
            done=self.progress.done,
            total=self.progress.total,
            rows_done=self.rows_done,
            rows_total=max(total, self.rows_done),
        )
        await self.reporter.record(happening, progress=progress)


def _tid(block: int) -> str:
    """Return the address of the first row of a block, as text."""
    return f"({block},0)"


def _rows(tag: str) -> int:
    """Return the number of rows in a command tag such as `DELETE 8`."""
    return int(tag.rsplit(" ", 1)[-1])
