"""`holdfast completion`: a script that lets the shell complete commands, options, names and ids."""

from enum import StrEnum
from typing import Annotated

import typer

# typer has no public names for these; its own --show-completion prints the same.
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

from holdfast.cli.session import Session, command

commands = typer.Typer()

#: What the script sets when the shell asks for offers.
VARIABLE = "_HOLDFAST_COMPLETE"


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


ForShell = Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]


@command(commands, "completion", example='eval "$(holdfast completion bash)"')
async def completion(session: Session, shell: ForShell) -> None:
    """Print a script that completes names and ids in a shell.

    Databases, plans, jobs, audits and relationships are asked of the service
    while you type.

    \b
    bash  eval "$(holdfast completion bash)"     in ~/.bashrc
    zsh   eval "$(holdfast completion zsh)"      in ~/.zshrc, after compinit
    fish  holdfast completion fish > ~/.config/fish/completions/holdfast.fish
    """  # noqa: D301 (typer wants the backspace character itself)
    session.printer.write(get_completion_script(prog_name="holdfast", complete_var=VARIABLE, shell=shell.value))


def prepare() -> None:
    """Make the shells known; needed before offers are asked for."""
    completion_init()
