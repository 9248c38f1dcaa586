"""One method per rpc: in come plain arguments, out comes the response message; a failure is a HoldfastError."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError, UnaryUnaryMultiCallable

from holdfast.channel import AUDIT_HEAD, metadata
from holdfast.errors import HoldfastError
from holdfast.log_file import Anchor
from holdfast.security import Token, bearer
from holdfast.v1 import audit_log_service_pb2 as log_pb
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import backup_service_pb2 as backup_pb
from holdfast.v1 import database_service_pb2 as database_pb
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import migration_service_pb2 as migration_pb
from holdfast.v1 import plan_service_pb2 as plan_pb
from holdfast.v1 import schedule_service_pb2 as schedule_pb
from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceStub
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfast.v1.backup_service_pb2_grpc import BackupServiceStub
from holdfast.v1.core_pb2 import JOB_KIND_UNSPECIFIED, SEVERITY_UNSPECIFIED, JobKind, Severity, Throttle
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from holdfast.v1.job_service_pb2_grpc import JobServiceStub
from holdfast.v1.migration_service_pb2_grpc import MigrationServiceStub
from holdfast.v1.plan_service_pb2_grpc import PlanServiceStub
from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceStub

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Calls:
    """The unary calls of all services. Starts without a request_id get one, so that retries start nothing twice."""

    def __init__(self, channel: grpc.aio.Channel, *, server: str, principal: str, token: Token = "", timeout: float) -> None:
        """Take an open channel, the words and the token that say who is calling, and the deadline of every call in seconds."""
        #: The newest entry of the audit log that an answer told of; kept elsewhere, it proves later that nobody changed the log.
        self.audit_head: Anchor | None = None
        self._server = server
        self._principal = principal
        self._token = token
        self._timeout = timeout
        self._databases = DatabaseServiceStub(channel)
        self._audits = AuditServiceStub(channel)
        self._plans = PlanServiceStub(channel)
        self._migrations = MigrationServiceStub(channel)
        self._backups = BackupServiceStub(channel)
        self._jobs = JobServiceStub(channel)
        self._schedules = ScheduleServiceStub(channel)
        self._log = AuditLogServiceStub(channel)

    async def add_database(
        self, name: str, dsn: database_pb.DsnSource, *, settings: database_pb.DatabaseSettings | None = None
    ) -> database_pb.AddDatabaseResponse:
        """Register a database after connecting to it once; repeating the same request succeeds."""
        request = database_pb.AddDatabaseRequest(name=name, dsn=dsn, settings=settings)
        return await self._call(self._databases.AddDatabase, request)

    async def get_database(self, name: str) -> database_pb.GetDatabaseResponse:
        """Return one database."""
        return await self._call(self._databases.GetDatabase, database_pb.GetDatabaseRequest(name=name))

    async def list_databases(self, *, page_size: int = 0, page_token: str = "") -> database_pb.ListDatabasesResponse:
        """List databases by name."""
        request = database_pb.ListDatabasesRequest(page_size=page_size, page_token=page_token)
        return await self._call(self._databases.ListDatabases, request)

    async def update_database(
        self,
        name: str,
        dsn: database_pb.DsnSource | None = None,
        *,
        settings: database_pb.DatabaseSettings | None = None,
        etag: str = "",
    ) -> database_pb.UpdateDatabaseResponse:
        """Replace the DSN, or all settings, or both; with an etag, only if nobody else did since."""
        request = database_pb.UpdateDatabaseRequest(name=name, dsn=dsn, settings=settings, etag=etag)
        return await self._call(self._databases.UpdateDatabase, request)

    async def remove_database(self, name: str) -> database_pb.RemoveDatabaseResponse:
        """Forget a database with its audits and plans."""
        return await self._call(self._databases.RemoveDatabase, database_pb.RemoveDatabaseRequest(name=name))

    async def check_database(self, name: str) -> database_pb.CheckDatabaseResponse:
        """Connect and report what an audit and an application would need."""
        return await self._call(self._databases.CheckDatabase, database_pb.CheckDatabaseRequest(name=name))

    async def start_audit(
        self, database: str, *, estimate_after: timedelta | None = None, request_id: str = ""
    ) -> audit_pb.StartAuditResponse:
        """Start an audit and return at once; `Holdfast.audit` also follows it. Counts that take longer than asked are estimated."""
        request = audit_pb.StartAuditRequest(database=database, request_id=request_id or new_id())
        if estimate_after is not None:
            request.options.estimate_after.FromTimedelta(estimate_after)
        return await self._call(self._audits.StartAudit, request)

    async def get_audit(self, audit_id: str) -> audit_pb.GetAuditResponse:
        """Return one audit with its summary."""
        return await self._call(self._audits.GetAudit, audit_pb.GetAuditRequest(id=audit_id))

    async def list_audits(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> audit_pb.ListAuditsResponse:
        """List audits, newest first."""
        request = audit_pb.ListAuditsRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._audits.ListAudits, request)

    async def list_relationships(
        self, database: str, *, audit_id: str = "", page_size: int = 0, page_token: str = ""
    ) -> audit_pb.ListRelationshipsResponse:
        """List the relationships of an audit; without an id, of the latest."""
        request = audit_pb.ListRelationshipsRequest(database=database, audit_id=audit_id, page_size=page_size, page_token=page_token)
        return await self._call(self._audits.ListRelationships, request)

    async def list_findings(
        self,
        database: str,
        *,
        audit_id: str = "",
        minimum_severity: Severity.ValueType = SEVERITY_UNSPECIFIED,
        include_ignored: bool = False,
        page_size: int = 0,
        page_token: str = "",
    ) -> audit_pb.ListFindingsResponse:
        """List the findings of an audit, the worst first; without an id, of the latest. Ignored ones only when asked for."""
        request = audit_pb.ListFindingsRequest(
            database=database,
            audit_id=audit_id,
            minimum_severity=minimum_severity,
            include_ignored=include_ignored,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._audits.ListFindings, request)

    async def sample_orphans(
        self, database: str, relationship_id: str, *, limit: int = 0, columns: Sequence[str] = ()
    ) -> audit_pb.SampleOrphansResponse:
        """Read some orphan rows from the target now: their keys, and the columns asked for."""
        request = audit_pb.SampleOrphansRequest(database=database, relationship_id=relationship_id, limit=limit, columns=columns)
        return await self._call(self._audits.SampleOrphans, request)

    async def ignore_finding(
        self, database: str, finding_id: str, *, reason: str, expire_time: datetime | None = None
    ) -> audit_pb.IgnoreFindingResponse:
        """Decide to live with a finding of the latest audit, for good or until a time; doing it again replaces the decision."""
        request = audit_pb.IgnoreFindingRequest(database=database, finding_id=finding_id, reason=reason)
        if expire_time is not None:
            request.expire_time.FromDatetime(expire_time)
        return await self._call(self._audits.IgnoreFinding, request)

    async def unignore_finding(self, database: str, finding_id: str) -> audit_pb.UnignoreFindingResponse:
        """Open a finding again; succeeds when it was open."""
        return await self._call(self._audits.UnignoreFinding, audit_pb.UnignoreFindingRequest(database=database, finding_id=finding_id))

    async def compare_audits(self, database: str, *, base_audit_id: str = "", head_audit_id: str = "") -> audit_pb.CompareAuditsResponse:
        """Tell what appeared, changed and went away between two audits; without ids, between the last two that succeeded."""
        request = audit_pb.CompareAuditsRequest(database=database, base_audit_id=base_audit_id, head_audit_id=head_audit_id)
        return await self._call(self._audits.CompareAudits, request)

    async def list_orphan_counts(
        self, database: str, *, relationship_id: str = "", start_time: datetime | None = None, page_size: int = 0, page_token: str = ""
    ) -> audit_pb.ListOrphanCountsResponse:
        """List the orphan rows at every audit, newest first: of one relationship or all, since a time or ever."""
        request = audit_pb.ListOrphanCountsRequest(
            database=database, relationship_id=relationship_id, page_size=page_size, page_token=page_token
        )
        if start_time is not None:
            request.start_time.FromDatetime(start_time)
        return await self._call(self._audits.ListOrphanCounts, request)

    async def create_plan(
        self, database: str, *, audit_id: str = "", policy: plan_pb.Policy | None = None, request_id: str = ""
    ) -> plan_pb.CreatePlanResponse:
        """Make a plan from an audit; without an id, from the latest."""
        request = plan_pb.CreatePlanRequest(database=database, audit_id=audit_id, policy=policy, request_id=request_id or new_id())
        return await self._call(self._plans.CreatePlan, request)

    async def get_plan(self, plan_id: str) -> plan_pb.GetPlanResponse:
        """Return one plan."""
        return await self._call(self._plans.GetPlan, plan_pb.GetPlanRequest(id=plan_id))

    async def list_plans(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> plan_pb.ListPlansResponse:
        """List plans, newest first, without their steps."""
        request = plan_pb.ListPlansRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._plans.ListPlans, request)

    async def approve_plan(self, plan_id: str, *, fingerprint: str = "") -> plan_pb.ApprovePlanResponse:
        """Allow a plan to be applied; approving an approved plan succeeds."""
        return await self._call(self._plans.ApprovePlan, plan_pb.ApprovePlanRequest(id=plan_id, fingerprint=fingerprint))

    async def reject_plan(self, plan_id: str) -> plan_pb.RejectPlanResponse:
        """Forbid a plan to be applied; rejecting a rejected plan succeeds."""
        return await self._call(self._plans.RejectPlan, plan_pb.RejectPlanRequest(id=plan_id))

    async def check_plan(self, plan_id: str) -> plan_pb.CheckPlanResponse:
        """Report whether a plan could be applied now, and what to do first; changes nothing."""
        return await self._call(self._plans.CheckPlan, plan_pb.CheckPlanRequest(id=plan_id))

    async def render_plan(
        self, plan_id: str, kind: plan_pb.ScriptKind.ValueType = plan_pb.SCRIPT_KIND_FORWARD
    ) -> plan_pb.RenderPlanResponse:
        """Render a script for `psql -v ON_ERROR_STOP=1` that does what the service does."""
        return await self._call(self._plans.RenderPlan, plan_pb.RenderPlanRequest(id=plan_id, kind=kind))

    async def start_application(
        self, plan_id: str, *, throttle: Throttle | None = None, request_id: str = ""
    ) -> migration_pb.ApplyPlanResponse:
        """Start applying an approved plan and return at once; `Holdfast.apply` also follows it."""
        request = migration_pb.ApplyPlanRequest(plan_id=plan_id, request_id=request_id or new_id(), throttle=throttle)
        return await self._call(self._migrations.ApplyPlan, request)

    async def start_rollback(self, job_id: str, *, throttle: Throttle | None = None, request_id: str = "") -> migration_pb.RollBackResponse:
        """Start undoing an application and return at once; `Holdfast.roll_back` also follows it."""
        request = migration_pb.RollBackRequest(job_id=job_id, request_id=request_id or new_id(), throttle=throttle)
        return await self._call(self._migrations.RollBack, request)

    async def start_restore(
        self,
        job_id: str,
        *,
        relationship_ids: Sequence[str] = (),
        relink: bool = False,
        throttle: Throttle | None = None,
        request_id: str = "",
    ) -> migration_pb.RestoreRowsResponse:
        """Start putting rows of an application back while its keys stay, and return at once; `Holdfast.restore` also follows it."""
        request = migration_pb.RestoreRowsRequest(
            job_id=job_id, relationship_ids=relationship_ids, relink=relink, request_id=request_id or new_id(), throttle=throttle
        )
        return await self._call(self._migrations.RestoreRows, request)

    async def list_backups(self, database: str, *, page_size: int = 0, page_token: str = "") -> backup_pb.ListBackupsResponse:
        """List what the backup in a database holds, plan by plan, newest first."""
        request = backup_pb.ListBackupsRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._backups.ListBackups, request)

    async def purge_backups(
        self, database: str, *, plan_id: str = "", older_than: timedelta | None = None, request_id: str = ""
    ) -> backup_pb.PurgeBackupsResponse:
        """Delete backups for good, of one plan or of all; without an age, those of 30 days and older."""
        request = backup_pb.PurgeBackupsRequest(database=database, plan_id=plan_id, request_id=request_id or new_id())
        if older_than is not None:
            request.older_than.FromTimedelta(older_than)
        return await self._call(self._backups.PurgeBackups, request)

    async def get_job(self, job_id: str) -> job_pb.GetJobResponse:
        """Return one job."""
        return await self._call(self._jobs.GetJob, job_pb.GetJobRequest(id=job_id))

    async def list_jobs(
        self,
        *,
        database: str = "",
        kind: JobKind.ValueType = JOB_KIND_UNSPECIFIED,
        page_size: int = 0,
        page_token: str = "",
    ) -> job_pb.ListJobsResponse:
        """List jobs, newest first."""
        request = job_pb.ListJobsRequest(database=database, kind=kind, page_size=page_size, page_token=page_token)
        return await self._call(self._jobs.ListJobs, request)

    async def cancel_job(self, job_id: str) -> job_pb.CancelJobResponse:
        """Ask a job to stop at the next safe point; what was done stays done."""
        return await self._call(self._jobs.CancelJob, job_pb.CancelJobRequest(id=job_id))

    async def pause_job(self, job_id: str) -> job_pb.PauseJobResponse:
        """Ask a job to hold still at the next safe point, until it is resumed."""
        return await self._call(self._jobs.PauseJob, job_pb.PauseJobRequest(id=job_id))

    async def resume_job(self, job_id: str) -> job_pb.ResumeJobResponse:
        """Let a paused job go on."""
        return await self._call(self._jobs.ResumeJob, job_pb.ResumeJobRequest(id=job_id))

    async def set_schedule(self, database: str, schedule: schedule_pb.Schedule) -> schedule_pb.SetScheduleResponse:
        """Make or replace the schedule of a database; the same again moves nothing."""
        return await self._call(self._schedules.SetSchedule, schedule_pb.SetScheduleRequest(database=database, schedule=schedule))

    async def get_schedule(self, database: str) -> schedule_pb.GetScheduleResponse:
        """Return the schedule of a database, and what came of it so far."""
        return await self._call(self._schedules.GetSchedule, schedule_pb.GetScheduleRequest(database=database))

    async def list_schedules(self, *, page_size: int = 0, page_token: str = "") -> schedule_pb.ListSchedulesResponse:
        """List schedules by name of the database."""
        request = schedule_pb.ListSchedulesRequest(page_size=page_size, page_token=page_token)
        return await self._call(self._schedules.ListSchedules, request)

    async def remove_schedule(self, database: str) -> schedule_pb.RemoveScheduleResponse:
        """Remove the schedule of a database; succeeds when there is none."""
        return await self._call(self._schedules.RemoveSchedule, schedule_pb.RemoveScheduleRequest(database=database))

    async def list_entries(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> log_pb.ListEntriesResponse:
        """List the entries of the audit log, newest first."""
        request = log_pb.ListEntriesRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._log.ListEntries, request)

    async def verify_entries(self, anchors: Iterable[Anchor] = ()) -> log_pb.VerifyEntriesResponse:
        """Recompute the hashes of the whole audit log, and compare it with what was noted earlier."""
        noted = [log_pb.Anchor(sequence=anchor.sequence, hash=anchor.hash) for anchor in anchors]
        return await self._call(self._log.VerifyEntries, log_pb.VerifyEntriesRequest(anchors=noted))

    async def _call(self, method: UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        request_id = new_id()
        try:
            call = method(request, metadata=self._metadata(request_id), timeout=self._timeout)
            response = await call
            self._note_head(await call.trailing_metadata())
        except AioRpcError as error:
            self._note_head(error.trailing_metadata())
            raise HoldfastError.from_rpc(error, server=self._server, request_id=request_id) from error
        return response

    def _metadata(self, request_id: str) -> tuple[tuple[str, str], ...]:
        return metadata(self._principal, request_id, bearer(self._token))

    def _note_head(self, trailing: Iterable[tuple[str, str | bytes]] | None) -> None:
        for key, value in trailing or ():
            seen = Anchor.parse(str(value)) if key == AUDIT_HEAD else None
            # Replicas learn of each other's entries a moment later.
            if seen and (self.audit_head is None or seen.sequence > self.audit_head.sequence):
                self.audit_head = seen


def new_id() -> str:
    """Return a fresh id for a request."""
    return str(uuid.uuid4())
