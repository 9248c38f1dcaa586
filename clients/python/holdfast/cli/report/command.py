"""`holdfast report`."""

from enum import StrEnum
from typing import Annotated

import typer

from holdfast.cli.arguments import Name
from holdfast.cli.report.build import build_report
from holdfast.cli.report.gather import gather
from holdfast.cli.report.html import render_html
from holdfast.cli.report.markdown import render_markdown
from holdfast.cli.session import Session, command


class Format(StrEnum):
    """What the report is written in."""

    MARKDOWN = "md"
    HTML = "html"


commands = typer.Typer()

OfAudit = Annotated[str, typer.Option("--audit", metavar="AUDIT", help="This audit instead of the latest.", show_default=False)]
In = Annotated[Format, typer.Option("--format", help="Markdown, or one HTML page that needs nothing else.")]


@command(commands, "report", example="holdfast report shop --format html > shop.html")
async def report(session: Session, name: Name, format_: In = Format.MARKDOWN, audit: OfAudit = "") -> None:
    """Write the latest audit as a report: what to do first, and why."""
    document = build_report(await gather(session.client, name, audit))
    session.printer.write((render_html if format_ is Format.HTML else render_markdown)(document).rstrip("\n"))
