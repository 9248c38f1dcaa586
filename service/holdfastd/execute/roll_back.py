"""Undoing an application exactly: first the question whether it can be exact, then keys, rows, indexes, in the reverse order.

Keys go before rows come back, because an enforced key would reject them; indexes go last. What was never begun is not undone.
"""

from dataclasses import dataclass
from functools import partial

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.gate import Gate
from holdfastd.execute.ledger import SavedBatch
from holdfastd.execute.obstacles import is_key, obstacles, refuse
from holdfastd.execute.outlook import leave_changed
from holdfastd.execute.put_back import put_back
from holdfastd.execute.raised import stopped_by_code, violated
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.execute.verify import verify
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.plan.lock_budgets import locks_of, together
from holdfastd.plan.model import Plan, Statement, Step, StepKind
from holdfastd.target.errors import is_gone, is_raised_by_code


@dataclass(slots=True, kw_only=True)
class Rollback:
    """One application being undone by one session."""

    session: TargetSession
    reporter: Reporter
    gate: Gate
    plan_id: str
    plan: Plan
    #: As it is now.
    catalog: Catalog
    done: int = 0
    total: int = 0

    async def run(self) -> tuple[Verification, ...]:
        """Undo all that was begun; return the state of every relationship. Refused ROLLBACK_NOT_EXACT before anything is touched."""
        found = await obstacles(self.session.work, self.catalog, self.plan_id, self.plan)
        if found:
            raise refuse(found)
        await ledger.fence(self.session)
        await reach("ROLLBACK.fenced")
        batches = await ledger.batches_to_restore(self.session.work, self.plan_id)
        if batches:
            await self._begin_revalidated()
        begun = await ledger.begun_steps(self.session.work, self.plan_id)
        steps = [step for step in reversed(self.plan.steps) if step.number in begun]
        keys = [step for step in steps if is_key(step)]
        indexes = [step for step in steps if step.kind is StepKind.CREATE_INDEX]
        self.total = len(keys) + len(batches) + len(indexes)
        for step in keys:
            await self.gate.passed()
            await self._undo(step, step.undo[:1], finished=len(step.undo) == 1)
        for batch in batches:
            await self.gate.passed()
            await self._restore(batch)
        for step in keys:
            late = together(step.undo[1:])
            for statements in late:
                await self.gate.passed()
                await self._undo(step, statements, finished=statements is late[-1], adds=True)
        for step in indexes:
            await self.gate.passed()
            await self._undo(step, step.undo, finished=True)
        return await verify(self.session.work, self.plan_id, self.plan, self.plan.steps[-1])

    async def _begin_revalidated(self) -> None:
        """Note that keys which were there before are about to be dropped, though they were not validated yet: they would reject rows."""
        begun = await ledger.begun_steps(self.session.work, self.plan_id)
        for step in self.plan.steps:
            if is_key(step) and step.kind is StepKind.VALIDATE_FOREIGN_KEY and step.number not in begun:
                await ledger.write(self.session, self.plan_id, step.number, "INTENT")

    async def _undo(self, step: Step, statements: tuple[Statement, ...], *, finished: bool, adds: bool = False) -> None:
        """Undo a step, or half of it, unless what has its name is not what it made; `adds`: unless it is there already."""
        title = f"Undo: {step.title}"
        await self._tell(EventKind.STEP_STARTED, title, step)
        first = statements[0]

        async def work() -> None:
            is_ours = await self.session.work.fetchval(step.undo_when)
            await reach("UNDO.before_exec")
            for statement in statements if is_ours is not adds else ():
                await self.session.work.execute(statement.sql)
            if finished and first.transactional:
                await ledger.write(self.session, self.plan_id, step.number, "UNDONE")
            await reach("UNDO.executed")

        await reach("UNDO.begun")
        try:
            await run_locked(
                self.session,
                self.reporter,
                first.lock_policy,
                step.number,
                work,
                transactional=first.transactional,
                locks=locks_of(statements),
                progress=Progress(activity=title, done=self.done, total=self.total),
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise violated(title, error) from error
        except asyncpg.PostgresError as error:
            if not is_raised_by_code(error) or is_gone(error):
                raise
            raise stopped_by_code(title, error) from error
        if finished and not first.transactional:
            await ledger.write(self.session, self.plan_id, step.number, "UNDONE")
        await reach("UNDO.done_written")
        if finished:
            self.done += 1
        await self._tell(EventKind.STEP_DONE, title, step)

    async def _restore(self, batch: SavedBatch) -> None:
        step = next(step for step in self.plan.steps if step.number == batch.step)
        choosing = partial(leave_changed, self.session.work, self.catalog, self.plan, batch.id)
        rows = await put_back(self.session, self.reporter, self.plan_id, step, batch, choose=choosing, keeps=False)
        self.done += 1
        title = f"Restore rows of {step.relationship_id}"
        await self._tell(EventKind.STEP_DONE, title, step, rows=rows)

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
