"""AuditService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import audit_service_pb2 as pb
from holdfast.v1.audit_service_pb2_grpc import AuditServiceServicer
from holdfastd.findings.model import Severity
from holdfastd.flows import audits, comparisons, ignoring, orphan_counts
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, decode_intent, decode_schedule, encode, encode_record, encode_schedule, encode_table, fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context


class AuditService(AuditServiceServicer):
    """Starts audits and returns what they found."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def StartAudit(self, request: pb.StartAuditRequest, _: Context) -> pb.StartAuditResponse:
        """Start an audit."""
        caller = decode.caller(request.request_id)
        database = fields.database_name(request.database)
        record, job = await audits.start(self._services, caller, database, decode_intent.audit_options(request.options))
        return pb.StartAuditResponse(audit=encode_record.audit(record), job=encode.job(job))

    async def GetAudit(self, request: pb.GetAuditRequest, _: Context) -> pb.GetAuditResponse:
        """Return one audit."""
        record = await audits.get(self._services, fields.identifier(request.id, "id"))
        return pb.GetAuditResponse(audit=encode_record.audit(record))

    async def ListAudits(self, request: pb.ListAuditsRequest, _: Context) -> pb.ListAuditsResponse:
        """List audits, newest first."""
        database = fields.database_filter(request.database)
        page = fields.page(request.page_size, request.page_token, "ListAudits", database)
        found = await audits.list_page(self._services, database, page.after, page.limit, decode.caller().visible)
        records, token = page.cut(found, lambda item: (item.id,))
        return pb.ListAuditsResponse(audits=map(encode_record.audit, records), next_page_token=token)

    async def ListRelationships(self, request: pb.ListRelationshipsRequest, _: Context) -> pb.ListRelationshipsResponse:
        """List the relationships of an audit. Later pages stay with the audit of the first."""
        database = fields.database_filter(request.database) if request.audit_id else fields.database_name(request.database)
        audit_id, page = decode.audit_page(request, "ListRelationships")
        record, found = await audits.relationships_page(self._services, database, audit_id, page.position, page.limit)
        items, token = page.cut(found, lambda item: (record.id, str(item[0])))
        relationships = [encode.relationship(relationship) for _, relationship in items]
        return pb.ListRelationshipsResponse(relationships=relationships, next_page_token=token, audit_id=record.id)

    async def ListTables(self, request: pb.ListTablesRequest, _: Context) -> pb.ListTablesResponse:
        """List the tables that an audit saw. Later pages stay with the audit of the first."""
        database = fields.database_filter(request.database) if request.audit_id else fields.database_name(request.database)
        audit_id, page = decode.audit_page(request, "ListTables")
        record, found = await audits.tables_page(self._services, database, audit_id, page.position, page.limit)
        items, token = page.cut(found, lambda item: (record.id, str(item[0])))
        return pb.ListTablesResponse(tables=[encode_table.table(item) for _, item in items], next_page_token=token, audit_id=record.id)

    async def ListFindings(self, request: pb.ListFindingsRequest, _: Context) -> pb.ListFindingsResponse:
        """List the findings of an audit, the worst first. Later pages stay with the audit of the first."""
        database = fields.database_filter(request.database) if request.audit_id else fields.database_name(request.database)
        severity = from_proto(Severity, request.minimum_severity, "minimum_severity")
        audit_id, page = decode.audit_page(request, "ListFindings", severity, request.include_ignored)
        record, found = await audits.findings_page(
            self._services, database, audit_id, severity, page.position, page.limit, include_ignored=request.include_ignored
        )
        items, token = page.cut(found, lambda item: (record.id, str(item[0])))
        findings = [encode.finding(finding, ignored) for _, finding, ignored in items]
        return pb.ListFindingsResponse(findings=findings, next_page_token=token, audit_id=record.id)

    async def SampleOrphans(self, request: pb.SampleOrphansRequest, _: Context) -> pb.SampleOrphansResponse:
        """Read some orphan rows of a relationship from the target now."""
        database = fields.database_name(request.database)
        relationship_id = fields.required(request.relationship_id, "relationship_id")
        limit, columns = decode.sample_limit(request.limit), fields.column_names(request.columns, "columns")
        samples = await audits.sample_orphans(
            self._services, decode.caller(), database, relationship_id, limit, columns, masked=request.masked
        )
        return encode_record.orphan_samples(samples)

    async def IgnoreFinding(self, request: pb.IgnoreFindingRequest, _: Context) -> pb.IgnoreFindingResponse:
        """Mark a finding as one to live with."""
        database = fields.database_name(request.database)
        finding_id = fields.required(request.finding_id, "finding_id", max_bytes=decode.MAX_FINDING_ID_BYTES)
        reason, expire_time = decode.reason(request.reason), decode.expire_time(request)
        finding, ignored = await ignoring.ignore(self._services, decode.caller(), database, finding_id, reason, expire_time)
        return pb.IgnoreFindingResponse(finding=encode.finding(finding, ignored))

    async def UnignoreFinding(self, request: pb.UnignoreFindingRequest, _: Context) -> pb.UnignoreFindingResponse:
        """Take the mark away."""
        database = fields.database_name(request.database)
        finding_id = fields.required(request.finding_id, "finding_id", max_bytes=decode.MAX_FINDING_ID_BYTES)
        await ignoring.unignore(self._services, decode.caller(), database, finding_id)
        return pb.UnignoreFindingResponse()

    async def CompareAudits(self, request: pb.CompareAuditsRequest, _: Context) -> pb.CompareAuditsResponse:
        """Tell what differs between two audits."""
        database = fields.database_name(request.database)
        base = fields.optional_identifier(request.base_audit_id, "base_audit_id")
        head = fields.optional_identifier(request.head_audit_id, "head_audit_id")
        return encode_schedule.comparison(await comparisons.compare(self._services, database, base, head))

    async def ListOrphanCounts(self, request: pb.ListOrphanCountsRequest, _: Context) -> pb.ListOrphanCountsResponse:
        """List the orphan rows of every audit."""
        database = fields.database_name(request.database)
        relationship_id = fields.text(request.relationship_id, "relationship_id", max_bytes=decode.MAX_FINDING_ID_BYTES)
        after, page = decode_schedule.history_page(request)
        found = await orphan_counts.list_page(self._services, database, relationship_id, decode_schedule.since(request), after, page.limit)
        counts, token = page.cut(found, lambda item: decode_schedule.history_cursor(item.time, item.audit_number, item.relationship_number))
        return pb.ListOrphanCountsResponse(counts=map(encode_schedule.orphan_count, counts), next_page_token=token)
