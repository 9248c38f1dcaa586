"""What every command has at hand, and how a command becomes a typer command: async function in, exit code out."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

import typer
from google.protobuf.message import Message
from rich.console import RenderableType

from holdfast.addresses import CannotConnect
from holdfast.cli.failures import ExitCode, InputError, fail, say
from holdfast.cli.nearest import with_nearest
from holdfast.cli.output import Colour, Output, Printer
from holdfast.cli.panels import PANELS
from holdfast.client import Holdfast
from holdfast.errors import HoldfastError
from holdfast.security import Tls, Token

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The global options."""

    server: str
    output: Output
    principal: str
    colour: Colour = Colour.AUTO
    token: Token = field(default="", repr=False)
    tls: Tls | None = None
    allow_plaintext_token: bool = False


class Session:
    """One run of one command."""

    def __init__(self, connect: Callable[[], Holdfast], printer: Printer) -> None:
        """Take how to connect, and a printer."""
        self._connect = connect
        self._client: Holdfast | None = None
        self.printer = printer

    @property
    def client(self) -> Holdfast:
        """The client. Connecting waits until a command asks: some need no service."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    async def close(self) -> None:
        """Close the client, if there is one."""
        if self._client is not None:
            await self._client.close()

    def show(self, message: Message, table: RenderableType | None = None) -> None:
        """Print the response; people get the table, where one is given."""
        self.printer.show(message, table)

    def tell(self, note: RenderableType) -> None:
        """Print a note to people."""
        self.printer.tell(note)

    def suggest(self, *commands: str, when: str = "Next") -> None:
        """Tell people which commands come next, one a line, to be copied."""
        for number, words in enumerate(commands):
            self.printer.tell(f"{f'{when}:' if number == 0 else ' ' * (len(when) + 1)} {words}", whole=True)


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
        options.setdefault("rich_help_panel", PANELS.get(name))
        app.command(name, epilog=f"Example: {example}", **options)(run)
        return function

    return register


def _run(settings: Settings, work: Callable[[Session], Awaitable[ExitCode | None]]) -> ExitCode:
    try:
        return asyncio.run(_with_session(settings, work)) or ExitCode.FINE
    except HoldfastError as error:
        return fail(error)
    except InputError as error:
        say(str(error), error.reason)
        return ExitCode.ERROR
    except CannotConnect as error:
        say(str(error), InputError.reason)
        return ExitCode.ERROR


async def _with_session(settings: Settings, work: Callable[[Session], Awaitable[ExitCode | None]]) -> ExitCode | None:
    session = Session(functools.partial(connect, settings), Printer(settings.output, settings.colour))
    try:
        return await work(session)
    except HoldfastError as error:
        raise await with_nearest(session.client, error) from error.__cause__
    finally:
        await session.close()


def connect(settings: Settings, **options: Any) -> Holdfast:
    """Return a client; the options are those of Holdfast."""
    return Holdfast(
        settings.server,
        principal=settings.principal,
        token=settings.token,
        tls=settings.tls,
        allow_plaintext_token=settings.allow_plaintext_token,
        **options,
    )
