"""Working on a queued application or rollback: open the target, run, and try again when the connection is lost.

Every step asks the catalog and the ledger what is done, so going on after a lost connection and going on after a crash are the same.
"""

import asyncio
from collections.abc import Awaitable, Callable

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import HoldfastError, Reason, Unavailable
from holdfastd.execute.apply import Application
from holdfastd.execute.roll_back import Rollback
from holdfastd.execute.session import TargetSession, open_session
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import log_failure
from holdfastd.flows.migrations import refuse_drift
from holdfastd.flows.targets import make_sure, registered_dsn
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Verification
from holdfastd.plan.model import PlanState
from holdfastd.store import audit_log, databases, plans
from holdfastd.store.model import DatabaseRecord, PlanRecord
from holdfastd.target.errors import FAILURES, translate
from holdfastd.target.identity import read_identity, session_role

_TRIES = 12
_LONGEST_PAUSE_SECONDS = 15.0

Work = Callable[[TargetSession, DatabaseRecord, PlanRecord], Awaitable[tuple[Verification, ...]]]


async def run_application(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Apply the plan of a job."""

    async def work(session: TargetSession, record: DatabaseRecord, plan: PlanRecord) -> tuple[Verification, ...]:
        identity = await read_identity(session.work)
        make_sure(record, identity)
        refuse_drift(await read_catalog(session.observer), plan.plan)
        application = Application(session=session, reporter=context, identity=identity, plan_id=plan.id, plan=plan.plan)
        return await application.run()

    return await _run(services, context, "plan.applied", PlanState.APPLIED, work)


async def run_rollback(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Undo the application of a job."""

    async def work(session: TargetSession, record: DatabaseRecord, plan: PlanRecord) -> tuple[Verification, ...]:
        make_sure(record, await read_identity(session.work))
        catalog = await read_catalog(session.observer)
        return await Rollback(session=session, reporter=context, plan_id=plan.id, plan=plan.plan, catalog=catalog).run()

    return await _run(services, context, "plan.rolled_back", PlanState.ROLLED_BACK, work)


async def _run(services: Services, context: JobContext, action: str, state: PlanState, work: Work) -> tuple[Verification, ...]:
    """Run until it ends, note the plan's new state and the outcome in the audit log."""
    job = context.job
    caller = Caller(principal=job.principal)
    async with services.store.connection() as connection:
        record, plan = await databases.get(connection, job.database), await plans.get(connection, job.plan_id)
    try:
        results = await _persist(services, context, record, plan, work)
    except HoldfastError as error:
        await log_failure(services, caller, action, error, database=record.name, subject=job.id)
        raise
    async with context.transaction() as connection:
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
    return results


async def _persist(
    services: Services, context: JobContext, record: DatabaseRecord, plan: PlanRecord, work: Work
) -> tuple[Verification, ...]:
    """Try again, in a new session, while the target comes and goes."""
    for attempt in range(1, _TRIES + 1):
        try:
            return await _attempt(services, context, record, plan, work)
        except Unavailable as error:
            if error.reason is not Reason.TARGET_UNREACHABLE or attempt == _TRIES:
                raise
            pause = min(2.0 ** (attempt - 2), _LONGEST_PAUSE_SECONDS)
            message = f"{error.message} Attempt {attempt} of {_TRIES}; next try in {pause:.1f} s."
            await context.record(Happening(kind=EventKind.RETRY, message=message))
            await asyncio.sleep(pause)
            context.raise_if_stopped()
    raise AssertionError


async def _attempt(
    services: Services, context: JobContext, record: DatabaseRecord, plan: PlanRecord, work: Work
) -> tuple[Verification, ...]:
    try:
        async with open_session(registered_dsn(services, record), context.job) as session:
            try:
                return await work(session, record, plan)
            except FAILURES as error:
                raise translate(error, role=session_role(session.work)) from error
    except FAILURES as error:
        raise translate(error, role=record.role) from error
