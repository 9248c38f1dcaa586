"""What starting an application, a rollback or a restore have in common: the application that it is about, and a place in the queue."""

from collections.abc import Mapping

from holdfastd.errors import Reason, Refused
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import Deed, once
from holdfastd.jobs.model import Job, JobKind, JobOptions
from holdfastd.store import databases, jobs, plans
from holdfastd.store.documents import encode
from holdfastd.store.model import DatabaseRecord, PlanRecord

NO_OPTIONS = JobOptions()


def content_of(options: JobOptions) -> dict[str, str]:
    """Return what options add to the content of a request; nothing when none were given."""
    return {} if options == NO_OPTIONS else {"options": encode(options)}


async def ended_application(services: Services, job_id: str) -> tuple[Job, PlanRecord, DatabaseRecord]:
    """Return an application that has ended, its plan and its database. Refused JOB_STATE when it is no such job."""
    async with services.store.connection() as connection:
        application = await jobs.get(connection, job_id)
        _refuse_unfinished(application)
        _refuse_overtaken(application, await jobs.last_application(connection, application.plan_id))
        plan = await plans.get(connection, application.plan_id)
        return application, plan, await databases.get(connection, application.database)


async def enqueue(
    doing: Deed,
    caller: Caller,
    method: str,
    content: Mapping[str, str],
    *,
    kind: JobKind,
    record: DatabaseRecord,
    plan_id: str,
    options: JobOptions,
    application_id: str = "",
) -> Job:
    """Queue a job in the deed's transaction, or return the one that the same request was answered with before."""

    async def queue() -> str:
        job = await jobs.enqueue(
            doing.connection,
            kind=kind,
            database=record.name,
            database_id=record.id,
            principal=caller.principal,
            plan_id=plan_id,
            application_id=application_id,
            options=options,
        )
        return job.id

    return await jobs.get(doing.connection, await once(doing, caller, method, content, queue))


def _refuse_unfinished(application: Job) -> None:
    """Refuse JOB_STATE unless the job is an application that has ended."""
    if application.kind is not JobKind.APPLICATION:
        message = f"Job {application.id} is no application but of kind {application.kind}; name the job that applied the plan."
        raise Refused(message, reason=Reason.JOB_STATE, facts={"kind": application.kind})
    if not application.state.is_final:
        message = f"Job {application.id} is {application.state}; wait for its end or cancel it, then try again."
        raise Refused(message, reason=Reason.JOB_STATE, facts={"state": application.state})


def _refuse_overtaken(application: Job, last: str) -> None:
    """The backup and the ledger are the plan's: what is undone is its last application."""
    if application.id != last:
        message = f"Job {last} applied plan {application.plan_id} again since; name that one."
        raise Refused(message, reason=Reason.JOB_STATE, facts={"job": last})
