"""Requests about schedules and history to domain values."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from holdfast.v1 import audit_service_pb2, schedule_service_pb2
from holdfastd.errors import InvalidField
from holdfastd.jobs.schedule import Recurrence
from holdfastd.rpc import fields
from holdfastd.store.orphan_counts import Cursor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_CRON = 256
_LONGEST_TIME_ZONE = 64


def database(request: schedule_service_pb2.SetScheduleRequest) -> str:
    """Return the database to schedule; the schedule itself names the same or none."""
    name = fields.database_name(request.database)
    if request.schedule.database not in ("", name):
        raise InvalidField("schedule.database", "schedule.database is not the database of the request; leave it empty.")
    return name


def recurrence(schedule: schedule_service_pb2.Schedule) -> Recurrence:
    """Return how often audits are due. Whether that is ever is found out with the store's clock at hand."""
    jitter = _duration(schedule.jitter, "schedule.jitter", example="600s")
    time_zone = fields.text(schedule.time_zone, "schedule.time_zone", max_bytes=_LONGEST_TIME_ZONE)
    match schedule.WhichOneof("recurrence"):
        case "cron":
            cron = fields.required(schedule.cron, "schedule.cron", max_bytes=_LONGEST_CRON)
            return Recurrence(cron=" ".join(cron.split()), time_zone=time_zone, jitter=jitter)
        case "interval":
            interval = _duration(schedule.interval, "schedule.interval", example="21600s")
            return Recurrence(interval=interval, time_zone=time_zone, jitter=jitter)
        case None:
            raise InvalidField("schedule", "schedule says neither cron nor interval; set one, such as cron `30 2 * * *`.")


def estimate_after(schedule: schedule_service_pb2.Schedule) -> timedelta | None:
    """Return how long a count may take before it is estimated instead; None: as long as it takes."""
    if not schedule.HasField("estimate_after"):
        return None
    limit = fields.duration(schedule.estimate_after)
    if not limit:
        raise InvalidField("schedule.estimate_after", "schedule.estimate_after is not a time above 0 s; leave it out to count everything.")
    return limit


def since(request: audit_service_pb2.ListOrphanCountsRequest) -> datetime | None:
    """Return from when on counts are wanted; None: all."""
    if not request.HasField("start_time"):
        return None
    try:
        return request.start_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidField("start_time", "start_time is no time between the years 1 and 9999.") from None


def history_page(request: audit_service_pb2.ListOrphanCountsRequest) -> tuple[Cursor | None, fields.Page]:
    """Return after which count to go on, and the page; None for the first."""
    scope = ("ListOrphanCounts", request.database, request.relationship_id, since(request))
    page = fields.page(request.page_size, request.page_token, *scope, parts=("number", "number", "number"))
    if not page.cursor:
        return None, page
    microseconds, audit, relationship = map(int, page.cursor)
    try:
        return (_EPOCH + timedelta(microseconds=microseconds), audit, relationship), page
    except OverflowError:
        raise InvalidField("page_token", "The page token is damaged; send it as it was received.") from None


def history_cursor(time: datetime, audit_number: int, relationship_number: int) -> tuple[str, ...]:
    """Return what a token keeps of the last count of a page."""
    return str((time - _EPOCH) // timedelta(microseconds=1)), str(audit_number), str(relationship_number)


def _duration(message: Duration, field: str, *, example: str) -> timedelta:
    length = fields.duration(message)
    if length is None:
        raise InvalidField(field, f"{field} is no duration from 0 s on, such as {example}.")
    return length
