"""MigrationService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import migration_service_pb2 as pb
from holdfast.v1.migration_service_pb2_grpc import MigrationServiceServicer
from holdfastd.flows import migrations, restore
from holdfastd.flows.context import Services
from holdfastd.jobs.model import JobOptions
from holdfastd.rpc import decode, encode, fields
from holdfastd.rpc.interceptor import Context


class MigrationService(MigrationServiceServicer):
    """Starts applications, rollbacks and restores."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def ApplyPlan(self, request: pb.ApplyPlanRequest, _: Context) -> pb.ApplyPlanResponse:
        """Start applying an approved plan."""
        caller, plan_id = decode.caller(request.request_id), fields.identifier(request.plan_id, "plan_id")
        options = JobOptions(throttle=decode.throttle(request.throttle))
        job = await migrations.apply(self._services, caller, plan_id, options)
        return pb.ApplyPlanResponse(job=encode.job(job))

    async def RollBack(self, request: pb.RollBackRequest, _: Context) -> pb.RollBackResponse:
        """Start undoing an application."""
        caller, job_id = decode.caller(request.request_id), fields.identifier(request.job_id, "job_id")
        options = JobOptions(throttle=decode.throttle(request.throttle))
        job = await migrations.roll_back(self._services, caller, job_id, options)
        return pb.RollBackResponse(job=encode.job(job))

    async def RestoreRows(self, request: pb.RestoreRowsRequest, _: Context) -> pb.RestoreRowsResponse:
        """Start putting backed-up rows back while the keys stay."""
        caller, job_id = decode.caller(request.request_id), fields.identifier(request.job_id, "job_id")
        options = JobOptions(
            throttle=decode.throttle(request.throttle),
            relationship_ids=decode.relationship_ids(request.relationship_ids),
            relink=request.relink,
        )
        job = await restore.restore(self._services, caller, job_id, options)
        return pb.RestoreRowsResponse(job=encode.job(job))
