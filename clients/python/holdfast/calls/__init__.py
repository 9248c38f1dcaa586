"""One method per rpc, one file per service: in come plain arguments, out comes the response message; a failure is a HoldfastError."""

from holdfast.calls.audit_log import AuditLogCalls
from holdfast.calls.audits import AuditCalls
from holdfast.calls.backups import BackupCalls
from holdfast.calls.databases import DatabaseCalls
from holdfast.calls.exports import ExportCalls
from holdfast.calls.gate import GateCalls
from holdfast.calls.impact import ImpactCalls
from holdfast.calls.jobs import JobCalls
from holdfast.calls.migrations import MigrationCalls
from holdfast.calls.plans import PlanCalls
from holdfast.calls.reports import ReportCalls
from holdfast.calls.schedules import ScheduleCalls


class Calls(
    DatabaseCalls,
    AuditCalls,
    ReportCalls,
    PlanCalls,
    ExportCalls,
    GateCalls,
    ImpactCalls,
    MigrationCalls,
    BackupCalls,
    JobCalls,
    ScheduleCalls,
    AuditLogCalls,
):
    """The calls of all services. Starts without a request_id get one, so that retries start nothing twice."""
