"""Calls of AuditService: starting audits and reading what they found."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller, new_id
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfast.v1.core_pb2 import SEVERITY_UNSPECIFIED, Severity

if TYPE_CHECKING:
    from holdfast.v1.audit_service_pb2_grpc import AuditServiceAsyncStub


class AuditCalls(Caller):
    """The calls of AuditService."""

    @cached_property
    def _audits(self) -> "AuditServiceAsyncStub":
        return AuditServiceStub(self._channel)

    async def start_audit(
        self,
        database: str,
        *,
        estimate_after: timedelta | None = None,
        intent: Iterable[audit_pb.IntendedRelationship] = (),
        request_id: str = "",
    ) -> audit_pb.StartAuditResponse:
        """Start an audit and return at once; `Holdfast.audit` also follows it. Counts that take longer than asked are estimated.

        `intent` is what applications declare, as `holdfast.intent.sources.read_intent` returns it.
        """
        request = audit_pb.StartAuditRequest(database=database, request_id=request_id or new_id())
        if meant := tuple(intent):
            request.options.intent.extend(meant)
        if estimate_after is not None:
            request.options.estimate_after.FromTimedelta(estimate_after)
        return await self._call(self._audits.StartAudit, request)

    async def get_audit(self, audit_id: str) -> audit_pb.GetAuditResponse:
        """Return one audit with its summary."""
        return await self._call(self._audits.GetAudit, audit_pb.GetAuditRequest(id=audit_id))

    async def list_audits(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> audit_pb.ListAuditsResponse:
        """List audits, newest first."""
        request = audit_pb.ListAuditsRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._audits.ListAudits, request)

    async def list_relationships(
        self, database: str, *, audit_id: str = "", page_size: int = 0, page_token: str = ""
    ) -> audit_pb.ListRelationshipsResponse:
        """List the relationships of an audit; without an id, of the latest."""
        request = audit_pb.ListRelationshipsRequest(database=database, audit_id=audit_id, page_size=page_size, page_token=page_token)
        return await self._call(self._audits.ListRelationships, request)

    async def list_tables(
        self, database: str, *, audit_id: str = "", page_size: int = 0, page_token: str = ""
    ) -> audit_pb.ListTablesResponse:
        """List the tables that an audit saw; without an id, the latest."""
        request = audit_pb.ListTablesRequest(database=database, audit_id=audit_id, page_size=page_size, page_token=page_token)
        return await self._call(self._audits.ListTables, request)

    async def list_findings(
        self,
        database: str,
        *,
        audit_id: str = "",
        minimum_severity: Severity.ValueType = SEVERITY_UNSPECIFIED,
        include_ignored: bool = False,
        page_size: int = 0,
        page_token: str = "",
    ) -> audit_pb.ListFindingsResponse:
        """List the findings of an audit, the worst first; without an id, of the latest. Ignored ones only when asked for."""
        request = audit_pb.ListFindingsRequest(
            database=database,
            audit_id=audit_id,
            minimum_severity=minimum_severity,
            include_ignored=include_ignored,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._audits.ListFindings, request)

    async def sample_orphans(
        self, database: str, relationship_id: str, *, limit: int = 0, columns: Sequence[str] = (), masked: bool = False
    ) -> audit_pb.SampleOrphansResponse:
        """Read some orphan rows from the target now: their keys, and the columns asked for; masked, only the shape of values."""
        request = audit_pb.SampleOrphansRequest(
            database=database, relationship_id=relationship_id, limit=limit, columns=columns, masked=masked
        )
        return await self._call(self._audits.SampleOrphans, request)

    async def ignore_finding(
        self, database: str, finding_id: str, *, reason: str, expire_time: datetime | None = None
    ) -> audit_pb.IgnoreFindingResponse:
        """Decide to live with a finding of the latest audit, for good or until a time; doing it again replaces the decision."""
        request = audit_pb.IgnoreFindingRequest(database=database, finding_id=finding_id, reason=reason)
        if expire_time is not None:
            request.expire_time.FromDatetime(expire_time)
        return await self._call(self._audits.IgnoreFinding, request)

    async def unignore_finding(self, database: str, finding_id: str) -> audit_pb.UnignoreFindingResponse:
        """Open a finding again; succeeds when it was open."""
        return await self._call(self._audits.UnignoreFinding, audit_pb.UnignoreFindingRequest(database=database, finding_id=finding_id))

    async def compare_audits(self, database: str, *, base_audit_id: str = "", head_audit_id: str = "") -> audit_pb.CompareAuditsResponse:
        """Tell what appeared, changed and went away between two audits; without ids, between the last two that succeeded."""
        request = audit_pb.CompareAuditsRequest(database=database, base_audit_id=base_audit_id, head_audit_id=head_audit_id)
        return await self._call(self._audits.CompareAudits, request)

    async def list_orphan_counts(
        self, database: str, *, relationship_id: str = "", start_time: datetime | None = None, page_size: int = 0, page_token: str = ""
    ) -> audit_pb.ListOrphanCountsResponse:
        """List the orphan rows at every audit, newest first: of one relationship or all, since a time or ever."""
        request = audit_pb.ListOrphanCountsRequest(
            database=database, relationship_id=relationship_id, page_size=page_size, page_token=page_token
        )
        if start_time is not None:
            request.start_time.FromDatetime(start_time)
        return await self._call(self._audits.ListOrphanCounts, request)
