"""AuditLogService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

import re
from collections.abc import AsyncIterator
from contextlib import aclosing

from holdfast.v1 import audit_log_service_pb2 as pb
from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceServicer
from holdfastd.errors import InvalidField
from holdfastd.flows import audit_log
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, encode_record, fields
from holdfastd.rpc.interceptor import Context
from holdfastd.store.model import Anchor

_HASH = re.compile(r"[0-9a-f]{64}\Z")


class AuditLogService(AuditLogServiceServicer):
    """Reads the audit log."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def ListEntries(self, request: pb.ListEntriesRequest, _: Context) -> pb.ListEntriesResponse:
        """List entries, newest first."""
        database = fields.database_filter(request.database)
        page = fields.page(request.page_size, request.page_token, "ListEntries", database, parts=("number",))
        found = await audit_log.list_page(self._services, database, page.position, page.limit, decode.caller().visible)
        entries, token = page.cut(found, lambda item: (str(item.sequence),))
        return pb.ListEntriesResponse(entries=map(encode_record.log_entry, entries), next_page_token=token)

    async def VerifyEntries(self, request: pb.VerifyEntriesRequest, _: Context) -> pb.VerifyEntriesResponse:
        """Recompute the hashes of the whole log, and compare them with the anchors."""
        verdict = await audit_log.verify(self._services, [_anchor(*numbered) for numbered in enumerate(request.anchors)])
        return pb.VerifyEntriesResponse(
            intact=verdict.intact,
            entries=verdict.entries,
            first_broken_sequence=verdict.first_broken_sequence,
            head_hash=verdict.head_hash,
            message=verdict.message,
        )

    async def ExportEntries(self, request: pb.ExportEntriesRequest, _: Context) -> AsyncIterator[pb.ExportEntriesResponse]:
        """Send the log in batches, oldest first."""
        if request.after_sequence < 0:
            raise InvalidField("after_sequence", "after_sequence is negative; 0 means from the first entry on.")
        async with aclosing(audit_log.export(self._services, request.after_sequence)) as batches:
            async for entries in batches:
                yield pb.ExportEntriesResponse(entries=map(encode_record.log_entry, entries))


def _anchor(position: int, anchor: pb.Anchor) -> Anchor:
    if anchor.sequence < 1 or not _HASH.match(anchor.hash):
        field = f"anchors[{position}]"
        raise InvalidField(field, f"{field} is not a place in the log: a sequence from 1 on, and 64 lower-case hexadecimal digits.")
    return Anchor(anchor.sequence, anchor.hash)
