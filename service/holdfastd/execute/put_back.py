"""Putting the rows of one backup batch back, in one transaction with its entry in the ledger. Rolling back and restoring share it."""

from collections.abc import Awaitable, Callable

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.ledger import SavedBatch
from holdfastd.execute.raised import stopped_by_code
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind, Happening
from holdfastd.plan.lock_budgets import locks_of
from holdfastd.plan.model import LockPolicy, Step
from holdfastd.target.errors import is_gone, is_raised_by_code


async def put_back(
    session: TargetSession,
    reporter: Reporter,
    plan_id: str,
    step: Step,
    batch: SavedBatch,
    *,
    choose: Callable[[], Awaitable[None]],
    keeps: bool,
) -> int:
    """Put one batch back and return how many rows. `choose` runs first in the transaction and may hold rows back.

    Rows held back stay in the backup for another time if it `keeps` them; otherwise they are done with, as the application has them.
    Refused STEP_FAILED, the batch as it was, when something rejects rows or would change them.
    """

    async def work() -> tuple[int, int]:
        await ledger.hold_fence(session)
        await choose()
        held = await session.work.fetchval(ledger.QUERIES["count_held"], batch.id)
        rows = await _put_back(session, plan_id, step, batch)
        if held and keeps:
            await session.work.execute(ledger.QUERIES["release"], batch.id)
        elif held:
            entry = await ledger.write(session, plan_id, step.number, "RESTORED")
            await session.work.execute(ledger.QUERIES["settle_held"], batch.id, entry)
        await reach("RESTORE.before_commit")
        return rows, held

    await reach("RESTORE.begun")
    try:
        rows, held = await run_locked(session, reporter, LockPolicy.SHORT, step.number, work, locks=locks_of(step.undo))
    except asyncpg.IntegrityConstraintViolationError as error:
        name = getattr(error, "constraint_name", None) or "a constraint"
        message = f"{step.title}: {name} rejects rows of backup batch {batch.id}, which stays whole. Make room, then try again."
        raise Refused(message, reason=Reason.STEP_FAILED, facts={"constraint": name}) from error
    except asyncpg.PostgresError as error:
        if not is_raised_by_code(error) or is_gone(error):
            raise
        raise stopped_by_code(step.title, error) from error
    await reach("RESTORE.committed")
    if held and not keeps:
        message = f"{step.title}: {held} value(s) were changed by others in the meantime and stay as they are now."
        happening = Happening(kind=EventKind.PROGRESS, message=message, step=step.number, relationship_id=step.relationship_id)
        await reporter.record(happening)
    return rows


async def _put_back(session: TargetSession, plan_id: str, step: Step, batch: SavedBatch) -> int:
    """Put the rows that are not held back where they were, user triggers off meanwhile."""
    if step.recipe is None:
        raise AssertionError
    work = session.work
    if not await work.fetchval(ledger.QUERIES["is_awaited"], batch.id):
        return 0
    triggers = await work.fetch(step.recipe.triggers)
    for trigger in triggers:
        await work.execute(trigger["turn_off"])
    restored = await work.fetchrow(step.recipe.restore, batch.id)
    rows: int = restored["rows"]
    await reach("RESTORE.executed")
    if restored["wrong"]:
        message = (
            f"{step.title}: {restored['wrong']} rows of backup batch {batch.id} would not come back as they were; a rule, or a generated"
            " column with another expression, interferes. The batch was undone. Remove it, then try again."
        )
        raise Refused(message, reason=Reason.STEP_FAILED)
    if triggers:
        # A table cannot be altered while its deferred checks are pending; they would come at the end anyway.
        await work.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for trigger in triggers:
        await work.execute(trigger["turn_on"])
    entry = await ledger.write(session, plan_id, step.number, "RESTORED", rows)
    await work.execute(ledger.QUERIES["mark_restored"], batch.id, entry)
    return rows
