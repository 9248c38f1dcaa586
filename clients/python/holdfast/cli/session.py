"""What every command has at hand, and how a command becomes a typer command: async function in, exit code out."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

import typer
from google.protobuf.message import Message
from rich.console import RenderableType

from holdfast.cli.failures import ExitCode, InputError, fail, say
from holdfast.cli.output import Output, Printer
from holdfast.client import Holdfast
from holdfast.errors import HoldfastError

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The global options."""

    server: str
    output: Output
    principal: str


class Session:
    """One run of one command."""

    def __init__(self, client: Holdfast, printer: Printer) -> None:
        """Take an open client and a printer."""
        self.client = client
        self.printer = printer

    def show(self, message: Message, table: RenderableType | None = None) -> None:
        """Print the response; people get the table, where one is given."""
        self.printer.show(message, table)

    def tell(self, note: RenderableType) -> None:
        """Print a note to people."""
        self.printer.tell(note)


Command = Callable[Concatenate[Session, P], Awaitable[ExitCode | None]]


def command(app: typer.Typer, name: str, *, example: str, **options: Any) -> Callable[[Command[P]], Command[P]]:
    """Register an async function whose first parameter is the session; its help ends with the example."""

    def register(function: Command[P]) -> Command[P]:
        @functools.wraps(function)
        def run(context: typer.Context, *args: P.args, **kwargs: P.kwargs) -> ExitCode:
            return _run(context.obj, lambda session: function(session, *args, **kwargs))

        # typer reads the signature: the session is not an argument of the command line, the context is typer's.
        first, *others = inspect.signature(function).parameters.values()
        context = inspect.Parameter("context", first.kind, annotation=typer.Context)
        run.__signature__ = inspect.Signature([context, *others])  # type: ignore[attr-defined]
        run.__annotations__ = {"context": typer.Context} | {p.name: p.annotation for p in others}
        app.command(name, epilog=f"Example: {example}", **options)(run)
        return function

    return register


def _run(settings: Settings, work: Callable[[Session], Awaitable[ExitCode | None]]) -> ExitCode:
    try:
        return asyncio.run(_with_client(settings, work)) or ExitCode.FINE
    except HoldfastError as error:
        return fail(error)
    except InputError as error:
        say(str(error), error.reason)
        return ExitCode.ERROR


async def _with_client(settings: Settings, work: Callable[[Session], Awaitable[ExitCode | None]]) -> ExitCode | None:
    async with Holdfast(settings.server, principal=settings.principal) as client:
        return await work(Session(client, Printer(settings.output)))
