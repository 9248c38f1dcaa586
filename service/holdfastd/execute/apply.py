"""Applying a plan: the loop over its steps. Every step asks the catalog first whether it is done, so any of them can be the first.

In come a session, a reporter and a plan; what goes out are changes in the target, entries in its ledger, events, and at the end one
verification per relationship.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.errors import HoldfastError, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.clean_up import CleanUp
from holdfastd.execute.failpoints import reach
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.execute.verify import verify
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.names import identifier
from holdfastd.plan.model import Decision, Plan, Statement, Step, StepKind
from holdfastd.target.errors import sqlstate


@dataclass(slots=True, kw_only=True)
class Application:
    """One plan being applied by one session."""

    session: TargetSession
    reporter: Reporter
    identity: Identity
    plan_id: str
    plan: Plan
    rows_done: int = 0

    async def run(self) -> tuple[Verification, ...]:
        """Run all steps that are not done; return what verifying showed. Refused when a step cannot be done."""
        if await ledger.exists(self.session.work):
            await ledger.claim(self.session, self.identity)
        for step in self.plan.steps[:-1]:
            self.reporter.raise_if_stopped()
            if await self._is_done(step):
                await self._tell(EventKind.STEP_SKIPPED, step, "done already")
                continue
            await self._tell(EventKind.STEP_STARTED, step)
            await self._run(step)
            await self._tell(EventKind.STEP_DONE, step)
        return await self._verify(self.plan.steps[-1])

    async def _is_done(self, step: Step) -> bool:
        return bool(await self.session.work.fetchval(step.done_when))

    async def _run(self, step: Step) -> None:
        """Run one step, its intent written before and its end after, in the same transaction as the effect where there is one."""
        if step.kind is not StepKind.PREPARE:
            await ledger.write(self.session, self.plan_id, step.number, "INTENT")
        await reach(f"{step.kind}.begun")
        try:
            await self._effect(step)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _violation(step, error) from error
        except (asyncpg.DuplicateObjectError, asyncpg.DuplicateTableError) as error:
            message = f"{step.title}: something else of the name {step.object_name} appeared since the plan was made; make a new plan."
            raise Refused(message, reason=Reason.STEP_FAILED, facts={"name": step.object_name}) from error
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            message = (
                f"{step.title}: PostgreSQL cannot do it as things are (SQLSTATE {sqlstate(error)}); a published table, for one, needs a"
                " replica identity before its rows are cleaned up. Nothing of this batch was changed; cure it, then apply the plan again."
            )
            raise Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": sqlstate(error)}) from error
        await reach(f"{step.kind}.effected")
        if not await self._is_done(step):
            message = f"{step.title}: it ran, but the catalog does not show it; look at the event log of the server, then apply again."
            raise Refused(message, reason=Reason.STEP_FAILED)

    async def _effect(self, step: Step) -> None:
        match step.kind:
            case StepKind.PREPARE:
                await self._in_transaction(step, lambda: self._execute_all(step))
                await ledger.claim(self.session, self.identity)
            case StepKind.CREATE_INDEX:
                await self._create_index(step)
            case StepKind.ADD_FOREIGN_KEY | StepKind.VALIDATE_FOREIGN_KEY:
                await self._in_transaction(step, lambda: self._execute_and_note(step))
            case StepKind.CLEAN_UP:
                await self._clean_up(step)
            case StepKind.VERIFY:
                raise AssertionError
            case _:
                assert_never(step.kind)

    async def _in_transaction(self, step: Step, work: Callable[[], Awaitable[None]]) -> None:
        policy = step.statements[0].lock_policy
        await run_locked(self.session, self.reporter, policy, step.number, work)

    async def _execute_all(self, step: Step) -> None:
        for statement in step.statements:
            await self.session.work.execute(statement.sql)

    async def _execute_and_note(self, step: Step) -> None:
        await ledger.hold_fence(self.session)
        await self._execute_all(step)
        await ledger.write(self.session, self.plan_id, step.number, "DONE")
        await reach(f"{step.kind}.before_commit")

    async def _create_index(self, step: Step) -> None:
        """Build the index; a half-built one that an earlier attempt left is dropped first, one of somebody else's never is."""
        await self._alone(step, step.statements[0], before=lambda: self._drop_half_built(step))
        await ledger.write(self.session, self.plan_id, step.number, "DONE")

    async def _alone(self, step: Step, statement: Statement, before: Callable[[], Awaitable[None]]) -> None:
        async def work() -> None:
            await before()
            await self.session.work.execute(statement.sql)

        await run_locked(self.session, self.reporter, statement.lock_policy, step.number, work, transactional=False)

    async def _drop_half_built(self, step: Step) -> None:
        if await self.session.work.fetchval(_HALF_BUILT, _table_schema(step), step.object_name):
            schema = identifier(_table_schema(step))
            await self.session.work.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{identifier(step.object_name)}")

    async def _clean_up(self, step: Step) -> None:
        if step.recipe is None:
            raise AssertionError
        decision = _decision(self.plan, step)
        work = CleanUp(
            session=self.session,
            reporter=self.reporter,
            plan_id=self.plan_id,
            step=step,
            recipe=step.recipe,
            expected=decision.orphan_rows,
            progress=self._progress(step),
        )
        self.rows_done = await work.run()
        await ledger.write(self.session, self.plan_id, step.number, "DONE", self.rows_done)

    async def _verify(self, step: Step) -> tuple[Verification, ...]:
        await self._tell(EventKind.STEP_STARTED, step)
        results = await verify(self.session.work, self.plan_id, self.plan, step)
        failed = [result for result in results if not _is_as_planned(self.plan, result)]
        if failed:
            names = ", ".join(result.relationship_id for result in failed[:5])
            message = f"Verification failed for {len(failed)} relationship(s): {names}. Audit again to see what is there now."
            raise HoldfastError(message, reason=Reason.STEP_FAILED, facts={"relationships": names})
        await self._tell(EventKind.STEP_DONE, step)
        return results

    async def _tell(self, kind: EventKind, step: Step, note: str = "") -> None:
        rows = self.rows_done if kind is EventKind.STEP_DONE and step.kind is StepKind.CLEAN_UP else 0
        text = f"{step.title}{': ' + note if note else ''}{f': {rows} rows' if rows else ''}"
        happening = Happening(
            kind=kind, message=text, step=step.number, relationship_id=step.relationship_id, rows_done=rows, rows_total=rows
        )
        ended = kind in (EventKind.STEP_DONE, EventKind.STEP_SKIPPED)
        await self.reporter.record(happening, progress=self._progress(step, ended=ended))

    def _progress(self, step: Step, *, ended: bool = False) -> Progress:
        return Progress(activity=step.title, done=step.number - (0 if ended else 1), total=len(self.plan.steps))


