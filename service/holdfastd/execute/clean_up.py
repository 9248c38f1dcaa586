"""Cleaning up orphan rows in batches: each saves its rows and changes them in one short transaction.

Orphan rows are found first, a gigabyte of the table at a time and without a lock, then taken in batches by their addresses. A batch
looks at its rows again under its locks, and shrinks when it holds them longer than writers should wait; after each, we rest.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.gate import Gate
from holdfastd.execute.locking.telling import rest
from holdfastd.execute.pace import Pace, rest_seconds
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.standing import refuse_replaced
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind, Happening, Progress
from holdfastd.names import qualified
from holdfastd.plan.lock_budgets import locks_of
from holdfastd.plan.model import CleanUpRecipe, LockPolicy, Step

Answer = TypeVar("Answer")

#: Blocks looked through at once, and addresses kept of them.
WINDOW_BLOCKS, _FOUND_ROWS = 131_072, 50_000
#: The most rows of a batch that cannot be split.
_LARGEST_BATCH = 5_000
_PRICES = {"random_page_cost": 1.1, "cpu_operator_cost": 0.0005}
#: Rows that an application moves while we walk are met again on the next walk.
_WALKS = 10
#: More orphan rows than this beyond the plan's were not what somebody approved.
_TOLERATED_GROWTH, _TOLERATED_ROWS = 0.1, 1_000


@dataclass(slots=True, kw_only=True)
class CleanUp:
    """One cleanup step being worked on. `expected`: orphan rows when the plan was made."""

    session: TargetSession
    reporter: Reporter
    gate: Gate
    plan_id: str
    step: Step
    recipe: CleanUpRecipe
    expected: int
    progress: Progress
    #: Object ids of the plan's tables.
    standing: Mapping[str, int | None]
    rows_done: int = 0
    #: Orphan rows at the beginning; below 0 while unknown.
    total: int = -1
    _locked_at: float = 0.0

    async def run(self) -> int:
        """Clean up until no orphan row is left; return the rows taken or changed, dependents included."""
        pace = Pace()
        for _ in range(_WALKS):
            if await self._walk(pace) or not await self._count():
                return self.rows_done
        message = (
            f"{self.step.title}: orphan rows are there again after {_WALKS} walks; look for a trigger that keeps them, or for what writes"
            " them, then apply again."
        )
        raise Refused(message, reason=Reason.STEP_FAILED)

    async def _refuse_growth(self, seen: int | None) -> None:
        """Refuse more orphan rows than were approved. `seen`: all there are, where looking told; they are counted otherwise."""
        self.total = await self._count() if seen is None else seen
        allowed = max(self.expected * (1 + _TOLERATED_GROWTH), self.expected + _TOLERATED_ROWS)
        if self.total > allowed:
            message = (
                f"{self.step.relationship_id} has {self.total} orphan rows now, the approved plan was made for {self.expected};"
                " nothing of them was touched. Audit again and make a new plan."
            )
            facts = {"orphan_rows": str(self.total), "planned": str(self.expected)}
            raise Refused(message, reason=Reason.STEP_FAILED, facts=facts)

    async def _count(self) -> int:
        """Count all orphan rows."""
        return int(await self._read(partial(self.session.work.fetchval, self.recipe.count)))

    async def _find(self, low: int, high: int, limit: int) -> list[str]:
        """Return addresses of orphan rows in a window of blocks."""
        found: list[str] = await self._read(partial(self.session.work.fetchval, self.recipe.find, _tid(low), _tid(high), limit))
        return found

    async def _read(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask what may take long, and can be stopped."""
        number = self.step.number
        return await run_locked(self.session, self.reporter, LockPolicy.NONE, number, ask, transactional=False, progress=self.progress)

    async def _walk(self, pace: Pace) -> bool:
        """Walk the table once, window by window; tell whether no orphan row can be left.

        None is left when one look saw the whole table and all that it found was taken: the key lets no new ones in. Rows that moved
        from window to window while we walked may have been missed, and those that moved from under us are met on the next walk.
        """
        table = qualified(self.recipe.tables[0])
        size = "SELECT pg_catalog.pg_relation_size($1::regclass) / pg_catalog.current_setting('block_size')::bigint"
        blocks = await self.session.work.fetchval(size, table)
        low, left, is_whole = 0, 0, blocks <= WINDOW_BLOCKS
        while low < blocks:
            await self.gate.passed()
            high = low + WINDOW_BLOCKS
            found = await self._find(low, high, _FOUND_ROWS)
            is_cut = len(found) == _FOUND_ROWS
            if self.total < 0:
                await self._refuse_growth(len(found) if is_whole and not is_cut else None)
            async with _looking_up(self.session.work):
                left += len(found) - await self._take(found, blocks, pace)
            if is_cut:
                is_whole = False
            else:
                low = high
        return is_whole and left <= 0

    async def _take(self, found: Sequence[str], blocks: int, pace: Pace) -> int:
        """Take rows in batches; return how many of them were orphan rows still."""
        taken = position = 0
        while position < len(found):
            await self.gate.passed()
            some = found[position : position + pace.batch]
            try:
                orphans, rows = await self._locked_batch(some)
            except asyncpg.ForeignKeyViolationError:
                # A key without action may hold rows together that go in different batches: try all of them in one.
                orphans, rows = await self._locked_batch(await self._find(0, blocks, _LARGEST_BATCH))
            held = time.monotonic() - self._locked_at
            pace.learn(held)
            position += len(some)
            taken += orphans
            self.rows_done += rows
            await self._report()
            # Between batches the tables are the writers'; who asks us to stop need not wait for that.
            await rest(self.reporter, rest_seconds(held))
        return taken

    async def _locked_batch(self, addresses: Sequence[str]) -> tuple[int, int]:
        done = await run_locked(
            self.session,
            self.reporter,
            LockPolicy.SHORT,
            self.step.number,
            lambda: self._batch(addresses),
            locks=locks_of(self.step.statements),
            progress=self.progress,
        )
        await reach("CLEAN_UP.committed")
        return done

    async def _batch(self, addresses: Sequence[str]) -> tuple[int, int]:
        """Run one batch inside the caller's transaction; return the orphan rows it took, and all rows it took or changed."""
        work, recipe = self.session.work, self.recipe
        await ledger.hold_fence(self.session)
        await reach("CLEAN_UP.before_exec")
        await work.execute(recipe.lock)
        self._locked_at = time.monotonic()
        await reach("CLEAN_UP.lock_acquired")
        await refuse_replaced(work, self.standing)
        batch = await ledger.write(self.session, self.plan_id, self.step.number, "BATCH")
        await work.execute(recipe.back_up, batch, addresses)
        await work.execute(recipe.recheck, batch)
        await self._expand(batch)
        await reach("CLEAN_UP.backed_up")
        saved = await ledger.saved_rows(work, batch)
        if saved.total == 0:
            await work.execute(ledger.QUERIES["drop_batch"], batch)
        else:
            await self._change(batch, saved)
            await reach("CLEAN_UP.executed")
            kept = sum([await work.fetchval(question, batch) for question in recipe.kept])
            if kept:
                self._refuse(f"{kept} rows were to be changed and do not have their new values: a trigger interferes")
            for statement in recipe.left:
                await work.execute(statement, batch)
            await work.execute(ledger.QUERIES["close_batch"], batch, saved.total)
            await reach("CLEAN_UP.before_commit")
        return saved.orphans, saved.total

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

    async def _report(self) -> None:
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{self.step.title}: {self.rows_done} rows",
            step=self.step.number,
            relationship_id=self.step.relationship_id,
            rows_done=self.rows_done,
            rows_total=max(self.total, self.rows_done),
        )
        progress = Progress(
            activity=self.step.title,
            done=self.progress.done,
            total=self.progress.total,
            rows_done=self.rows_done,
            rows_total=max(self.total, self.rows_done),
        )
        await self.reporter.record(happening, progress=progress)


@asynccontextmanager
async def _looking_up(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Let the planner price a look-up by index as what it costs in memory, some three times a row of a scan.

    By default it says seventeen times, and would rather read the whole referenced table for each batch, under the lock.
    """
    for name, value in _PRICES.items():
        await connection.execute(f"SET {name} = {value}")
    try:
        yield
    finally:
        if not connection.is_closed():
            for name in _PRICES:
                await connection.execute(f"RESET {name}")


def _tid(block: int) -> str:
    """Return the address of the first row of a block, as text."""
    return f"({block},0)"


def _rows(tag: str) -> int:
    """Return the number of rows in a command tag such as `DELETE 8`."""
    return int(tag.rsplit(" ", 1)[-1])
