"""`holdfast restore`, `backups …`: the rows that applications took away, put back or deleted for good."""

import functools
from datetime import timedelta
from typing import Annotated

import typer

from holdfast.cli import completing
from holdfast.cli.arguments import Detach, JobId, Name
from holdfast.cli.asking import Yes, ask
from holdfast.cli.durations import duration
from holdfast.cli.following import follow, show_end
from holdfast.cli.resolve import resolve_one
from holdfast.cli.session import Session, command
from holdfast.cli.throttling import MaxActiveSessions, MaxReplicaLag, MaxWalRate, throttle
from holdfast.pages import every_page

app = typer.Typer(name="backups", help="List and purge backups.", no_args_is_help=True)
commands = typer.Typer()

Relationships = Annotated[
    list[str], typer.Option("--relationship", metavar="R", help="Only rows of this relationship; may be repeated.", show_default=False)
]
Relink = Annotated[bool, typer.Option("--relink", help="Only rows whose referenced row is there again; the others stay in the backup.")]
OfPlan = Annotated[
    str,
    typer.Option("--plan", metavar="PLAN", help="Only the backup of this plan.", show_default=False, autocompletion=completing.plans),
]
OlderThan = Annotated[
    timedelta | None,
    typer.Option("--older-than", metavar="TIME", parser=duration, help="Only backups this old, such as 90d. Without it: 30d."),
]


@command(commands, "restore", example="holdfast restore JOB --relink")
async def restore(
    session: Session,
    job_id: JobId,
    relationship: Relationships = [],  # noqa: B006
    relink: Relink = False,
    detach: Detach = False,
    max_replica_lag: MaxReplicaLag = None,
    max_active_sessions: MaxActiveSessions = None,
    max_wal_rate: MaxWalRate = None,
) -> None:
    """Put backed-up rows back while the keys stay.

    JOB is the application. Refused as a whole while a key would reject a row.
    """
    wanted = await _relationship_ids(session, job_id, relationship)
    holds_back = throttle(max_replica_lag, max_active_sessions, max_wal_rate)
    if detach:
        started = await session.client.start_restore(job_id, relationship_ids=wanted, relink=relink, throttle=holds_back)
        session.show(started)
        session.suggest(f"holdfast watch {started.job.id}")
        return
    items = session.client.restore(job_id, relationship_ids=wanted, relink=relink, throttle=holds_back)
    await show_end(session, await follow(session, items))


async def _relationship_ids(session: Session, job_id: str, named: list[str]) -> list[str]:
    if not named:
        return []
    database = (await session.client.get_job(job_id)).job.database
    return [await resolve_one(session.client, database, name) for name in named]


@command(app, "list", example="holdfast backups list shop")
async def list_(session: Session, name: Name) -> None:
    """List the backups of a database, newest first."""
    session.show(await every_page(functools.partial(session.client.list_backups, name)))


@command(app, "purge", example="holdfast backups purge shop --older-than 90d")
async def purge(session: Session, name: Name, plan: OfPlan = "", older_than: OlderThan = None, yes: Yes = False) -> None:
    """Delete backed-up rows for good.

    Rolling back or restoring them is not possible afterwards.
    """
    if not yes:
        ask(f"Delete {f'the backup of {plan}' if plan else 'all old backups'} in {name} for good?")
    session.show(await session.client.purge_backups(name, plan_id=plan, older_than=older_than))
