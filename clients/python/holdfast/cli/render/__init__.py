"""Tables for people: in comes a response message, out comes something that rich prints into 80 columns."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from rich.console import RenderableType

from holdfast.cli.render import (
    audits,
    backups,
    checks,
    comparisons,
    databases,
    gate,
    history,
    impact,
    jobs,
    log,
    plans,
    schedules,
    suggestions,
    tables,
)
from holdfast.v1 import audit_log_service_pb2 as log_pb
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import backup_service_pb2 as backup_pb
from holdfast.v1 import database_service_pb2 as database_pb
from holdfast.v1 import gate_service_pb2 as gate_pb
from holdfast.v1 import impact_service_pb2 as impact_pb
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import migration_service_pb2 as migration_pb
from holdfast.v1 import plan_service_pb2 as plan_pb
from holdfast.v1 import report_service_pb2 as report_pb
from holdfast.v1 import schedule_service_pb2 as schedule_pb

Renderer = Callable[[Any], RenderableType]

#: One renderer per response; a test compares the keys with the contract.
RENDERERS: dict[type[Message], Renderer] = {
    database_pb.AddDatabaseResponse: lambda response: databases.one(response.database),
    database_pb.GetDatabaseResponse: lambda response: databases.one(response.database),
    database_pb.UpdateDatabaseResponse: lambda response: databases.one(response.database),
    database_pb.RemoveDatabaseResponse: lambda _: "Removed.",
    database_pb.ListDatabasesResponse: lambda response: databases.many(response.databases),
    database_pb.CheckDatabaseResponse: databases.checks,
    audit_pb.StartAuditResponse: lambda response: audits.one(response.audit),
    audit_pb.GetAuditResponse: lambda response: audits.one(response.audit),
    audit_pb.ListAuditsResponse: lambda response: audits.many(response.audits),
    audit_pb.ListRelationshipsResponse: lambda response: audits.relationships(response.relationships),
    audit_pb.ListTablesResponse: lambda response: tables.many(response.tables),
    audit_pb.ListFindingsResponse: lambda response: audits.findings(response.findings),
    audit_pb.SampleOrphansResponse: audits.samples,
    audit_pb.IgnoreFindingResponse: lambda response: audits.findings([response.finding] if response.HasField("finding") else []),
    audit_pb.UnignoreFindingResponse: lambda _: "Open again.",
    audit_pb.CompareAuditsResponse: comparisons.whole,
    audit_pb.ListOrphanCountsResponse: lambda response: history.of_all(response.counts),
    schedule_pb.SetScheduleResponse: lambda response: schedules.one(response.schedule),
    schedule_pb.GetScheduleResponse: lambda response: schedules.one(response.schedule),
    schedule_pb.ListSchedulesResponse: lambda response: schedules.many(response.schedules),
    schedule_pb.RemoveScheduleResponse: lambda _: "Removed.",
    plan_pb.CreatePlanResponse: lambda response: plans.one(response.plan),
    plan_pb.GetPlanResponse: lambda response: plans.one(response.plan),
    plan_pb.ApprovePlanResponse: lambda response: plans.head(response.plan),
    plan_pb.RejectPlanResponse: lambda response: plans.head(response.plan),
    plan_pb.ListPlansResponse: lambda response: plans.many(response.plans),
    plan_pb.CheckPlanResponse: checks.of_plan,
    plan_pb.RenderPlanResponse: lambda response: response.script,
    report_pb.ListSuggestionsResponse: suggestions.suggestions,
    report_pb.DrawMapResponse: suggestions.drawing,
    impact_pb.GetImpactResponse: impact.impacts,
    gate_pb.JudgeAuditResponse: gate.verdict,
    migration_pb.ApplyPlanResponse: lambda response: jobs.one(response.job),
    migration_pb.RollBackResponse: lambda response: jobs.one(response.job),
    migration_pb.RestoreRowsResponse: lambda response: jobs.one(response.job),
    backup_pb.ListBackupsResponse: lambda response: backups.many(response.backups),
    backup_pb.PurgeBackupsResponse: lambda response: backups.purged(response.backups),
    job_pb.GetJobResponse: lambda response: jobs.one(response.job),
    job_pb.CancelJobResponse: lambda response: jobs.one(response.job),
    job_pb.PauseJobResponse: lambda response: jobs.one(response.job),
    job_pb.ResumeJobResponse: lambda response: jobs.one(response.job),
    job_pb.ListJobsResponse: lambda response: jobs.many(response.jobs),
    log_pb.ListEntriesResponse: lambda response: log.entries(response.entries),
    log_pb.VerifyEntriesResponse: log.verified,
}


def render(message: Message) -> RenderableType:
    """Return the table of a response."""
    return RENDERERS[type(message)](message)
