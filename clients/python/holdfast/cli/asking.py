"""`--yes`, and the question that is asked without it, before something is lost for good."""

import sys
from typing import Annotated

import typer

from holdfast.cli.failures import InputError

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def ask(question: str) -> None:
    """Go on only when a person says so."""
    if not sys.stdin.isatty():
        raise InputError(f"{question} Nobody is there to ask; say --yes if you mean it.")
    if not typer.confirm(question, err=True):
        raise InputError("Nothing was done.")
