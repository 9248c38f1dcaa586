"""`holdfast schedules …`: audits that start by themselves."""

from datetime import timedelta
from typing import Annotated

import typer

from holdfast.cli.arguments import Name
from holdfast.cli.durations import duration
from holdfast.cli.failures import InputError
from holdfast.cli.render import schedules as tables
from holdfast.cli.session import Session, command
from holdfast.errors import HoldfastError
from holdfast.pages import every_page
from holdfast.v1.audit_service_pb2 import Audit
from holdfast.v1.schedule_service_pb2 import Schedule

app = typer.Typer(name="schedules", help="Audit databases at set times.", no_args_is_help=True)

Cron = Annotated[str, typer.Option("--cron", metavar="FIELDS", help="Minute, hour, day, month, weekday: '30 2 * * *'.")]
TimeZone = Annotated[str, typer.Option("--time-zone", metavar="ZONE", help="Of --cron, such as Europe/Berlin; UTC without.")]
Every = Annotated[timedelta | None, typer.Option("--every", metavar="TIME", parser=duration, help="From start to start, such as 6h.")]
Jitter = Annotated[
    timedelta | None, typer.Option("--jitter", metavar="TIME", parser=duration, help="Put every start off by up to this, such as 10m.")
]
EstimateAfter = Annotated[
    timedelta | None,
    typer.Option("--estimate-after", metavar="TIME", parser=duration, help="Estimate counts that take longer than this, such as 60s."),
]


@command(app, "set", example="holdfast schedules set shop --cron '30 2 * * *' --time-zone Europe/Berlin")
async def set_(
    session: Session,
    name: Name,
    cron: Cron = "",
    time_zone: TimeZone = "",
    every: Every = None,
    jitter: Jitter = None,
    estimate_after: EstimateAfter = None,
) -> None:
    """Audit a database at set times, in place of what was set before.

    Give exactly one of --cron and --every.
    """
    if bool(cron) == (every is not None):
        raise InputError("Say how often: give exactly one of --cron and --every.")
    schedule = Schedule(time_zone=time_zone)
    if cron:
        schedule.cron = cron
    for field, value in (("interval", every), ("jitter", jitter), ("estimate_after", estimate_after)):
        if value is not None:
            getattr(schedule, field).FromTimedelta(value)
    session.show(await session.client.set_schedule(name, schedule))
    session.suggest(f"holdfast schedules show {name}", f"holdfast history {name}")


@command(app, "list", example="holdfast schedules list")
async def list_(session: Session) -> None:
    """List schedules by name of the database."""
    session.show(await every_page(session.client.list_schedules))


@command(app, "show", example="holdfast schedules show shop")
async def show(session: Session, name: Name) -> None:
    """Show when a database is audited next, how the last audit ended, and which runs were missed."""
    found = await session.client.get_schedule(name)
    last = await _last_audit(session, found.schedule.last_audit_id)
    session.show(found, tables.one(found.schedule, last))


async def _last_audit(session: Session, audit_id: str) -> Audit | None:
    """Return the audit, unless there is none (any more)."""
    if not (audit_id and session.printer.is_for_people):
        return None
    try:
        return (await session.client.get_audit(audit_id)).audit
    except HoldfastError as error:
        if error.reason == "AUDIT_NOT_FOUND":
            return None
        raise


@command(app, "remove", example="holdfast schedules remove shop")
async def remove(session: Session, name: Name) -> None:
    """Audit a database only when asked to; an audit that has begun goes on."""
    session.show(await session.client.remove_schedule(name))
