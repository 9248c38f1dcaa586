"""Undoing an application exactly: first the question whether it can be exact, then keys, rows, indexes, in the reverse order.

Keys go before rows come back, because an enforced key would reject them; indexes go last. What was never begun is not undone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.ledger import SavedBatch
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.execute.verify import verify
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.plan.model import LockPolicy, Plan, Statement, Step, StepKind

_SHOWN = 20
_KEY_STEPS = (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY)


async def obstacles(connection: asyncpg.Connection, plan_id: str, plan: Plan) -> tuple[str, ...]:
    """Return why a rollback could not be exact, with the keys of the rows concerned; empty when it can."""
    if not await ledger.exists(connection):
        return ("schema holdfast is gone, and the backup with it",)
    found = [
        f"backup batch {row['id']} holds {row['present']} of {row['row_count']} rows"
        for row in await connection.fetch(ledger.QUERIES["damaged_batches"], plan_id)
    ]
    if found:
        return tuple(found)
    saved_steps = {batch.step for batch in await ledger.batches_to_restore(connection, plan_id)}
    for step in plan.steps:
        if step.recipe is not None and step.number in saved_steps:
            found += await _ask(connection, plan_id, step.recipe.restore_checks)
    return tuple(found)


async def _ask(connection: asyncpg.Connection, plan_id: str, checks: Iterable[str]) -> list[str]:
    """Ask until one question names an obstacle: later ones may stumble over it (a column of another type)."""
    for check in checks:
        rows = await connection.fetch(check, plan_id)
        if rows:
            return [row[0] for row in rows]
    return []


def refuse(found: tuple[str, ...]) -> Refused:
    """Return the refusal that names the obstacles."""
    details = "; ".join(found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = f"The rollback could not be exact, so nothing was touched: {details}{more}."
    return Refused(message, reason=Reason.ROLLBACK_NOT_EXACT, facts={"details": details + more})


@dataclass(slots=True, kw_only=True)
class Rollback:
    """One application being undone by one session."""

    session: TargetSession
    reporter: Reporter
    plan_id: str
    plan: Plan
    done: int = 0
    total: int = 0

    async def run(self) -> tuple[Verification, ...]:
        """Undo all that was begun; return the state of every relationship. Refused ROLLBACK_NOT_EXACT before anything is touched."""
        found = await obstacles(self.session.work, self.plan_id, self.plan)
        if found:
            raise refuse(found)
        await self.session.work.execute(ledger.QUERIES["write_fence"], self.session.job.id, self.session.job.epoch)
        begun = await ledger.begun_steps(self.session.work, self.plan_id)
        steps = [step for step in reversed(self.plan.steps) if step.number in begun]
        keys = [step for step in steps if step.kind in _KEY_STEPS and step.undo]
        indexes = [step for step in steps if step.kind is StepKind.CREATE_INDEX]
        batches = await ledger.batches_to_restore(self.session.work, self.plan_id)
        self.total = len(keys) + len(batches) + len(indexes)
        for step in keys:
            await self._undo(step, step.undo[:1], finished=len(step.undo) == 1)
        for batch in batches:
            await self._restore(batch)
        for step in [*keys, *indexes]:
            late = step.undo[1:] if step.kind in _KEY_STEPS else step.undo
            if late:
                await self._undo(step, late, finished=True)
        return await verify(self.session.work, self.plan_id, self.plan, self.plan.steps[-1])

    async def _undo(self, step: Step, statements: tuple[Statement, ...], *, finished: bool) -> None:
        title = f"Undo: {step.title}"
        await self._tell(EventKind.STEP_STARTED, title, step)
        first = statements[0]

        async def work() -> None:
            for statement in statements:
                await self.session.work.execute(statement.sql)
            if finished and first.transactional:
                await ledger.write(self.session, self.plan_id, step.number, "UNDONE")

        await reach("UNDO.begun")
        await run_locked(self.session, self.reporter, first.lock_policy, step.number, work, transactional=first.transactional)
        if finished and not first.transactional:
            await ledger.write(self.session, self.plan_id, step.number, "UNDONE")
        if finished:
            self.done += 1
        await self._tell(EventKind.STEP_DONE, title, step)

    async def _restore(self, batch: SavedBatch) -> None:
        step = next(step for step in self.plan.steps if step.number == batch.step)
        try:
            rows = await run_locked(self.session, self.reporter, LockPolicy.SHORT, step.number, lambda: self._put_back(step, batch))
        except asyncpg.IntegrityConstraintViolationError as error:
            name = getattr(error, "constraint_name", None) or "a constraint"
            message = f"{step.title}: {name} rejects rows of backup batch {batch.id}, which stays whole. Make room, then roll back again."
            raise Refused(message, reason=Reason.STEP_FAILED, facts={"constraint": name}) from error
        self.done += 1
        title = f"Restore rows of {step.relationship_id}"
        await self._tell(EventKind.STEP_DONE, title, step, rows=rows)

    async def _put_back(self, step: Step, batch: SavedBatch) -> int:
        """Put one batch back inside the caller's transaction; return how many rows."""
        if step.recipe is None:
            raise AssertionError
        work = self.session.work
        await ledger.hold_fence(self.session)
        saved = await ledger.saved_rows(work, batch.id)
        rows: int = await work.fetchval(step.recipe.restore, batch.id)
        # A row whose values were changed and which the application deleted since stays deleted: that is the application's change.
        if not saved.deletes <= rows <= saved.total:
            message = f"{step.title}: {rows} of {saved.total} rows came back; a trigger or rule interferes. The batch was undone."
            raise Refused(message, reason=Reason.STEP_FAILED)
        entry = await ledger.write(self.session, self.plan_id, step.number, "RESTORED", rows)
        await work.execute(ledger.QUERIES["mark_restored"], batch.id, entry)
        await reach("RESTORE.before_commit")
        return rows

    async def _tell(self, kind: EventKind, title: str, step: Step, *, rows: int = 0) -> None:
        happening = Happening(
            kind=kind,
            message=f"{title}: {rows} rows" if rows else title,
            step=step.number,
            relationship_id=step.relationship_id,
            rows_done=rows,
            rows_total=rows,
        )
        await self.reporter.record(happening, progress=Progress(activity=title, done=self.done, total=self.total))