#: Ours by name and by the ledger's INTENT: no such name existed when the plan was made, and the plan's facts were compared since.
_HALF_BUILT = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  JOIN pg_catalog.pg_index AS index ON index.indexrelid = relation.oid
  WHERE namespace.nspname = $1 AND relation.relname = $2 AND NOT (index.indisvalid AND index.indisready))
"""


def _table_schema(step: Step) -> str:
    if step.table is None:
        raise AssertionError
    return step.table.schema


def _decision(plan: Plan, step: Step) -> Decision:
    return next(decision for decision in plan.decisions if decision.relationship_id == step.relationship_id)


def _is_as_planned(plan: Plan, result: Verification) -> bool:
    """Tell whether a key is there, and without orphan rows unless they were to stay."""
    validates = any(step.kind is StepKind.VALIDATE_FOREIGN_KEY and step.relationship_id == result.relationship_id for step in plan.steps)
    return result.declared and (not validates or (result.validated and result.orphan_rows_after == 0))


def _violation(step: Step, error: asyncpg.PostgresError) -> HoldfastError:
    """Say which constraint is in the way. PostgreSQL's own text would show row values."""
    constraint = getattr(error, "constraint_name", None) or "a constraint"
    if step.kind is StepKind.VALIDATE_FOREIGN_KEY:
        message = (
            f"{step.title}: orphan rows of {step.relationship_id} appeared since the plan was made. The key enforces new rows already;"
            " audit again and make a new plan for the old ones."
        )
    else:
        message = f"{step.title}: {constraint} does not allow it; nothing of this batch was changed. Leave these rows by policy."
    facts = {"constraint": constraint, "sqlstate": sqlstate(error)}
    return Refused(message, reason=Reason.STEP_FAILED, facts=facts)
