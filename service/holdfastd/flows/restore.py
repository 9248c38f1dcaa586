"""Starting restores: rows come back while keys stay. All that can be refused is refused here, before a job exists."""

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import NotFound, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.outlook import look, refuse_outlook
from holdfastd.execute.restore import chosen
from holdfastd.flows import jobs as flows_jobs
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import answered, deed, failure_logged
from holdfastd.flows.starting import content_of, ended_application, enqueue
from holdfastd.flows.targets import reading, refuse_busy
from holdfastd.jobs.model import Job, JobKind, JobOptions
from holdfastd.store.model import DatabaseRecord, PlanRecord


async def restore(services: Services, caller: Caller, job_id: str, options: JobOptions) -> Job:
    """Make sure that the rows of an application can come back, then queue the restore."""
    content = {"job_id": job_id, **content_of(options)}
    earlier = await answered(services, caller, "RestoreRows", content)
    if earlier is not None:
        return await flows_jobs.get(services, earlier)
    application, plan, record = await ended_application(services, job_id)
    async with failure_logged(services, caller, "plan.restore", database=record.name, subject=plan.id):
        _refuse_unknown(plan, options)
        await refuse_busy(services, record)
        await _refuse_unrestorable(services, record, plan, options)
    async with deed(services, caller, "plan.restore", database=record.name, subject=plan.id) as doing:
        job = await enqueue(
            doing,
            caller,
            "RestoreRows",
            content,
            kind=JobKind.RESTORE,
            record=record,
            plan_id=plan.id,
            options=options,
            application_id=application.id,
        )
        doing.details = {"job": job.id, "application": application.id, "relink": str(options.relink).lower()}
        return job


def _refuse_unknown(plan: PlanRecord, options: JobOptions) -> None:
    known = {decision.relationship_id for decision in plan.plan.decisions}
    for relationship_id in options.relationship_ids:
        if relationship_id not in known:
            message = f"Plan {plan.id} has no relationship {relationship_id}; `holdfast plans show {plan.id}` lists them."
            raise NotFound(message, reason=Reason.RELATIONSHIP_NOT_FOUND, facts={"relationship_id": relationship_id})


async def _refuse_unrestorable(services: Services, record: DatabaseRecord, plan: PlanRecord, options: JobOptions) -> None:
    steps = chosen(plan.plan, options.relationship_ids)
    async with reading(services, record, "preflight") as connection:
        if not steps or not await ledger.exists(connection):
            raise _nothing_saved(plan)
        await ledger.refuse_purged(connection, plan.id, [step.number for step in steps])
        catalog = await read_catalog(connection, with_partitions=True)
        outlook = await look(connection, catalog, plan.id, plan.plan, steps, relink=options.relink)
        if not outlook.rows:
            raise _nothing_saved(plan)
        refuse_outlook(outlook, relink=options.relink)
        if not outlook.relinkable:
            message = (
                f"None of the {outlook.rows} rows can be linked again: what they reference is still gone, or their values were changed"
                " since. Nothing was touched."
            )
            raise Refused(message, reason=Reason.RESTORE_REJECTED, facts={"rejected": str(outlook.rejected), "relinkable": "0"})


def _nothing_saved(plan: PlanRecord) -> Refused:
    message = f"The backup holds no row of this to put back: plan {plan.id} took none away, or they are back already."
    return Refused(message, reason=Reason.BACKUP_GONE, facts={"plan_id": plan.id})
