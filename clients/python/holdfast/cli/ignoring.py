"""`holdfast ignore`, `unignore`: deciding to live with a finding, and taking that back."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from holdfast.cli.arguments import Name
from holdfast.cli.session import Session, command

commands = typer.Typer()

FindingId = Annotated[str, typer.Argument(metavar="FINDING", help="Id of a finding, as `holdfast findings` shows it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may stay as it is; goes into the audit log.")]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Open it again from then on (UTC)."),
]


@command(commands, "ignore", example="holdfast ignore shop no_primary_key:public.staging --reason 'rebuilt every night'")
async def ignore(session: Session, name: Name, finding: FindingId, reason: Reason, until: Until = None) -> None:
    """Live with a finding: later lists and audits leave it out.

    Ignoring it again replaces reason and date.
    """
    expire_time = until.replace(tzinfo=UTC) if until else None
    session.show(await session.client.ignore_finding(name, finding, reason=reason, expire_time=expire_time))
    session.suggest(f"holdfast findings {name} --ignored")


@command(commands, "unignore", example="holdfast unignore shop no_primary_key:public.staging")
async def unignore(session: Session, name: Name, finding: FindingId) -> None:
    """Open an ignored finding again."""
    session.show(await session.client.unignore_finding(name, finding))
