"""Working on a queued application, rollback or restore: open the target, run, and try again when the connection is lost.

Every step asks the catalog and the ledger what is done, so going on after a lost connection and going on after a crash are the same.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Cancelled, HoldfastError, Reason, Unavailable
from holdfastd.execute.apply import Application
from holdfastd.execute.explain import explain, unexplained
from holdfastd.execute.failpoints import reach
from holdfastd.execute.gate import Gate, wait_while_paused
from holdfastd.execute.restore import Restore
from holdfastd.execute.roll_back import Rollback
from holdfastd.execute.session import TargetSession, open_session
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import failure_logged
from holdfastd.flows.migrations import refuse_drift
from holdfastd.flows.targets import make_sure, registered_dsn
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.plan.model import PlanState
from holdfastd.store import audit_log, databases, plans
from holdfastd.store.model import DatabaseRecord, PlanRecord
from holdfastd.target.errors import FAILURES, translate, translate_step
from holdfastd.target.identity import read_identity, session_role

_TRIES = 12
#: Then another replica may try, from where it is.
_TRIES_IN_A_ROW = 4
_STAYS_AWAY_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 15.0

Work = Callable[[TargetSession, DatabaseRecord, PlanRecord], Awaitable[tuple[Verification, ...]]]


async def run_application(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Apply the plan of a job."""

    async def work(session: TargetSession, record: DatabaseRecord, plan: PlanRecord) -> tuple[Verification, ...]:
        identity = await read_identity(session.work)
        make_sure(record, identity)
        refuse_drift(await read_catalog(session.observer, with_partitions=True), plan.plan)
        gate = gate_of(context, session)
        application = Application(session=session, reporter=context, gate=gate, identity=identity, plan_id=plan.id, plan=plan.plan)
        return await application.run()

    return await _run(services, context, "plan.applied", PlanState.APPLIED, work)


async def run_rollback(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Undo the application of a job."""

    async def work(session: TargetSession, record: DatabaseRecord, plan: PlanRecord) -> tuple[Verification, ...]:
        make_sure(record, await read_identity(session.work))
        catalog, gate = await read_catalog(session.observer, with_partitions=True), gate_of(context, session)
        return await Rollback(session=session, reporter=context, gate=gate, plan_id=plan.id, plan=plan.plan, catalog=catalog).run()

    return await _run(services, context, "plan.rolled_back", PlanState.ROLLED_BACK, work)


async def run_restore(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Put rows of the application of a job back; the plan stays as it is."""

    async def work(session: TargetSession, record: DatabaseRecord, plan: PlanRecord) -> tuple[Verification, ...]:
        make_sure(record, await read_identity(session.work))
        restore = Restore(
            session=session,
            reporter=context,
            gate=gate_of(context, session),
            plan_id=plan.id,
            plan=plan.plan,
            catalog=await read_catalog(session.observer, with_partitions=True),
            options=context.job.options,
        )
        return await restore.run()

    return await _run(services, context, "plan.restored", None, work)


def gate_of(context: JobContext, session: TargetSession) -> Gate:
    """Return the gate of a job in a session."""
    return Gate(session=session, reporter=context, throttle=context.job.options.throttle)


async def _run(services: Services, context: JobContext, action: str, state: PlanState | None, work: Work) -> tuple[Verification, ...]:
    """Run until it ends, note the plan's new state, if it has one, and the outcome in the audit log."""
    job = context.job
    caller = Caller(principal=job.principal)
    async with services.store.connection() as connection:
        record, plan = await databases.get(connection, job.database), await plans.get(connection, job.plan_id)
    async with failure_logged(services, caller, action, database=record.name, subject=job.id):
        results = await _persist(services, context, record, plan, work)
    await reach("OUTCOME.before_note")
    async with context.transaction() as connection:
        if state is not None:
            await plans.set_state(connection, plan.id, state)
        rows = str(sum(result.backed_up_rows for result in results))
        await audit_log.append(
            connection,
            principal=caller.principal,
            action=action,
            database=record.name,
            subject=job.id,
            details={"plan": plan.id, "backed_up_rows": rows},
        )
    await reach("OUTCOME.noted")
    return results


async def _persist(
    services: Services, context: JobContext, record: DatabaseRecord, plan: PlanRecord, work: Work
) -> tuple[Verification, ...]:
    """Try again, in a new session, while the target comes and goes; a try that got done what lasts gives the job all tries again.

    After some tries the job goes to another replica, if there is one; the tries of all count together. Who cancels meanwhile has to wait
    for one more try, to learn more.
    """
    attempt, reached = context.job.passed_on * _TRIES_IN_A_ROW, context.lasting
    while True:
        was_cancelled = context.is_cancelled
        attempt = attempt + 1 if context.lasting == reached else 1
        reached = context.lasting
        try:
            return await _attempt(services, context, record, plan, work)
        except Unavailable as error:
            if error.reason is not Reason.TARGET_UNREACHABLE:
                raise
            if attempt >= _TRIES or was_cancelled:
                raise unexplained(Cancelled() if was_cancelled else error, context.job) from error
            await _wait_for_next(context, error, attempt)


async def _wait_for_next(context: JobContext, error: Unavailable, attempt: int) -> None:
    """Say what is tried next, and wait for it; or leave that to another replica, which LeaseLost tells."""
    pause = min(2.0 ** (attempt - 2), _LONGEST_PAUSE_SECONDS)
    is_passed_on = attempt % _TRIES_IN_A_ROW == 0 and not context.paused_by
    if is_passed_on:
        pause = max(pause, _STAYS_AWAY_SECONDS)
    who = "another replica may try at once, this one" if is_passed_on else "next try"
    message = f"{error.message} Attempt {attempt} of {_TRIES}; {who} in {pause:.1f} s."
    await context.record(Happening(kind=EventKind.RETRY, message=message))
    if is_passed_on:
        context.pass_on(timedelta(seconds=pause))
    with suppress(Cancelled):
        await _wait(context, pause)


async def _wait(context: JobContext, seconds: float) -> None:
    """Wait before the next try, and as long as somebody wants the job to pause: then the target may be away on purpose."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.raise_if_stopped()
        await context.heard(within=left)
    await wait_while_paused(context)
    context.raise_if_stopped()


async def _attempt(
    services: Services, context: JobContext, record: DatabaseRecord, plan: PlanRecord, work: Work
) -> tuple[Verification, ...]:
    try:
        async with open_session(registered_dsn(services, record), context.job, tells_queries=services.tells_queries) as session:
            try:
                context.raise_if_stopped()
                return await work(session, record, plan)
            except FAILURES as error:
                raise await _explained(translate_step(error, role=session_role(session.work)), context, session, plan) from error
            except HoldfastError as error:
                raise await _explained(error, context, session, plan) from error.__cause__
    except FAILURES as error:
        raise translate(error, role=record.role) from error


async def _explained(error: HoldfastError, context: JobContext, session: TargetSession, plan: PlanRecord) -> HoldfastError:
    """Return the error with what is in force now, unless work goes on in another session."""
    if error.reason is Reason.TARGET_UNREACHABLE:
        return error
    return await explain(error, session.observer, context.job, context.progress or Progress(), plan.plan)
