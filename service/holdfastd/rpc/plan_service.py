"""PlanService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import plan_service_pb2 as pb
from holdfast.v1.plan_service_pb2_grpc import PlanServiceServicer
from holdfastd.flows import plans, preflight
from holdfastd.flows.context import Services
from holdfastd.plan.model import ScriptKind
from holdfastd.rpc import decode, encode_plan, encode_record, fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context


class PlanService(PlanServiceServicer):
    """Makes plans, shows them, and takes decisions about them."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def CreatePlan(self, request: pb.CreatePlanRequest, _: Context) -> pb.CreatePlanResponse:
        """Make a plan from an audit."""
        database, audit_id = fields.database_name(request.database), fields.optional_identifier(request.audit_id, "audit_id")
        overrides, caller = decode.overrides(request.policy), decode.caller(request.request_id)
        record = await plans.create(self._services, caller, database, audit_id, overrides)
        return pb.CreatePlanResponse(plan=encode_plan.plan(record))

    async def GetPlan(self, request: pb.GetPlanRequest, _: Context) -> pb.GetPlanResponse:
        """Return one plan."""
        record = await plans.get(self._services, fields.identifier(request.id, "id"))
        return pb.GetPlanResponse(plan=encode_plan.plan(record))

    async def ListPlans(self, request: pb.ListPlansRequest, _: Context) -> pb.ListPlansResponse:
        """List plans, newest first."""
        database = fields.database_filter(request.database)
        page = fields.page(request.page_size, request.page_token, "ListPlans", database)
        found = await plans.list_page(self._services, database, page.after, page.limit, decode.caller().visible)
        records, token = page.cut(found, lambda item: (item.id,))
        return pb.ListPlansResponse(plans=map(encode_plan.plan_without_steps, records), next_page_token=token)

    async def ApprovePlan(self, request: pb.ApprovePlanRequest, _: Context) -> pb.ApprovePlanResponse:
        """Allow a plan to be applied."""
        plan_id, fingerprint = fields.identifier(request.id, "id"), fields.text(request.fingerprint, "fingerprint")
        record = await plans.approve(self._services, decode.caller(), plan_id, fingerprint)
        return pb.ApprovePlanResponse(plan=encode_plan.plan(record))

    async def RejectPlan(self, request: pb.RejectPlanRequest, _: Context) -> pb.RejectPlanResponse:
        """Forbid a plan to be applied."""
        record = await plans.reject(self._services, decode.caller(), fields.identifier(request.id, "id"))
        return pb.RejectPlanResponse(plan=encode_plan.plan(record))

    async def CheckPlan(self, request: pb.CheckPlanRequest, _: Context) -> pb.CheckPlanResponse:
        """Report whether a plan could be applied now."""
        checks = await preflight.check(self._services, fields.identifier(request.id, "id"))
        ready = not any(check.is_in_the_way for check in checks)
        return pb.CheckPlanResponse(checks=map(encode_record.check, checks), ready=ready)

    async def RenderPlan(self, request: pb.RenderPlanRequest, _: Context) -> pb.RenderPlanResponse:
        """Render a script for psql."""
        kind = from_proto(ScriptKind, request.kind, "kind") or ScriptKind.FORWARD
        script = await plans.render(self._services, fields.identifier(request.id, "id"), kind)
        return pb.RenderPlanResponse(script=script)
