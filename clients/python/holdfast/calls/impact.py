"""Calls of ImpactService: what a deletion would take along."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import impact_service_pb2 as impact_pb
from holdfast.v1.impact_service_pb2_grpc import ImpactServiceStub

if TYPE_CHECKING:
    from holdfast.v1.impact_service_pb2_grpc import ImpactServiceAsyncStub


class ImpactCalls(Caller):
    """The calls of ImpactService."""

    @cached_property
    def _impacts(self) -> "ImpactServiceAsyncStub":
        return ImpactServiceStub(self._channel)

    async def get_impact(
        self,
        database: str,
        table: str,
        key: Sequence[str],
        *,
        plan_id: str = "",
        max_rows: int = 0,
        sample_size: int = 0,
        allow_scans: bool = False,
    ) -> impact_pb.GetImpactResponse:
        """Tell what deleting the row with that primary key would do, as the database stands or as a plan would leave it."""
        request = impact_pb.GetImpactRequest(
            database=database,
            table=table,
            key=key,
            plan_id=plan_id,
            max_rows=max_rows,
            sample_size=sample_size,
            allow_scans=allow_scans,
        )
        return await self._call(self._impacts.GetImpact, request)
