"""`holdfast init`: a policy file to begin with."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.arguments import Name
from holdfast.cli.draft import draft_policy
from holdfast.cli.failures import InputError
from holdfast.cli.session import Session, command
from holdfast.pages import every_page

commands = typer.Typer()

Out = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Where to write; NAME.policy.yaml without, - prints.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file.", show_default=False)]


@command(commands, "init", example="holdfast init shop --output policy.yaml")
async def init(session: Session, name: Name, output: Out = "", force: Force = False) -> None:
    """Write a policy file from the latest audit, to decide by.

    Every decision is in it as Holdfast would take it, commented out, with
    what it is based on. Then: holdfast plan NAME --policy FILE.
    """
    path = Path(output or f"{name}.policy.yaml")
    if output != "-" and path.exists() and not force:
        raise InputError(f"{path} exists; give another --output, or --force to overwrite it.")
    found = await every_page(functools.partial(session.client.list_relationships, name))
    text = draft_policy(name, found.audit_id, found.relationships)
    if output == "-":
        session.printer.write(text.rstrip("\n"))
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give another --output.") from None
    session.show(found, f"Wrote {path}.")
    session.suggest(f"holdfast plan {name} --policy {path}", when="Edit it, then")
