"""Calls of GateService: judging audits."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import gate_service_pb2 as gate_pb
from holdfast.v1.core_pb2 import SEVERITY_UNSPECIFIED, Severity
from holdfast.v1.gate_service_pb2_grpc import GateServiceStub

if TYPE_CHECKING:
    from holdfast.v1.gate_service_pb2_grpc import GateServiceAsyncStub


class GateCalls(Caller):
    """The calls of GateService."""

    @cached_property
    def _gate(self) -> "GateServiceAsyncStub":
        return GateServiceStub(self._channel)

    async def judge_audit(
        self,
        database: str,
        *,
        audit_id: str = "",
        baseline: gate_pb.Baseline | None = None,
        minimum_severity: Severity.ValueType = SEVERITY_UNSPECIFIED,
        max_new_orphans: int = 0,
    ) -> gate_pb.JudgeAuditResponse:
        """Judge an audit, without an id the latest, against what was known; without a baseline everything is new."""
        request = gate_pb.JudgeAuditRequest(
            database=database,
            audit_id=audit_id,
            baseline=baseline,
            minimum_severity=minimum_severity,
            max_new_orphans=max_new_orphans,
        )
        return await self._call(self._gate.JudgeAudit, request)
