"""Applying a plan: the loop over its steps. Every step asks the catalog first whether it is done, so any of them can be the first.

In come a session, a reporter and a plan; what goes out are changes in the target, entries in its ledger, events, and at the end one
verification per relationship.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, assert_never

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.errors import HoldfastError, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.clean_up import CleanUp
from holdfastd.execute.failpoints import reach
from holdfastd.execute.gate import Gate
from holdfastd.execute.index_build import IndexBuild, name_is_taken
from holdfastd.execute.raised import raised, stopped_by_code
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.standing import read_partitions, read_standing, refuse_new_partitions, refuse_replaced
from holdfastd.execute.statement import run_locked
from holdfastd.execute.verify import verify
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.names import TableName
from holdfastd.plan.build import tables_of
from holdfastd.plan.lock_budgets import locks_of
from holdfastd.plan.model import Decision, LockPolicy, Plan, Step, StepKind
from holdfastd.target.errors import is_gone, is_raised_by_code, sqlstate

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Application:
    """One plan being applied by one session."""

    session: TargetSession
    reporter: Reporter
    gate: Gate
    identity: Identity
    plan_id: str
    plan: Plan
    rows_done: int = 0
    #: Object ids of the plan's tables when work began.
    standing: Mapping[str, int | None] = field(default_factory=dict)
    #: The partitions of its partitioned tables then: each has its steps.
    partitions: Mapping[TableName, frozenset[str]] = field(default_factory=dict)

    async def run(self) -> tuple[Verification, ...]:
        """Run all steps that are not done; return what verifying showed. Refused when a step cannot be done."""
        if await ledger.exists(self.session.work):
            await ledger.claim(self.session, self.identity)
        tables = tables_of(self.plan.steps, self.plan.decisions)
        self.standing = await read_standing(self.session.work, tables)
        self.partitions = await read_partitions(self.session.work, tables)
        for step in self.plan.steps[:-1]:
            await self.gate.passed()
            await refuse_replaced(self.session.work, self.standing)
            if await self._is_done(step):
                await ledger.end_begun(self.session, self.plan_id, step.number)
                await self._tell(EventKind.STEP_SKIPPED, step, "done already")
                continue
            await self._tell(EventKind.STEP_STARTED, step)
            await self._run(step)
            await self._tell(EventKind.STEP_DONE, step)
        await self.gate.passed()
        return await self._verify(self.plan.steps[-1])

    async def _is_done(self, step: Step) -> bool:
        ask = partial(self.session.work.fetchval, step.done_when)
        return bool(await (self._read(step, ask) if step.kind is StepKind.CLEAN_UP else ask()))

    async def _run(self, step: Step) -> None:
        """Run one step, its intent written before and its end after, in the same transaction as the effect where there is one."""
        await reach(f"{step.kind}.begun")
        if step.kind is not StepKind.PREPARE:
            await ledger.write(self.session, self.plan_id, step.number, "INTENT")
            await reach(f"{step.kind}.intent_written")
        try:
            await self._effect(step)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _violation(step, error) from error
        except (asyncpg.DuplicateObjectError, asyncpg.DuplicateTableError) as error:
            raise name_is_taken(step) from error
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            message = (
                f"{step.title}: PostgreSQL cannot do it as things are (SQLSTATE {sqlstate(error)}); a published table, for one, needs a"
                " replica identity before its rows are cleaned up. Nothing of this batch was changed; cure it, then apply the plan again."
            )
            raise Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": sqlstate(error)}) from error
        except asyncpg.PostgresError as error:
            if not is_raised_by_code(error) or (is_gone(error) and step.kind is not StepKind.CLEAN_UP):
                raise
            raise (raised if step.kind is StepKind.CLEAN_UP else stopped_by_code)(step.title, error) from error
        await reach(f"{step.kind}.effected")
        # A cleanup ends only when a look at the whole table found nothing that it did not take; validating the key proves it.
        if step.kind is not StepKind.CLEAN_UP and not await self._is_done(step):
            message = f"{step.title}: it ran, but the catalog does not show it; look at the event log of the server, then apply again."
            raise Refused(message, reason=Reason.STEP_FAILED)

    async def _effect(self, step: Step) -> None:
        match step.kind:
            case StepKind.PREPARE:
                await self._in_transaction(step, lambda: self._execute_all(step))
                await reach("PREPARE.committed")
                await ledger.claim(self.session, self.identity)
            case StepKind.CREATE_INDEX if not step.statements[0].transactional:
                await self._create_index(step)
            case StepKind.CREATE_INDEX | StepKind.ATTACH_INDEX | StepKind.ADD_FOREIGN_KEY | StepKind.VALIDATE_FOREIGN_KEY:
                await self._in_transaction(step, lambda: self._execute_and_note(step))
            case StepKind.CLEAN_UP:
                await self._clean_up(step)
            case StepKind.VERIFY:
                raise AssertionError
            case _:
                assert_never(step.kind)

    async def _in_transaction(self, step: Step, work: Callable[[], Awaitable[None]]) -> None:
        policy, locks = step.statements[0].lock_policy, locks_of(step.statements)
        await run_locked(self.session, self.reporter, policy, step.number, work, locks=locks, progress=self._progress(step))

    async def _read(self, step: Step, work: Callable[[], Awaitable[Result]]) -> Result:
        """Ask what may take as long as the tables are large, so that it can be stopped."""
        progress = self._progress(step)
        return await run_locked(self.session, self.reporter, LockPolicy.NONE, step.number, work, transactional=False, progress=progress)

    async def _execute_all(self, step: Step) -> None:
        await reach(f"{step.kind}.before_exec")
        for statement in step.statements:
            await self.session.work.execute(statement.sql)
        await reach(f"{step.kind}.executed")

    async def _execute_and_note(self, step: Step) -> None:
        await ledger.hold_fence(self.session)
        if step.kind is StepKind.ADD_FOREIGN_KEY and step.table is not None and step.table in self.partitions:
            await refuse_new_partitions(self.session.work, step.table, self.partitions[step.table])
        await self._execute_all(step)
        await ledger.write(self.session, self.plan_id, step.number, "DONE")
        await reach(f"{step.kind}.before_commit")

    async def _create_index(self, step: Step) -> None:
        progress = replace(self._progress(step), rows_total=step.row_estimate)
        await IndexBuild(session=self.session, reporter=self.reporter, plan_id=self.plan_id, step=step, progress=progress).run()
        await reach("CREATE_INDEX.executed")
        await ledger.write(self.session, self.plan_id, step.number, "DONE")

    async def _clean_up(self, step: Step) -> None:
        if step.recipe is None:
            raise AssertionError
        decision = _decision(self.plan, step)
        work = CleanUp(
            session=self.session,
            reporter=self.reporter,
            gate=self.gate,
            plan_id=self.plan_id,
            step=step,
            recipe=step.recipe,
            expected=decision.orphan_rows,
            progress=self._progress(step),
            standing=self.standing,
        )
        self.rows_done = await work.run()
        await reach("CLEAN_UP.cleaned")
        await ledger.write(self.session, self.plan_id, step.number, "DONE", self.rows_done)

    async def _verify(self, step: Step) -> tuple[Verification, ...]:
        await self._tell(EventKind.STEP_STARTED, step)
        await reach("VERIFY.begun")
        results = await self._read(step, partial(verify, self.session.work, self.plan_id, self.plan, step))
        failed = [result for result in results if not _is_as_planned(self.plan, result)]
        if failed:
            names = ", ".join(result.relationship_id for result in failed[:5])
            message = f"Verification failed for {len(failed)} relationship(s): {names}. Audit again to see what is there now."
            raise HoldfastError(message, reason=Reason.STEP_FAILED, facts={"relationships": names})
        await self._tell(EventKind.STEP_DONE, step)
        await reach("VERIFY.done_written")
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
