"""ExportService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from collections.abc import AsyncIterator
from enum import Enum
from typing import TypeVar

from holdfast.v1 import export_service_pb2 as pb
from holdfast.v1.export_service_pb2_grpc import ExportServiceServicer
from holdfastd.errors import InvalidField
from holdfastd.exports.model import FindingsFormat, PlanFormat
from holdfastd.findings.model import Severity
from holdfastd.flows import reports
from holdfastd.flows.context import Services
from holdfastd.rpc import fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context
from holdfastd.rpc.pieces import pieces

_F = TypeVar("_F", bound=Enum)


class ExportService(ExportServiceServicer):
    """Writes files in the formats that other tools read."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def ExportFindings(self, request: pb.ExportFindingsRequest, _: Context) -> AsyncIterator[pb.ExportFindingsResponse]:
        """Write the findings of an audit."""
        audit_id = fields.optional_identifier(request.audit_id, "audit_id")
        database = fields.database_filter(request.database) if audit_id else fields.database_name(request.database)
        severity = from_proto(Severity, request.minimum_severity, "minimum_severity") or Severity.INFO
        format_ = _format(FindingsFormat, request.format)
        for path, text in (await reports.findings(self._services, database, audit_id, format_, severity)).items():
            for piece in pieces(text):
                yield pb.ExportFindingsResponse(path=path, text=piece)

    async def ExportPlan(self, request: pb.ExportPlanRequest, _: Context) -> AsyncIterator[pb.ExportPlanResponse]:
        """Write a plan as a migration of another tool."""
        plan_id = fields.identifier(request.id, "id")
        after = fields.text(request.after, "after", max_bytes=_MAX_AFTER_BYTES)
        format_ = _format(PlanFormat, request.format)
        for path, text in (await reports.plan(self._services, plan_id, format_, after)).items():
            for piece in pieces(text):
                yield pb.ExportPlanResponse(path=path, text=piece)


_MAX_AFTER_BYTES = 200


def _format(kind: type[_F], value: int) -> _F:
    found = from_proto(kind, value, "format")
    if found is None:
        names = ", ".join(member.name for member in kind)
        raise InvalidField("format", f"format is not given; choose one of {names}.")
    return found
