"""Calls of AuditLogService: who did what, when."""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.log_file import Anchor
from holdfast.v1 import audit_log_service_pb2 as log_pb
from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceStub

if TYPE_CHECKING:
    from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceAsyncStub


class AuditLogCalls(Caller):
    """The calls of AuditLogService."""

    @cached_property
    def _log(self) -> "AuditLogServiceAsyncStub":
        return AuditLogServiceStub(self._channel)

    async def list_entries(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> log_pb.ListEntriesResponse:
        """List the entries of the audit log, newest first."""
        request = log_pb.ListEntriesRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._log.ListEntries, request)

    async def verify_entries(self, anchors: Iterable[Anchor] = ()) -> log_pb.VerifyEntriesResponse:
        """Recompute the hashes of the whole audit log, and compare it with what was noted earlier."""
        noted = [log_pb.Anchor(sequence=anchor.sequence, hash=anchor.hash) for anchor in anchors]
        return await self._call(self._log.VerifyEntries, log_pb.VerifyEntriesRequest(anchors=noted))
