"""Domain enums and proto enums, matched by name. A test compares the members of both sides."""

from enum import Enum
from typing import Any, TypeVar

from holdfast.v1 import audit_service_pb2, core_pb2, export_service_pb2, impact_service_pb2, plan_service_pb2, report_service_pb2
from holdfastd.catalog.model import OnDelete, TableKind
from holdfastd.errors import InvalidField
from holdfastd.evidence.impact.model import ImpactAction
from holdfastd.evidence.model import Exactness, OrphanCause
from holdfastd.exports.model import FindingsFormat, PlanFormat
from holdfastd.findings.differences import ChangeKind
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.inference.model import Risk, Tier
from holdfastd.jobs.model import EventKind, JobKind, JobState
from holdfastd.plan.model import HazardKind, LockLevel, LockPolicy, OrphanAction, PlanState, ScriptKind, StepKind
from holdfastd.report.facts import ReportFormat

_E = TypeVar("_E", bound=Enum)

#: Domain enum -> its proto enum and the prefix of its names there.
PAIRS: dict[type[Enum], tuple[Any, str]] = {
    OnDelete: (core_pb2.OnDelete, "ON_DELETE_"),
    TableKind: (core_pb2.TableKind, "TABLE_KIND_"),
    Exactness: (core_pb2.Exactness, "EXACTNESS_"),
    OrphanCause: (core_pb2.OrphanCause, "ORPHAN_CAUSE_"),
    FindingKind: (core_pb2.FindingKind, "FINDING_KIND_"),
    Severity: (core_pb2.Severity, "SEVERITY_"),
    Risk: (core_pb2.Risk, "RISK_"),
    Tier: (core_pb2.Tier, "TIER_"),
    EventKind: (core_pb2.EventKind, "EVENT_KIND_"),
    JobKind: (core_pb2.JobKind, "JOB_KIND_"),
    JobState: (core_pb2.JobState, "JOB_STATE_"),
    HazardKind: (core_pb2.HazardKind, "HAZARD_KIND_"),
    LockLevel: (core_pb2.LockLevel, "LOCK_LEVEL_"),
    LockPolicy: (core_pb2.LockPolicy, "LOCK_POLICY_"),
    OrphanAction: (core_pb2.OrphanAction, "ORPHAN_ACTION_"),
    PlanState: (core_pb2.PlanState, "PLAN_STATE_"),
    StepKind: (core_pb2.StepKind, "STEP_KIND_"),
    ScriptKind: (plan_service_pb2.ScriptKind, "SCRIPT_KIND_"),
    ReportFormat: (report_service_pb2.ReportFormat, "REPORT_FORMAT_"),
    FindingsFormat: (export_service_pb2.FindingsFormat, "FINDINGS_FORMAT_"),
    PlanFormat: (export_service_pb2.PlanFormat, "PLAN_FORMAT_"),
    ImpactAction: (impact_service_pb2.ImpactAction, "IMPACT_ACTION_"),
    ChangeKind: (audit_service_pb2.ChangeKind, "CHANGE_KIND_"),
}

#: Members that the wire leaves unspecified.
UNSPECIFIED: frozenset[Enum] = frozenset({Risk.UNRATED, LockPolicy.NONE})


def to_proto(member: Enum) -> Any:
    """Return the proto value of a domain member."""
    if member in UNSPECIFIED:
        return 0
    wire, prefix = PAIRS[type(member)]
    return wire.Value(prefix + member.name)


def audit_state(state: JobState) -> Any:
    """Return the state of an audit: that of its job."""
    return audit_service_pb2.AuditState.Value("AUDIT_STATE_" + state.name)


def from_proto(kind: type[_E], value: int, field: str) -> _E | None:
    """Return the domain member of a proto value, None when unspecified; InvalidField for a value this version does not know."""
    if value == 0:
        return None
    wire, prefix = PAIRS[kind]
    try:
        return kind[wire.Name(value).removeprefix(prefix)]
    except ValueError:
        raise InvalidField(field, f"{value} is not a {wire.DESCRIPTOR.name}.") from None
