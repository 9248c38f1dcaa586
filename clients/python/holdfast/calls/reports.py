"""Calls of ReportService: the report, the relationship map, what to do first."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import report_service_pb2 as report_pb
from holdfast.v1.report_service_pb2_grpc import ReportServiceStub

if TYPE_CHECKING:
    from holdfast.v1.report_service_pb2_grpc import ReportServiceAsyncStub


class ReportCalls(Caller):
    """The calls of ReportService."""

    @cached_property
    def _reports(self) -> "ReportServiceAsyncStub":
        return ReportServiceStub(self._channel)

    async def render_report(
        self,
        database: str,
        *,
        audit_id: str = "",
        plan_id: str = "",
        format_: report_pb.ReportFormat.ValueType = report_pb.REPORT_FORMAT_MARKDOWN,
    ) -> str:
        """Write the report of an audit; without an id, of the latest. Returns the whole file."""
        request = report_pb.RenderReportRequest(database=database, audit_id=audit_id, plan_id=plan_id, format=format_)
        pieces = self._stream(self._reports.RenderReport, request, late="ask again")
        return "".join([piece.text async for piece in pieces])

    async def draw_map(self, database: str, *, audit_id: str = "", include_review: bool = False) -> report_pb.DrawMapResponse:
        """Draw the relationship map of an audit as SVG; without an id, of the latest."""
        request = report_pb.DrawMapRequest(database=database, audit_id=audit_id, include_review=include_review)
        return await self._call(self._reports.DrawMap, request)

    async def list_suggestions(self, database: str, *, audit_id: str = "") -> report_pb.ListSuggestionsResponse:
        """List what to do about an audit, the most urgent first; without an id, about the latest."""
        return await self._call(self._reports.ListSuggestions, report_pb.ListSuggestionsRequest(database=database, audit_id=audit_id))
