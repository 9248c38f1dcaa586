"""Schedules as tables."""

from collections.abc import Iterable
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from rich.console import RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import NOTHING, clean, minute, moment, number, state
from holdfast.v1.audit_service_pb2 import Audit, AuditState
from holdfast.v1.schedule_service_pb2 import Schedule


def one(schedule: Schedule, last: Audit | None = None) -> RenderableType:
    """Return one schedule and what came of it; how the last audit ended, where it is known."""
    pairs: list[tuple[str, str | Text]] = [
        ("database", Text(clean(schedule.database), style="bold")),
        ("audited", often(schedule)),
        ("next", f"{moment(schedule.next_time)} UTC"),
        ("last", f"{moment(schedule.last_time)} UTC" if schedule.HasField("last_time") else NOTHING),
        ("last audit", _last_audit(schedule, last)),
        ("missed runs", _missed(schedule)),
        ("set by", clean(schedule.principal)),
    ]
    if schedule.HasField("jitter"):
        pairs.insert(2, ("put off by", f"up to {length(schedule.jitter)}"))
    if schedule.HasField("estimate_after"):
        pairs.insert(2, ("estimates", f"counts that take longer than {length(schedule.estimate_after)}"))
    if schedule.missed_reason:
        pairs.insert(-1, ("missed because", clean(schedule.missed_reason)))
    return facts(pairs)


def many(schedules: Iterable[Schedule]) -> RenderableType:
    """Return a list of schedules."""
    table = listing("Database", "Audited", "Next (UTC)", "Last (UTC)", "Missed", numbers=("Missed",), narrow=("Next (UTC)", "Last (UTC)"))
    for schedule in schedules:
        table.add_row(clean(schedule.database), often(schedule), minute(schedule.next_time), minute(schedule.last_time), _missed(schedule))
    return or_nothing(table, "Nothing is scheduled; see `holdfast schedules set --help`.")


def often(schedule: Schedule) -> str:
    """Return how often audits are due."""
    if schedule.WhichOneof("recurrence") == "interval":
        return f"every {length(schedule.interval)}"
    return f"{clean(schedule.cron)} ({clean(schedule.time_zone) or 'UTC'})"


def length(duration: Duration) -> str:
    """Return a duration as people type it: the largest unit that fits, such as `6h`, `90m` or `1.5s`."""
    seconds = duration.ToTimedelta() / timedelta(seconds=1)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _last_audit(schedule: Schedule, last: Audit | None) -> Text:
    found = Text(clean(schedule.last_audit_id) or NOTHING)
    return found if last is None else found.append("  ").append_text(state(AuditState, last.state))


def _missed(schedule: Schedule) -> Text:
    return Text(number(schedule.missed_runs), style="yellow" if schedule.missed_runs else "")
