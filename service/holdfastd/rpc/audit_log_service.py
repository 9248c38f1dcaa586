"""AuditLogService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from collections.abc import AsyncIterator

from holdfast.v1 import audit_log_service_pb2 as pb
from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceServicer
from holdfastd.flows import audit_log
from holdfastd.flows.context import Services
from holdfastd.rpc import encode_record, fields
from holdfastd.rpc.interceptor import Context


class AuditLogService(AuditLogServiceServicer):
    """Reads the audit log."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def ListEntries(self, request: pb.ListEntriesRequest, _: Context) -> pb.ListEntriesResponse:
        """List entries, newest first."""
        database = fields.database_filter(request.database)
        page = fields.page(request.page_size, request.page_token, "ListEntries", database, parts=("number",))
        found = await audit_log.list_page(self._services, database, page.position, page.limit)
        entries, token = page.cut(found, lambda item: (str(item.sequence),))
        return pb.ListEntriesResponse(entries=map(encode_record.log_entry, entries), next_page_token=token)

    async def VerifyEntries(self, _request: pb.VerifyEntriesRequest, _: Context) -> pb.VerifyEntriesResponse:
        """Recompute the hashes of the whole log."""
        verdict = await audit_log.verify(self._services)
        return pb.VerifyEntriesResponse(
            intact=verdict.intact,
            entries=verdict.entries,
            first_broken_sequence=verdict.first_broken_sequence,
            head_hash=verdict.head_hash,
        )

    def ExportEntries(self, request: pb.ExportEntriesRequest, _: Context) -> AsyncIterator[pb.ExportEntriesResponse]:
        """Send the whole log, oldest first."""
        raise NotImplementedError
