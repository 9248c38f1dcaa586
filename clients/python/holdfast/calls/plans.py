"""Calls of PlanService: making, reading and deciding about plans."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller, new_id
from holdfast.v1 import plan_service_pb2 as plan_pb
from holdfast.v1.plan_service_pb2_grpc import PlanServiceStub

if TYPE_CHECKING:
    from holdfast.v1.plan_service_pb2_grpc import PlanServiceAsyncStub


class PlanCalls(Caller):
    """The calls of PlanService."""

    @cached_property
    def _plans(self) -> "PlanServiceAsyncStub":
        return PlanServiceStub(self._channel)

    async def create_plan(
        self, database: str, *, audit_id: str = "", policy: plan_pb.Policy | None = None, request_id: str = ""
    ) -> plan_pb.CreatePlanResponse:
        """Make a plan from an audit; without an id, from the latest."""
        request = plan_pb.CreatePlanRequest(database=database, audit_id=audit_id, policy=policy, request_id=request_id or new_id())
        return await self._call(self._plans.CreatePlan, request)

    async def get_plan(self, plan_id: str) -> plan_pb.GetPlanResponse:
        """Return one plan."""
        return await self._call(self._plans.GetPlan, plan_pb.GetPlanRequest(id=plan_id))

    async def list_plans(self, *, database: str = "", page_size: int = 0, page_token: str = "") -> plan_pb.ListPlansResponse:
        """List plans, newest first, without their steps."""
        request = plan_pb.ListPlansRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._plans.ListPlans, request)

    async def approve_plan(self, plan_id: str, *, fingerprint: str = "") -> plan_pb.ApprovePlanResponse:
        """Allow a plan to be applied; approving an approved plan succeeds."""
        return await self._call(self._plans.ApprovePlan, plan_pb.ApprovePlanRequest(id=plan_id, fingerprint=fingerprint))

    async def reject_plan(self, plan_id: str) -> plan_pb.RejectPlanResponse:
        """Forbid a plan to be applied; rejecting a rejected plan succeeds."""
        return await self._call(self._plans.RejectPlan, plan_pb.RejectPlanRequest(id=plan_id))

    async def check_plan(self, plan_id: str) -> plan_pb.CheckPlanResponse:
        """Report whether a plan could be applied now, and what to do first; changes nothing."""
        return await self._call(self._plans.CheckPlan, plan_pb.CheckPlanRequest(id=plan_id))

    async def render_plan(
        self, plan_id: str, kind: plan_pb.ScriptKind.ValueType = plan_pb.SCRIPT_KIND_FORWARD
    ) -> plan_pb.RenderPlanResponse:
        """Render a script for `psql -v ON_ERROR_STOP=1` that does what the service does."""
        return await self._call(self._plans.RenderPlan, plan_pb.RenderPlanRequest(id=plan_id, kind=kind))
