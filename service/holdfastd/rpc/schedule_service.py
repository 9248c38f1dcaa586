"""ScheduleService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import schedule_service_pb2 as pb
from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceServicer
from holdfastd.flows import schedules
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, decode_schedule, encode_schedule, fields
from holdfastd.rpc.interceptor import Context


class ScheduleService(ScheduleServiceServicer):
    """Keeps when databases are audited."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def SetSchedule(self, request: pb.SetScheduleRequest, _: Context) -> pb.SetScheduleResponse:
        """Make or replace the schedule of a database."""
        database = decode_schedule.database(request)
        recurrence, estimate_after = decode_schedule.recurrence(request.schedule), decode_schedule.estimate_after(request.schedule)
        record = await schedules.put(self._services, decode.caller(), database, recurrence, estimate_after)
        return pb.SetScheduleResponse(schedule=encode_schedule.schedule(record))

    async def GetSchedule(self, request: pb.GetScheduleRequest, _: Context) -> pb.GetScheduleResponse:
        """Return the schedule of a database."""
        record = await schedules.get(self._services, fields.database_name(request.database))
        return pb.GetScheduleResponse(schedule=encode_schedule.schedule(record))

    async def ListSchedules(self, request: pb.ListSchedulesRequest, _: Context) -> pb.ListSchedulesResponse:
        """List schedules by name of the database."""
        page = fields.page(request.page_size, request.page_token, "ListSchedules", parts=("name",))
        found = await schedules.list_page(self._services, decode.caller(), page.after, page.limit)
        records, token = page.cut(found, lambda item: (item.database,))
        return pb.ListSchedulesResponse(schedules=map(encode_schedule.schedule, records), next_page_token=token)

    async def RemoveSchedule(self, request: pb.RemoveScheduleRequest, _: Context) -> pb.RemoveScheduleResponse:
        """Remove the schedule of a database."""
        await schedules.remove(self._services, decode.caller(), fields.database_name(request.database))
        return pb.RemoveScheduleResponse()
