"""Calls by the names of methods, on a bare channel, and which roles each method is for."""

import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

_ALL = "viewer auditor planner approver operator admin"
_AUDIT = "auditor planner operator admin"

#: Written by hand, so that a permission is not widened by accident.
PERMITTED = {
    "DatabaseService/AddDatabase": "admin",
    "DatabaseService/GetDatabase": _ALL,
    "DatabaseService/ListDatabases": _ALL,
    "DatabaseService/UpdateDatabase": "admin",
    "DatabaseService/RemoveDatabase": "admin",
    "DatabaseService/CheckDatabase": _AUDIT,
    "AuditService/StartAudit": _AUDIT,
    "AuditService/GetAudit": _ALL,
    "AuditService/ListAudits": _ALL,
    "AuditService/ListRelationships": _ALL,
    "AuditService/ListTables": _ALL,
    "AuditService/ListFindings": _ALL,
    "AuditService/SampleOrphans": _AUDIT,
    "AuditService/IgnoreFinding": _AUDIT,
    "AuditService/UnignoreFinding": _AUDIT,
    "AuditService/CompareAudits": _ALL,
    "AuditService/ListOrphanCounts": _ALL,
    "ReportService/RenderReport": _ALL,
    "ReportService/DrawMap": _ALL,
    "ReportService/ListSuggestions": _ALL,
    "ExportService/ExportFindings": _ALL,
    "ExportService/ExportPlan": _ALL,
    "PlanService/CreatePlan": "planner admin",
    "PlanService/GetPlan": _ALL,
    "PlanService/ListPlans": _ALL,
    "PlanService/ApprovePlan": "approver admin",
    "PlanService/RejectPlan": "approver admin",
    "PlanService/CheckPlan": _ALL,
    "PlanService/RenderPlan": _ALL,
    "GateService/JudgeAudit": _ALL,
    "ImpactService/GetImpact": _AUDIT,
    "MigrationService/ApplyPlan": "operator admin",
    "MigrationService/RollBack": "operator admin",
    "MigrationService/RestoreRows": "operator admin",
    "BackupService/ListBackups": _ALL,
    "BackupService/PurgeBackups": "admin",
    "JobService/GetJob": _ALL,
    "JobService/ListJobs": _ALL,
    "JobService/WatchJob": _ALL,
    "JobService/CancelJob": "operator admin",
    "JobService/PauseJob": "operator admin",
    "JobService/ResumeJob": "operator admin",
    "AuditLogService/ListEntries": _ALL,
    "AuditLogService/VerifyEntries": _ALL,
    "AuditLogService/ExportEntries": _ALL,
    "ScheduleService/SetSchedule": _AUDIT,
    "ScheduleService/GetSchedule": _ALL,
    "ScheduleService/ListSchedules": _ALL,
    "ScheduleService/RemoveSchedule": _AUDIT,
}


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method and its messages."""

    path: str
    request: type[Message]
    response: type[Message]
    streams: bool


@cache
def call(name: str) -> Method:
    """The method of that name, such as `JobService/GetJob`."""
    service, _, method = name.partition("/")
    found = descriptor_pool.Default().FindServiceByName(f"holdfast.v1.{service}").methods_by_name[method]
    return Method(
        path=f"/holdfast.v1.{name}",
        request=message_factory.GetMessageClass(found.input_type),
        response=message_factory.GetMessageClass(found.output_type),
        streams=found.server_streaming,
    )


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    message: str


async def refused(answer: Awaitable[Any]) -> Refusal:
    """Await a call that must fail."""
    try:
        await answer
    except grpc.aio.AioRpcError as error:
        status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
        if status is not None and status.details:
            status.details[0].Unpack(info)
        return Refusal(code=error.code(), reason=info.reason, message=error.details() or "")
    raise AssertionError("the call was answered")


class Calls(contextlib.AbstractAsyncContextManager["Calls"]):
    """A channel, and the token that goes with every call."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def unary(self, name: str, request: Message, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        method = call(name)
        made = self._channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
        return await made(request, metadata=self._metadata + metadata, timeout=60)

    async def stream(self, name: str, request: Message) -> AsyncIterator[Any]:
        method = call(name)
        made = self._channel.unary_stream(method.path, method.request.SerializeToString, method.response.FromString)
        stream = made(request, metadata=self._metadata, timeout=60)
        try:
            async for answer in stream:
                yield answer
        finally:
            stream.cancel()

    async def answer(self, name: str, request: Message) -> Any:
        """The answer, or the first one of a stream."""
        if not call(name).streams:
            return await self.unary(name, request)
        async with contextlib.aclosing(self.stream(name, request)) as answers:  # type: ignore[type-var]  # it is a generator
            return await anext(answers, None)

    async def code(self, name: str, request: Message) -> grpc.StatusCode:
        """How the call ended."""
        try:
            await self.answer(name, request)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK
