"""Putting backed-up rows of an application back while its keys stay. A batch is one transaction; what is done stays done.

Without relinking, all rows come back or none does. With it, those come back whose referenced row is there again; a row that came
back gives others something to reference, so the batches are gone through until nothing more can come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Refused
from holdfastd.execute import ledger
from holdfastd.execute.gate import Gate
from holdfastd.execute.ledger import SavedBatch
from holdfastd.execute.outlook import Outlook, choose, leave_changed, look, refuse_outlook
from holdfastd.execute.put_back import put_back
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.verify import verify
from holdfastd.jobs.model import EventKind, Happening, JobOptions, Progress, Verification
from holdfastd.plan.model import Plan, Step

#: A writer may take a referenced row away between our look and PostgreSQL's.
_TRIES = 3


@dataclass(slots=True, kw_only=True)
class Restore:
    """Rows of one application being put back by one session."""

    session: TargetSession
    reporter: Reporter
    gate: Gate
    plan_id: str
    plan: Plan
    #: As it is now.
    catalog: Catalog
    options: JobOptions
    rows_done: int = 0
    rows_total: int = 0

    async def run(self) -> tuple[Verification, ...]:
        """Put back what can come back; return the state of every relationship. Refused before anything is touched."""
        outlook = await self._look()
        await ledger.fence(self.session)
        self.rows_total = outlook.relinkable
        while outlook.relinkable:
            rows = await self._put_back_all()
            if not rows or not self.options.relink:
                break
            outlook = await self._look()
        return await verify(self.session.work, self.plan_id, self.plan, self.plan.steps[-1])

    async def _look(self) -> Outlook:
        steps = chosen(self.plan, self.options.relationship_ids)
        await ledger.refuse_purged(self.session.work, self.plan_id, [step.number for step in steps])
        outlook = await look(self.session.work, self.catalog, self.plan_id, self.plan, steps, relink=self.options.relink)
        refuse_outlook(outlook, relink=self.options.relink)
        return outlook

    async def _put_back_all(self) -> int:
        """Go through the batches once, the last one first; return how many rows came back."""
        steps = {step.number: step for step in chosen(self.plan, self.options.relationship_ids)}
        batches = await ledger.batches_to_restore(self.session.work, self.plan_id)
        before = self.rows_done
        for batch in batches:
            if batch.step in steps:
                await self.gate.passed()
                self.rows_done += await self._put_back(steps[batch.step], batch)
                await self._tell(steps[batch.step])
        return self.rows_done - before

    async def _put_back(self, step: Step, batch: SavedBatch) -> int:
        chooser = choose if self.options.relink else leave_changed
        choosing = partial(chooser, self.session.work, self.catalog, self.plan, batch.id)
        for _ in range(_TRIES - 1):
            try:
                return await put_back(self.session, self.reporter, self.plan_id, step, batch, choose=choosing, keeps=True)
            except Refused as error:
                if not self.options.relink or not isinstance(error.__cause__, asyncpg.ForeignKeyViolationError):
                    raise
        return await put_back(self.session, self.reporter, self.plan_id, step, batch, choose=choosing, keeps=True)

    async def _tell(self, step: Step) -> None:
        title = f"Restore rows of {step.relationship_id}"
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{title}: {self.rows_done} rows",
            step=step.number,
            relationship_id=step.relationship_id,
            rows_done=self.rows_done,
            rows_total=self.rows_total,
        )
        progress = Progress(activity=title, rows_done=self.rows_done, rows_total=self.rows_total)
        await self.reporter.record(happening, progress=progress)


def chosen(plan: Plan, relationship_ids: Sequence[str]) -> tuple[Step, ...]:
    """Return the cleanups of some relationships, or of all."""
    return tuple(
        step for step in plan.steps if step.recipe is not None and (not relationship_ids or step.relationship_id in relationship_ids)
    )
