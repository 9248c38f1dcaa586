"""Calls of ExportService: findings and plans in the formats of other tools."""

from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from holdfast.calls.caller import Caller
from holdfast.v1 import export_service_pb2 as export_pb
from holdfast.v1.core_pb2 import SEVERITY_UNSPECIFIED, Severity
from holdfast.v1.export_service_pb2_grpc import ExportServiceStub

if TYPE_CHECKING:
    from holdfast.v1.export_service_pb2_grpc import ExportServiceAsyncStub


class ExportCalls(Caller):
    """The calls of ExportService. Both return whole files: path -> text."""

    @cached_property
    def _exports(self) -> "ExportServiceAsyncStub":
        return ExportServiceStub(self._channel)

    async def export_findings(
        self,
        database: str,
        format_: export_pb.FindingsFormat.ValueType,
        *,
        audit_id: str = "",
        minimum_severity: Severity.ValueType = SEVERITY_UNSPECIFIED,
    ) -> dict[str, str]:
        """Write the findings of an audit in another tool's format; without an id, of the latest."""
        request = export_pb.ExportFindingsRequest(database=database, audit_id=audit_id, minimum_severity=minimum_severity, format=format_)
        return await _files(self._stream(self._exports.ExportFindings, request, late="ask again"))

    async def export_plan(self, plan_id: str, format_: export_pb.PlanFormat.ValueType, *, after: str = "") -> dict[str, str]:
        """Write a plan as a migration of another tool, following another migration if there is one."""
        request = export_pb.ExportPlanRequest(id=plan_id, format=format_, after=after)
        return await _files(self._stream(self._exports.ExportPlan, request, late="ask again"))


class _Piece(Protocol):
    path: str
    text: str


async def _files(pieces: AsyncIterator[_Piece]) -> dict[str, str]:
    files: dict[str, list[str]] = {}
    async for piece in pieces:
        files.setdefault(piece.path, []).append(piece.text)
    return {path: "".join(texts) for path, texts in files.items()}
