"""The arguments and options that several commands share."""

from typing import Annotated

import typer

from holdfast.cli import completing

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a registered database.", autocompletion=completing.databases)]
PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="Id of a plan.", autocompletion=completing.plans)]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job.", autocompletion=completing.jobs)]
OfDatabase = Annotated[
    str,
    typer.Option(
        "--database", metavar="NAME", help="Only those of this database.", show_default=False, autocompletion=completing.databases
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Return once it is started, instead of waiting for the end.")]
DsnEnv = Annotated[str, typer.Option("--dsn-env", metavar="VAR", help="Environment variable of the service that holds the DSN.")]
DsnFile = Annotated[str, typer.Option("--dsn-file", metavar="FILE", help="File that the service reads the DSN from.")]
Dsn = Annotated[str, typer.Option("--dsn", metavar="URL", help="The DSN itself; stored encrypted, never shown again.")]
