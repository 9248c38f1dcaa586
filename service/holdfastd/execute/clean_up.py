"""Cleaning up orphan rows in batches: each saves its rows and changes them in one short transaction.

Orphan rows are found first, a gigabyte of the table at a time and without a lock, then taken in batches by their addresses. A batch
(batch.py) looks at its rows again under its locks. Batches shrink when they make writers wait too long; after each, we rest.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.batch import Batch, HeldTooLongError
from holdfastd.execute.failpoints import reach
from holdfastd.execute.gate import Gate
from holdfastd.execute.locking.telling import rest
from holdfastd.execute.pace import CEILING_SECONDS, LAST_CEILING_SECONDS, Pace, ceiling_seconds, rest_seconds
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind, Happening, Progress
from holdfastd.names import qualified
from holdfastd.plan.lock_budgets import locks_of
from holdfastd.plan.model import CleanUpRecipe, LockPolicy, Step

Answer = TypeVar("Answer")

#: Round trips of a batch under its lock at most, and of each key that it follows; a statement with parameters takes two.
_TRIPS, _TRIPS_OF_A_KEY = 60, 12

#: Blocks looked through at once, and addresses kept of them.
WINDOW_BLOCKS, _FOUND_ROWS = 131_072, 50_000
#: Beyond all blocks that a table can have.
_END = 2**32 - 1
#: The most rows of a batch that cannot be split: first try, second try.
_TOGETHER = (5_000, 50_000)
#: So few rows may be left because they move; they are locked where they are met, in so many blocks at once.
_FEW_ROWS, _CATCH_BLOCKS = 1_000, 16_384
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
    _trip_seconds: float = 0.0
    _line_seconds: float = 0.0
    _batch: Batch = field(init=False)

    def __post_init__(self) -> None:
        """All batches share the session and the recipe."""
        self._batch = Batch(session=self.session, plan_id=self.plan_id, step=self.step, recipe=self.recipe, standing=self.standing)

    async def run(self) -> int:
        """Clean up until no orphan row is left; return the rows taken or changed by this step in all, dependents included."""
        if not self.recipe.hold:
            message = f"{self.step.title}: the plan was made by an earlier version; nothing was touched. Make a new plan."
            raise Refused(message, reason=Reason.PLAN_DRIFTED)
        self._trip_seconds = await self._measure_trip()
        self._line_seconds = self._trip_seconds * (_TRIPS + _TRIPS_OF_A_KEY * len(self.recipe.expansions))
        pace = Pace()
        for _ in range(_WALKS):
            if await self._walk(pace):
                break
            left = await self._count()
            if 0 < left <= _FEW_ROWS:
                await self._catch(pace)
                left = await self._count()
            if not left:
                break
        else:
            message = (
                f"{self.step.title}: orphan rows are there again after {_WALKS} walks; look for a trigger that keeps them, or for what"
                " writes them, then apply again."
            )
            raise Refused(message, reason=Reason.STEP_FAILED)
        return await ledger.rows_of_step(self.session.work, self.plan_id, self.step.number)

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

    async def _measure_trip(self) -> float:
        """Return how long a question and its answer are on their way: a far server is no reason to take fewer rows at once."""
        trips: list[float] = []
        for _ in range(3):
            began = time.monotonic()
            await self.session.work.execute("SELECT 1")
            trips.append(time.monotonic() - began)
        return min(trips)

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

    async def _blocks(self) -> int:
        size = "SELECT pg_catalog.pg_relation_size($1::regclass) / pg_catalog.current_setting('block_size')::bigint"
        blocks: int = await self.session.work.fetchval(size, qualified(self.recipe.tables[0]))
        return blocks

    async def _walk(self, pace: Pace) -> bool:
        """Walk the table once, window by window; tell whether no orphan row can be left.

        None is left when one look saw the whole table and all that it found was taken: the key lets no new ones in. Rows that moved
        from window to window while we walked may have been missed, and those that moved from under us are met on the next walk.
        """
        blocks = await self._blocks()
        low, left, is_whole = 0, 0, blocks <= WINDOW_BLOCKS
        while low < blocks:
            await self.gate.passed()
            # The last window has no end: the table may grow while we look.
            high = low + WINDOW_BLOCKS if low + WINDOW_BLOCKS < blocks else _END
            found = await self._find(low, high, _FOUND_ROWS)
            is_cut = len(found) == _FOUND_ROWS
            if self.total < 0:
                await self._refuse_growth(len(found) if is_whole and not is_cut else None)
            async with _looking_up(self.session.work):
                left += len(found) - await self._take(found, pace)
                if is_cut:
                    is_whole = False
                    # What was found is gone: look again from there on, at the block where the look was cut short, too.
                    high = await self._narrowed(low, found, pace)
            low = high
        return is_whole and left <= 0

    async def _narrowed(self, low: int, found: Sequence[str], pace: Pace) -> int:
        """Look again at the blocks that a look cut short went through; return where to go on."""
        high = max(_block(address) for address in found) + 1
        while len(found) == _FOUND_ROWS:
            found = await self._find(low, high, _FOUND_ROWS)
            await self._take(found, pace)
        return high

    async def _take(self, found: Sequence[str], pace: Pace) -> int:
        """Take rows in batches; return how many of them were orphan rows still."""
        taken = position = 0
        while position < len(found):
            await self.gate.passed()
            some = found[position : position + pace.batch]
            try:
                orphans = await self._locked_batch(pace, partial(self._batch.take, some, ceiling_seconds(len(some)) + self._line_seconds))
            except HeldTooLongError:
                await self._shrink(pace, len(some))
                continue
            except asyncpg.ForeignKeyViolationError:
                orphans = await self._take_together(pace)
                if orphans >= len(found) - position:
                    return taken + orphans
            position += len(some)
            taken += orphans
        return taken

    async def _take_together(self, pace: Pace) -> int:
        """Take all orphan rows in one batch: a key without action may hold rows together that go in different batches otherwise."""
        for most in _TOGETHER:
            found = await self._find(0, _END, most)
            try:
                return await self._locked_batch(pace, partial(self._batch.take, found, LAST_CEILING_SECONDS + self._line_seconds))
            except asyncpg.ForeignKeyViolationError:
                if len(found) < most or most == _TOGETHER[-1]:
                    raise
            except HeldTooLongError as error:
                raise self._too_slow(f"{len(found)} rows that hold each other by keys without action") from error
        raise AssertionError

    async def _catch(self, pace: Pace) -> None:
        """Walk the table for rows that the application changes all the time: by the time that a batch looks, they are elsewhere."""
        blocks = await self._blocks()
        for low in range(0, blocks, _CATCH_BLOCKS):
            high = low + _CATCH_BLOCKS if low + _CATCH_BLOCKS < blocks else _END
            limit = _FEW_ROWS
            for _ in range(_WALKS):
                await self.gate.passed()
                found = await self._find(low, high, limit)
                if not found:
                    break
                try:
                    await self._catch_some(pace, low, high, len(found))
                except HeldTooLongError:
                    await self._shrink(pace, len(found))
                    limit = pace.batch

    async def _catch_some(self, pace: Pace, low: int, high: int, limit: int) -> None:
        async with _looking_up(self.session.work):
            catch = partial(self._batch.catch, _tid(low), _tid(high), limit, ceiling_seconds(limit) + self._line_seconds)
            await self._locked_batch(pace, catch)

    async def _shrink(self, pace: Pace, rows: int) -> None:
        """Go on with fewer rows, after writers had their time; refuse when there is only one."""
        if rows == 1:
            raise self._too_slow("one row")
        pace.shrink(rows)
        await rest(self.reporter, rest_seconds(CEILING_SECONDS))

    def _too_slow(self, what: str) -> Refused:
        unindexed = self.recipe.unindexed
        cure = f"create an index on {' and on '.join(unindexed)}" if unindexed else "look at the triggers of its tables"
        message = (
            f"{self.step.title}: taking {what} would make writers wait longer than {LAST_CEILING_SECONDS:.0f} s; the batch was undone."
            f" First {cure}, or leave these rows by policy; then apply again."
        )
        return Refused(message, reason=Reason.STEP_FAILED)

    async def _locked_batch(self, pace: Pace, work: Callable[[], Awaitable[tuple[int, int]]]) -> int:
        """Run one batch, tell about it, and rest; return how many orphan rows it took."""
        orphans, rows = await run_locked(
            self.session,
            self.reporter,
            LockPolicy.SHORT,
            self.step.number,
            work,
            locks=locks_of(self.step.statements),
            progress=self.progress,
        )
        await reach("CLEAN_UP.committed")
        held = self._batch.held.seconds
        pace.learn(held - self._batch.held.statements * 2 * self._trip_seconds)
        self.rows_done += rows
        await self._report()
        # Between batches the tables are the writers'; who asks us to stop need not wait for that.
        await rest(self.reporter, rest_seconds(held))
        return orphans

    async def _report(self) -> None:
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{self.step.title}: {self.rows_done} rows",
            step=self.step.number,
            relationship_id=self.step.relationship_id,
            rows_done=self.rows_done,
            rows_total=max(self.total, self.rows_done),
        )
        progress = replace(self.progress, rows_done=happening.rows_done, rows_total=happening.rows_total)
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


def _block(address: str) -> int:
    """Return the block of a row address such as `(8,1)`."""
    return int(address[1:].partition(",")[0])
