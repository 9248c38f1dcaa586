"""`holdfast history`: how many orphan rows there were at every audit."""

import functools
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from holdfast.cli import completing
from holdfast.cli.arguments import Name
from holdfast.cli.durations import duration
from holdfast.cli.render import history as tables
from holdfast.cli.resolve import resolve_one
from holdfast.cli.session import Session, command
from holdfast.pages import every_page

commands = typer.Typer()

OneRelationship = Annotated[
    str,
    typer.Argument(
        metavar="[RELATIONSHIP]",
        help="Every audit of this one: an id, or table.column.",
        show_default=False,
        autocompletion=completing.relationships,
    ),
]
Since = Annotated[
    timedelta | None, typer.Option("--since", metavar="TIME", parser=duration, help="How far to go back; 30d without.", show_default=False)
]

_SINCE = timedelta(days=30)


@command(commands, "history", example="holdfast history shop orders.customer_id --since 90d")
async def history(session: Session, name: Name, relationship: OneRelationship = "", since: Since = None) -> None:
    """Show how orphan rows came and went, audit by audit."""
    relationship_id = await resolve_one(session.client, name, relationship) if relationship else ""
    start_time = datetime.now(UTC) - (_SINCE if since is None else since)
    listing = functools.partial(session.client.list_orphan_counts, name, relationship_id=relationship_id, start_time=start_time)
    found = await every_page(listing)
    session.show(found, tables.of_one(found.counts) if relationship else None)
