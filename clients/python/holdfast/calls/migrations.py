"""Calls of MigrationService: applying plans, rolling back, restoring."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller, new_id
from holdfast.v1 import migration_service_pb2 as migration_pb
from holdfast.v1.core_pb2 import Throttle
from holdfast.v1.migration_service_pb2_grpc import MigrationServiceStub

if TYPE_CHECKING:
    from holdfast.v1.migration_service_pb2_grpc import MigrationServiceAsyncStub


class MigrationCalls(Caller):
    """The calls of MigrationService."""

    @cached_property
    def _migrations(self) -> "MigrationServiceAsyncStub":
        return MigrationServiceStub(self._channel)

    async def start_application(
        self, plan_id: str, *, throttle: Throttle | None = None, request_id: str = ""
    ) -> migration_pb.ApplyPlanResponse:
        """Start applying an approved plan and return at once; `Holdfast.apply` also follows it."""
        request = migration_pb.ApplyPlanRequest(plan_id=plan_id, request_id=request_id or new_id(), throttle=throttle)
        return await self._call(self._migrations.ApplyPlan, request)

    async def start_rollback(self, job_id: str, *, throttle: Throttle | None = None, request_id: str = "") -> migration_pb.RollBackResponse:
        """Start undoing an application and return at once; `Holdfast.roll_back` also follows it."""
        request = migration_pb.RollBackRequest(job_id=job_id, request_id=request_id or new_id(), throttle=throttle)
        return await self._call(self._migrations.RollBack, request)

    async def start_restore(
        self,
        job_id: str,
        *,
        relationship_ids: Sequence[str] = (),
        relink: bool = False,
        throttle: Throttle | None = None,
        request_id: str = "",
    ) -> migration_pb.RestoreRowsResponse:
        """Start putting rows of an application back while its keys stay, and return at once; `Holdfast.restore` also follows it."""
        request = migration_pb.RestoreRowsRequest(
            job_id=job_id, relationship_ids=relationship_ids, relink=relink, request_id=request_id or new_id(), throttle=throttle
        )
        return await self._call(self._migrations.RestoreRows, request)
