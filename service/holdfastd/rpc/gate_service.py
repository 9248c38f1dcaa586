"""GateService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import gate_service_pb2 as pb
from holdfast.v1.gate_service_pb2_grpc import GateServiceServicer
from holdfastd.errors import InvalidField
from holdfastd.findings.gate import Baseline
from holdfastd.findings.model import Severity
from holdfastd.flows import gate
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, encode, fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context

_MOST_ENTRIES = 100_000


class GateService(GateServiceServicer):
    """Judges audits."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def JudgeAudit(self, request: pb.JudgeAuditRequest, _: Context) -> pb.JudgeAuditResponse:
        """Judge an audit against a baseline."""
        audit_id = fields.optional_identifier(request.audit_id, "audit_id")
        database = fields.database_filter(request.database) if audit_id else fields.database_name(request.database)
        severity = from_proto(Severity, request.minimum_severity, "minimum_severity") or Severity.WARN
        if request.max_new_orphans < 0:
            raise InvalidField("max_new_orphans", "max_new_orphans is negative; 0 lets none pass.")
        baseline = _baseline(request.baseline)
        audit, verdict = await gate.get(
            self._services, database, audit_id, baseline, minimum_severity=severity, max_new_orphans=request.max_new_orphans
        )
        current = pb.Baseline(
            audit_id=audit.id,
            time=encode.timestamp(audit.end_time),
            finding_ids=sorted(verdict.current.finding_ids),
            orphan_rows=[pb.KnownOrphans(relationship_id=id_, rows=rows) for id_, rows in verdict.current.orphan_rows.items()],
        )
        return pb.JudgeAuditResponse(
            passed=verdict.passed,
            new_findings=map(encode.finding, verdict.new_findings),
            more_orphans=[
                pb.MoreOrphans(relationship_id=each.relationship_id, base=each.base, head=each.head) for each in verdict.more_orphans
            ],
            new_orphan_rows=verdict.new_orphan_rows,
            gone_finding_ids=verdict.gone_finding_ids,
            current=current,
            audit_id=audit.id,
        )


def _baseline(message: pb.Baseline) -> Baseline:
    if max(len(message.finding_ids), len(message.orphan_rows)) > _MOST_ENTRIES:
        raise InvalidField("baseline", f"baseline has more than {_MOST_ENTRIES} entries.")
    for position, finding_id in enumerate(message.finding_ids):
        fields.required(finding_id, f"baseline.finding_ids[{position}]", max_bytes=decode.MAX_FINDING_ID_BYTES)
    for position, known in enumerate(message.orphan_rows):
        path = f"baseline.orphan_rows[{position}]"
        fields.required(known.relationship_id, f"{path}.relationship_id", max_bytes=decode.MAX_FINDING_ID_BYTES)
        if known.rows < 0:
            raise InvalidField(f"{path}.rows", f"{path}.rows is negative.")
    known_rows = {known.relationship_id: known.rows for known in message.orphan_rows}
    return Baseline(finding_ids=frozenset(message.finding_ids), orphan_rows=known_rows)
