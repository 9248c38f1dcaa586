"""`holdfast impact`: what deleting a row would take along."""

from typing import Annotated

import typer

from holdfast.cli import completing
from holdfast.cli.arguments import Name
from holdfast.cli.failures import ExitCode
from holdfast.cli.session import Session, command

commands = typer.Typer()

Table = Annotated[str, typer.Argument(metavar="TABLE", help="`table`, or `schema.table`.")]
Key = Annotated[list[str], typer.Argument(metavar="KEY", help="Its primary key, one value per column.")]
OfPlan = Annotated[
    str,
    typer.Option("--plan", metavar="PLAN", help="As if this plan were applied.", show_default=False, autocompletion=completing.plans),
]
Rows = Annotated[int, typer.Option("--max-rows", metavar="N", min=1, help="Follow at most so many rows.")]
Samples = Annotated[int, typer.Option("--samples", metavar="N", min=1, max=100, help="Show so many keys of each table.")]
Scans = Annotated[bool, typer.Option("--allow-scans", help="Read whole tables where no index helps.", show_default=False)]


@command(commands, "impact", example="holdfast impact shop stations 42")
async def impact(
    session: Session,
    name: Name,
    table: Table,
    key: Key,
    plan: OfPlan = "",
    rows: Rows = 100_000,
    samples: Samples = 5,
    scans: Scans = False,
) -> ExitCode:
    """Tell what deleting a row would do, without doing it. Exit code 1: the deletion would fail."""
    response = await session.client.get_impact(name, table, key, plan_id=plan, max_rows=rows, sample_size=samples, allow_scans=scans)
    session.show(response)
    return ExitCode.FINDINGS if response.blocked else ExitCode.FINE
