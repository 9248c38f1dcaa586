"""One batch of a cleanup: lock, back up, look again, follow the keys, change, make sure. One short transaction, for the caller to open.

From the moment it locks the referenced table, writers wait: a statement that would make them wait for too long is stopped by the
server, and the batch undone.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.pace import LAST_CEILING_SECONDS
from holdfastd.execute.session import TargetSession
from holdfastd.execute.standing import refuse_replaced
from holdfastd.plan.model import CleanUpRecipe, Step

#: Telling the server how much time is left costs a round trip: not before every short statement.
_LIMIT_EVERY_SECONDS = 0.05
_SET_TIMEOUT = "SELECT pg_catalog.set_config('statement_timeout', $1, true)"


class HeldTooLongError(Exception):
    """A batch held its locks for as long as it may, and is undone."""


@dataclass(slots=True, kw_only=True)
class Held:
    """How long a batch holds its lock, and how long it may."""

    connection: asyncpg.Connection
    ceiling_seconds: float = 0.0
    since: float = 0.0
    _limited_at: float = 0.0
    _asked: int = 0

    @property
    def seconds(self) -> float:
        """How long the lock is held by now; 0 before it is."""
        return time.monotonic() - self.since if self.since else 0.0

    @property
    def statements(self) -> int:
        """Statements since the lock was taken."""
        return int(self.connection.asked) - self._asked

    @property
    def is_over(self) -> bool:
        """Tell whether the time is up, or as good as."""
        return self.seconds > self.ceiling_seconds - 2 * _LIMIT_EVERY_SECONDS

    def begin(self) -> None:
        """The lock was taken."""
        self.since, self._limited_at, self._asked = time.monotonic(), 0.0, self.connection.asked

    async def limit(self) -> None:
        """Let the server stop the next statement when the time is up."""
        now = time.monotonic()
        if now - self._limited_at < _LIMIT_EVERY_SECONDS:
            return
        left = self.ceiling_seconds - self.seconds
        if left <= 0:
            raise HeldTooLongError
        await self.connection.execute(_SET_TIMEOUT, f"{max(int(left * 1000), 1)}ms")
        self._limited_at = now


@dataclass(slots=True, kw_only=True)
class Batch:
    """What all batches of one step share."""

    session: TargetSession
    plan_id: str
    step: Step
    recipe: CleanUpRecipe
    #: Object ids of the plan's tables.
    standing: Mapping[str, int | None]
    held: Held = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is held yet."""
        self.held = Held(connection=self.session.work)

    async def catch(self, low: str, high: str, limit: int, ceiling_seconds: float) -> tuple[int, int]:
        """Take orphan rows that change all the time: locked where they are met, they cannot move away any more."""
        await self.session.work.execute(_SET_TIMEOUT, f"{int(LAST_CEILING_SECONDS * 1000)}ms")
        addresses = await self.session.work.fetchval(self.recipe.hold, low, high, limit)
        return await self.take(addresses, ceiling_seconds)

    async def take(self, addresses: Sequence[str], ceiling_seconds: float) -> tuple[int, int]:
        """Take the orphan rows at some addresses; return how many they were, and all rows taken or changed.

        HeldTooLongError when it took longer than it may; the caller's transaction must be undone then.
        """
        self.held.since, self.held.ceiling_seconds = 0.0, ceiling_seconds
        try:
            return await self._run(addresses)
        except asyncpg.QueryCanceledError as error:
            if self.held.since and self.held.is_over:
                raise HeldTooLongError from error
            raise

    async def _run(self, addresses: Sequence[str]) -> tuple[int, int]:
        work, recipe = self.session.work, self.recipe
        await ledger.hold_fence(self.session)
        await reach("CLEAN_UP.before_exec")
        await work.execute(recipe.lock)
        self.held.begin()
        await reach("CLEAN_UP.lock_acquired")
        await self.held.limit()
        await refuse_replaced(work, self.standing)
        batch = await ledger.write(self.session, self.plan_id, self.step.number, "BATCH")
        await work.execute(recipe.back_up, batch, addresses)
        await self.held.limit()
        await work.execute(recipe.recheck, batch)
        await self._expand(batch)
        await reach("CLEAN_UP.backed_up")
        saved = await ledger.saved_rows(work, batch)
        if saved.total == 0:
            await work.execute(ledger.QUERIES["drop_batch"], batch)
        else:
            await self._change(batch, saved)
            await reach("CLEAN_UP.executed")
            await self._make_sure(batch)
            await work.execute(ledger.QUERIES["close_batch"], batch, saved.total)
            await reach("CLEAN_UP.before_commit")
        return saved.orphans, saved.total

    async def _expand(self, batch: int) -> None:
        """Back up what the deletion takes along, to the fixpoint: each round follows what the last one added."""
        work, recipe = self.session.work, self.recipe
        added: list[str] = await work.fetchval(ledger.QUERIES["saved_addresses"], batch) if recipe.expansions else []
        while added:
            last, added = added, []
            for expansion in recipe.expansions:
                await self.held.limit()
                found = await work.fetchval(expansion.back_up, batch, last)
                if found:
                    await self.held.limit()
                    await work.execute(expansion.recheck, batch, found, last)
                    added += found
        for question in recipe.refused:
            reason = await work.fetchval(question, batch)
            if reason:
                self._refuse(f"{reason}; they came after the plan was made", "Make a new plan")

    async def _change(self, batch: int, saved: ledger.SavedRows) -> None:
        """Change the saved rows, and make sure that nothing else was changed along with them, now or at the end of the transaction."""
        work, recipe = self.session.work, self.recipe
        await self.held.limit()
        nulled = sum([await work.fetchval(question, batch) for question in recipe.nulled])
        # Our own UPDATE meets each row once, and so does each key that sets NULL.
        tolerated = nulled + (0 if saved.deletes else saved.orphans)
        before = await work.fetchrow(ledger.QUERIES["changed_so_far"])
        await self.held.limit()
        changed = _rows(await work.execute(recipe.change, batch))
        await self.held.limit()
        await work.execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = await work.fetchrow(ledger.QUERIES["changed_so_far"])
        if not (before["are_counted"] and after["are_counted"]):
            self._refuse("track_counts is off, so nobody could tell what triggers change", "Turn it on")
        if changed != saved.orphans:
            self._refuse(f"{saved.orphans} rows were to be changed, {changed} were: a trigger or rule interferes")
        deletes, updates = after["deletes"] - before["deletes"], after["updates"] - before["updates"]
        if deletes != saved.deletes or updates > tolerated:
            self._refuse(
                f"{deletes} rows were deleted and {updates} updated, but {saved.deletes} and {saved.updates} were backed up:"
                " a trigger or rule changes more"
            )

    async def _make_sure(self, batch: int) -> None:
        """Make sure that changed rows have their new values, and write down what else triggers did to them."""
        work = self.session.work
        await self.held.limit()
        kept = sum([await work.fetchval(question, batch) for question in self.recipe.kept])
        if kept:
            self._refuse(f"{kept} rows were to be changed and do not have their new values: a trigger interferes")
        for statement in self.recipe.left:
            await self.held.limit()
            await work.execute(statement, batch)

    def _refuse(self, fact: str, cure: str = "") -> NoReturn:
        look = cure or f"Look at the triggers of {self.recipe.tables[0]}"
        message = f"{self.step.title}: {fact}; the batch was undone. {look}, or leave these rows."
        raise Refused(message, reason=Reason.STEP_FAILED)


def _rows(tag: str) -> int:
    """Return the number of rows in a command tag such as `DELETE 8`."""
    return int(tag.rsplit(" ", 1)[-1])
