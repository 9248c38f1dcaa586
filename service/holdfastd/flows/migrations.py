"""Starting applications and rollbacks: all that can be refused is refused here, before a job exists."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.obstacles import obstacles, refuse
from holdfastd.flows import jobs as flows_jobs
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import answered, deed, failure_logged
from holdfastd.flows.plans import second_person_needed
from holdfastd.flows.starting import NO_OPTIONS, content_of, ended_application, enqueue
from holdfastd.flows.targets import reading
from holdfastd.jobs.model import Job, JobKind, JobOptions
from holdfastd.plan.model import Plan, PlanState
from holdfastd.store import databases, jobs, plans
from holdfastd.store.model import DatabaseRecord, PlanRecord
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.plan import check_drift
from holdfastd.target.preflight.run import check_plan, check_server

#: What a rollback needs of the server; for the rest, the application had it.
_ROLLING_BACK = frozenset({"direct_connection", "version", "writable", "replication_role"})


async def apply(services: Services, caller: Caller, plan_id: str, options: JobOptions = NO_OPTIONS) -> Job:
    """Make all the checks of CheckPlan, then queue the application."""
    content = {"plan_id": plan_id, **content_of(options)}
    earlier = await answered(services, caller, "ApplyPlan", content)
    if earlier is not None:
        return await flows_jobs.get(services, earlier)
    async with services.store.connection() as connection:
        plan = await plans.get(connection, plan_id)
        record = await databases.get(connection, plan.database)
    async with failure_logged(services, caller, "plan.apply", database=plan.database, subject=plan_id):
        _refuse_unapproved(plan, record)
        async with reading(services, record, "preflight") as connection:
            refuse_failed(await check_plan(connection, await read_catalog(connection, with_partitions=True), plan.plan))
    async with deed(services, caller, "plan.apply", database=plan.database, subject=plan_id) as doing:
        _refuse_unapproved(await plans.get(doing.connection, plan_id, lock=True), await databases.get(doing.connection, plan.database))
        kind = JobKind.APPLICATION
        job = await enqueue(doing, caller, "ApplyPlan", content, kind=kind, record=record, plan_id=plan_id, options=options)
        doing.details = {"job": job.id, "fingerprint": plan.plan.fingerprint}
        return job


def _refuse_unapproved(plan: PlanRecord, record: DatabaseRecord) -> None:
    if plan.state is not PlanState.APPROVED:
        message = f"Plan {plan.id} is {plan.state}, not APPROVED; approve it with `holdfast plans approve {plan.id}`."
        if plan.state in (PlanState.APPLIED, PlanState.REJECTED):
            message = f"Plan {plan.id} is {plan.state}; make a new plan."
        raise Refused(message, reason=Reason.PLAN_STATE, facts={"state": plan.state})
    # Asked again, because it may be asked of the database since the approval. Who applies does not count: the decision was the approval.
    if record.settings.four_eyes and plan.reviewer == plan.author:
        raise second_person_needed(plan)


def refuse_drift(catalog: Catalog, plan: Plan) -> None:
    """Refuse PLAN_DRIFTED, naming what changed in the catalog since the plan was made. What the plan itself made is no drift."""
    refuse_failed([check_drift(catalog, plan)])


def refuse_failed(checks: Sequence[Check]) -> None:
    """Refuse the first check that is in the way, with its cure; warnings are not."""
    for item in checks:
        if item.is_in_the_way and item.reason is not None:
            raise Refused(f"{item.message} {item.cure}", reason=item.reason, facts=item.facts)


async def roll_back(services: Services, caller: Caller, job_id: str, options: JobOptions = NO_OPTIONS) -> Job:
    """Make sure that undoing an application can be exact, then queue the rollback."""
    content = {"job_id": job_id, **content_of(options)}
    earlier = await answered(services, caller, "RollBack", content)
    if earlier is not None:
        return await flows_jobs.get(services, earlier)
    application, plan, record = await ended_application(services, job_id)
    async with services.store.connection() as connection:
        later = [(job, await plans.get(connection, other)) for job, other in await jobs.later_applications(connection, application)]
    async with failure_logged(services, caller, "plan.roll_back", database=record.name, subject=plan.id):
        _refuse_built_upon(plan, later)
        await _refuse_inexact(services, record, plan, application)
    async with deed(services, caller, "plan.roll_back", database=record.name, subject=plan.id) as doing:
        rollback = await enqueue(
            doing,
            caller,
            "RollBack",
            content,
            kind=JobKind.ROLLBACK,
            record=record,
            plan_id=plan.id,
            options=options,
            application_id=application.id,
        )
        doing.details = {"job": rollback.id, "application": application.id}
        return rollback


def _refuse_built_upon(plan: PlanRecord, later: Sequence[tuple[str, PlanRecord]]) -> None:
    """What a later plan made of the same relationships would be undone along with this one, and its own rollback be wrong."""
    ours = _included(plan)
    for job, other in later:
        shared = sorted(ours & _included(other))
        if shared:
            message = f"Job {job} applied plan {other.id} to {shared[0]} since; roll that one back first."
            raise Refused(message, reason=Reason.JOB_STATE, facts={"job": job})


def _included(plan: PlanRecord) -> frozenset[str]:
    return frozenset(decision.relationship_id for decision in plan.plan.decisions if decision.included)


async def _refuse_inexact(services: Services, record: DatabaseRecord, plan: PlanRecord, application: Job) -> None:
    async with reading(services, record, "preflight") as connection:
        refuse_failed([item for item in await check_server(connection) if item.id in _ROLLING_BACK])
        if not application.progress.done and not await ledger.exists(connection):
            message = f"Job {application.id} ended before it changed anything; there is nothing to roll back."
            raise Refused(message, reason=Reason.JOB_STATE, facts={"state": application.state})
        found = await obstacles(connection, await read_catalog(connection, with_partitions=True), plan.id, plan.plan)
        if found:
            raise refuse(found)
