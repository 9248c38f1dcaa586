"""Calls of ScheduleService: audits that start by themselves."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import schedule_service_pb2 as schedule_pb
from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceStub

if TYPE_CHECKING:
    from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceAsyncStub


class ScheduleCalls(Caller):
    """The calls of ScheduleService."""

    @cached_property
    def _schedules(self) -> "ScheduleServiceAsyncStub":
        return ScheduleServiceStub(self._channel)

    async def set_schedule(self, database: str, schedule: schedule_pb.Schedule) -> schedule_pb.SetScheduleResponse:
        """Make or replace the schedule of a database; the same again moves nothing."""
        return await self._call(self._schedules.SetSchedule, schedule_pb.SetScheduleRequest(database=database, schedule=schedule))

    async def get_schedule(self, database: str) -> schedule_pb.GetScheduleResponse:
        """Return the schedule of a database, and what came of it so far."""
        return await self._call(self._schedules.GetSchedule, schedule_pb.GetScheduleRequest(database=database))

    async def list_schedules(self, *, page_size: int = 0, page_token: str = "") -> schedule_pb.ListSchedulesResponse:
        """List schedules by name of the database."""
        request = schedule_pb.ListSchedulesRequest(page_size=page_size, page_token=page_token)
        return await self._call(self._schedules.ListSchedules, request)

    async def remove_schedule(self, database: str) -> schedule_pb.RemoveScheduleResponse:
        """Remove the schedule of a database; succeeds when there is none."""
        return await self._call(self._schedules.RemoveSchedule, schedule_pb.RemoveScheduleRequest(database=database))
