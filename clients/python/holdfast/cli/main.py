"""The entry point of `holdfast`: arguments in, exit code out. The only place of the client that reads the environment."""

import errno
import getpass
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import __version__
from holdfast.cli import (
    audits,
    backups,
    completion,
    databases,
    exports,
    gate,
    history,
    ignoring,
    impact,
    initial,
    jobs,
    log,
    migrations,
    plans,
    report,
    schedules,
)
from holdfast.cli.encoding import make_plain
from holdfast.cli.failures import ExitCode, InputError, say, usage
from holdfast.cli.output import Colour, Output
from holdfast.cli.panels import CHANGE, JOBS, LOOK, SET_UP
from holdfast.cli.session import Settings
from holdfast.client import DEFAULT_SERVER
from holdfast.security import Tls, Token, token_in

_WITH_VALUE = ("--server", "--output", "-o", "--principal", "--ca", "--cert", "--key", "--server-name", "--token-file")
#: Commands that write files have an --output of their own; what is no format is meant for them.
_WRITE_FILES = ("init", "export", "report")
#: What a write says where there is no room.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WITHOUT_VALUE = ("--tls", "--allow-plaintext-token", "--no-color")

#: What is the same for options that also have a variable: each has the name of its option, and the page does not fit with all of them.
_OPTION: Any = {"show_envvar": False, "show_default": False, "rich_help_panel": "How to reach the service"}

app = typer.Typer(
    name="holdfast",
    help="Keep the rows of PostgreSQL databases attached to what they reference: audit, plan, apply online, roll back exactly.",
    epilog=(
        "Exit codes: 0 fine, 1 findings, 2 error, 3 the database changed since the plan, 130 Ctrl-C."
        " What says how to reach the service may be a variable: HOLDFAST_SERVER for --server."
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(audits.commands)
app.add_typer(ignoring.commands)
app.add_typer(report.commands)
app.add_typer(history.commands)
app.add_typer(exports.app, rich_help_panel=LOOK)
app.add_typer(impact.commands)
app.add_typer(gate.commands)
app.add_typer(audits.app, rich_help_panel=LOOK)
app.add_typer(initial.commands)
app.add_typer(plans.commands)
app.add_typer(plans.app, rich_help_panel=CHANGE)
app.add_typer(migrations.commands)
app.add_typer(backups.commands)
app.add_typer(backups.app, rich_help_panel=CHANGE)
app.add_typer(jobs.commands)
app.add_typer(jobs.app, rich_help_panel=JOBS)
app.add_typer(databases.app, rich_help_panel=SET_UP)
app.add_typer(schedules.app, rich_help_panel=SET_UP)
app.add_typer(log.commands)
app.add_typer(completion.commands)


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
    *,
    server: Annotated[
        str,
        typer.Option(
            "--server", envvar="HOLDFAST_SERVER", metavar="HOST:PORT", help="Where Holdfast listens; several: with commas.", **_OPTION
        ),
    ] = DEFAULT_SERVER,
    output: Annotated[
        Output, typer.Option("--output", "-o", metavar="FORMAT", help="table, json or yaml.", show_default=False)
    ] = Output.TABLE,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; or set NO_COLOR.", show_default=False)] = False,
    principal: Annotated[str, typer.Option("--principal", metavar="WHO", help="Who you are, for the audit log.", show_default=False)] = "",
    tls: Annotated[bool, typer.Option("--tls", envvar="HOLDFAST_TLS", help="Use TLS, with the usual authorities.", **_OPTION)] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", envvar="HOLDFAST_CA", metavar="FILE", help="Use TLS; who signed its certificate.", **_OPTION)
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--cert", envvar="HOLDFAST_CERT", metavar="FILE", help="Certificate that says who you are.", **_OPTION),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", envvar="HOLDFAST_KEY", metavar="FILE", help="Its private key.", **_OPTION)] = None,
    server_name: Annotated[
        str,
        typer.Option("--server-name", envvar="HOLDFAST_SERVER_NAME", metavar="NAME", help="Whose certificate to expect.", **_OPTION),
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", envvar="HOLDFAST_TOKEN_FILE", metavar="FILE", help="Bearer token; or HOLDFAST_TOKEN.", **_OPTION),
    ] = None,
    allow_plaintext_token: Annotated[
        bool, typer.Option("--allow-plaintext-token", help="Send it without TLS elsewhere, too.", **_OPTION)
    ] = False,
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    files = (ca, certificate, key)
    context.obj = Settings(
        server=server,
        output=output,
        principal=principal or _principal(),
        colour=_colour(os.environ, never=no_color),
        token=_token(token_file, os.environ),
        tls=Tls(ca=ca, certificate=certificate, key=key, server_name=server_name) if tls or any(files) else None,
        allow_plaintext_token=allow_plaintext_token,
    )


def _token(path: Path | None, environment: Mapping[str, str]) -> Token:
    # There is no --token: arguments can be read by everybody on the machine.
    return token_in(path) if path else environment.get("HOLDFAST_TOKEN", "").strip()


def _colour(environment: Mapping[str, str], *, never: bool) -> Colour:
    # https://bixense.com/clicolors and https://no-color.org say what these mean.
    if never or environment.get("NO_COLOR") or environment.get("CLICOLOR") == "0":
        return Colour.NEVER
    return Colour.ALWAYS if environment.get("CLICOLOR_FORCE", "0") not in {"", "0"} else Colour.AUTO


def main() -> None:
    """Run the command that was typed."""
    make_plain(sys.stdout, sys.stderr)
    if completion.VARIABLE in os.environ:
        completion.prepare()
    sys.exit(run(sys.argv[1:]))


@cache
def _command() -> Callable[..., int | None]:
    """The commands, put together once: a third of the time that a command takes in a process that runs many."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        return _command()(hoist(arguments) or ["--help"], prog_name="holdfast", standalone_mode=False) or ExitCode.FINE
    except typer.TyperException as error:
        # A group without a command has printed its help and has nothing more to say.
        if words := error.format_message():
            usage(words, getattr(getattr(error, "ctx", None), "command_path", "holdfast"))
        return ExitCode.ERROR
    except BrokenPipeError:
        # Whoever read along has seen enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FINE
    except OSError as error:
        if error.errno not in _FULL:
            return _fault(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say(f"The output cannot be written ({error.strerror}); make room, or send it elsewhere.", InputError.reason)
        return ExitCode.ERROR
    except Exception as error:  # noqa: BLE001 (the last resort: a sentence, never a traceback)
        return _fault(error)


def _fault(error: Exception) -> ExitCode:
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
        elif argument in _WITHOUT_VALUE:
            front.append(argument)
        elif argument in _WITH_VALUE:
            values = [value for value in [next(remaining, None)] if value is not None]
            (rest if _names_file(rest, argument, values) else front).extend((argument, *values))
        elif argument.startswith("--output=") and _names_file(rest, "--output", [argument.partition("=")[2]]):
            rest.append(argument)
        elif argument.startswith(tuple(f"{option}=" for option in _WITH_VALUE if option.startswith("--"))):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def _names_file(before: Sequence[str], option: str, values: Sequence[str]) -> bool:
    is_output = option in {"--output", "-o"} and bool(values) and values[0] not in tuple(Output)
    return is_output and bool(before) and before[0] in _WRITE_FILES
