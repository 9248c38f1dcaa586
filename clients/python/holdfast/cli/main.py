"""The entry point of `holdfast`: arguments in, exit code out. The only place of the client that reads the environment."""

import getpass
import os
import socket
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from holdfast import __version__
from holdfast.cli import audits, backups, databases, ignoring, jobs, log, migrations, plans
from holdfast.cli.failures import ExitCode, say
from holdfast.cli.output import Output
from holdfast.cli.report import command as report
from holdfast.cli.session import Settings
from holdfast.client import DEFAULT_SERVER

_GLOBAL = ("--server", "--output", "-o", "--principal")

app = typer.Typer(
    name="holdfast",
    help="Keep the rows of PostgreSQL databases attached to what they reference: audit, plan, apply online, roll back exactly.",
    epilog="Exit codes: 0 fine, 1 findings, 2 error, 3 the database changed since the plan.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(databases.app)
app.add_typer(audits.commands)
app.add_typer(ignoring.commands)
app.add_typer(report.commands)
app.add_typer(audits.app)
app.add_typer(plans.commands)
app.add_typer(plans.app)
app.add_typer(migrations.commands)
app.add_typer(backups.commands)
app.add_typer(backups.app)
app.add_typer(jobs.commands)
app.add_typer(jobs.app)
app.add_typer(log.commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


def _principal() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        # Containers run as users that have no name.
        return f"{os.getuid()}@{socket.gethostname()}"


@app.callback()
def _global_options(
    context: typer.Context,
    server: Annotated[
        str, typer.Option("--server", envvar="HOLDFAST_SERVER", metavar="HOST:PORT", help="Where Holdfast listens.")
    ] = DEFAULT_SERVER,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print results.")] = Output.TABLE,
    principal: Annotated[str, typer.Option("--principal", metavar="WHO", help="Who you are, for the audit log.")] = "",
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    context.obj = Settings(server=server, output=output, principal=principal or _principal())


def main() -> None:
    """Run the command that was typed."""
    # What the transport has to say is in the errors already.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        return app(hoist(arguments) or ["--help"], prog_name="holdfast", standalone_mode=False) or ExitCode.FINE
    except typer.TyperException as error:
        # A group without a command has printed its help and has nothing more to say.
        if words := error.format_message().replace("Value error, ", "").rstrip(".?"):
            say(f"{words}; see `holdfast --help`.", "USAGE")
        return ExitCode.ERROR
    except BrokenPipeError:
        # Whoever read along has seen enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FINE
    except Exception as error:  # noqa: BLE001 (the last resort: a sentence, never a traceback)
        say(f"This is a fault of holdfast ({type(error).__name__}); please report it with the command.", "INTERNAL")
        return ExitCode.ERROR


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move global options to the front, so that `holdfast audit shop -o json` means what it says."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest.append(argument)
            rest.extend(remaining)
        elif argument in _GLOBAL:
            front.extend((argument, *(value for value in [next(remaining, None)] if value is not None)))
        elif argument.startswith(tuple(f"{option}=" for option in _GLOBAL if option.startswith("--"))):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest
