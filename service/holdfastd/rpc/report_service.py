"""ReportService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from collections.abc import AsyncIterator

from holdfast.v1 import report_service_pb2 as pb
from holdfast.v1.report_service_pb2_grpc import ReportServiceServicer
from holdfastd.flows import reports
from holdfastd.flows.context import Services
from holdfastd.report.facts import ReportFormat
from holdfastd.rpc import fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context
from holdfastd.rpc.pieces import pieces


class ReportService(ReportServiceServicer):
    """Writes the report, draws the relationship map, and says what to do first."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def RenderReport(self, request: pb.RenderReportRequest, _: Context) -> AsyncIterator[pb.RenderReportResponse]:
        """Write the report of an audit."""
        is_named = request.audit_id or request.plan_id
        database = fields.database_filter(request.database) if is_named else fields.database_name(request.database)
        audit_id = fields.optional_identifier(request.audit_id, "audit_id")
        plan_id = fields.optional_identifier(request.plan_id, "plan_id")
        format_ = from_proto(ReportFormat, request.format, "format") or ReportFormat.MARKDOWN
        for text in pieces(await reports.report(self._services, database, audit_id, plan_id, format_)):
            yield pb.RenderReportResponse(text=text)

    async def DrawMap(self, request: pb.DrawMapRequest, _: Context) -> pb.DrawMapResponse:
        """Draw the relationship map of an audit."""
        audit_id = fields.optional_identifier(request.audit_id, "audit_id")
        database = fields.database_filter(request.database) if audit_id else fields.database_name(request.database)
        audit, drawing = await reports.relationship_map(self._services, database, audit_id, include_review=request.include_review)
        return pb.DrawMapResponse(svg=drawing.svg, audit_id=audit.id, omitted_tables=drawing.omitted_tables)

    async def ListSuggestions(self, request: pb.ListSuggestionsRequest, _: Context) -> pb.ListSuggestionsResponse:
        """List what to do about an audit."""
        audit_id = fields.optional_identifier(request.audit_id, "audit_id")
        database = fields.database_filter(request.database) if audit_id else fields.database_name(request.database)
        audit, found, findings = await reports.suggestions(self._services, database, audit_id)
        suggestions = [pb.Suggestion(text=item.text, command=item.command) for item in found]
        return pb.ListSuggestionsResponse(suggestions=suggestions, findings=findings, audit_id=audit.id)
