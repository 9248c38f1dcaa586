"""`holdfast log`: who did what to which database when."""

import functools
from typing import Annotated

import typer

from holdfast.cli.failures import ExitCode
from holdfast.cli.session import Session, command
from holdfast.pages import every_page

commands = typer.Typer()

OptionalName = Annotated[str, typer.Argument(metavar="[NAME]", help="Only entries about this database.", show_default=False)]
Verify = Annotated[bool, typer.Option("--verify", help="Recompute all hashes instead; end with 2 when the log was tampered with.")]


@command(commands, "log", example="holdfast log shop")
async def log(session: Session, name: OptionalName = "", verify: Verify = False) -> ExitCode:
    """Show the audit log, newest first, or verify it."""
    if not verify:
        session.show(await every_page(functools.partial(session.client.list_entries, database=name)))
        return ExitCode.FINE
    verified = await session.client.verify_entries()
    session.show(verified)
    return ExitCode.FINE if verified.intact else ExitCode.ERROR
