"""`holdfast report`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli import completing
from holdfast.cli.arguments import Name
from holdfast.cli.failures import InputError
from holdfast.cli.session import Session, command
from holdfast.v1.report_service_pb2 import REPORT_FORMAT_HTML, REPORT_FORMAT_MARKDOWN


class Format(StrEnum):
    """What the report is written in."""

    MARKDOWN = "md"
    HTML = "html"


commands = typer.Typer()

OfAudit = Annotated[
    str,
    typer.Option(
        "--audit", metavar="AUDIT", help="This audit instead of the latest.", show_default=False, autocompletion=completing.audits
    ),
]
OfPlan = Annotated[
    str,
    typer.Option(
        "--plan",
        metavar="PLAN",
        help="With this plan instead of the latest made from the audit.",
        show_default=False,
        autocompletion=completing.plans,
    ),
]
In = Annotated[Format, typer.Option("--format", help="Markdown, or one HTML page that needs nothing else.")]
Out = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of printing.", show_default=False)]


@command(commands, "report", example="holdfast report shop --format html --output shop.html")
async def report(
    session: Session, name: Name, format_: In = Format.MARKDOWN, audit: OfAudit = "", plan: OfPlan = "", output: Out = ""
) -> None:
    """Write the latest audit as a report.

    What to do first, and why; the map; each proposed key with its reason;
    scripts, order, risks, deployment, rollback; after an application, its results.
    """
    wanted = REPORT_FORMAT_HTML if format_ is Format.HTML else REPORT_FORMAT_MARKDOWN
    text = await session.client.render_report(name, audit_id=audit, plan_id=plan, format_=wanted)
    if output in {"", "-"}:
        session.printer.write(text.rstrip("\n"))
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output} cannot be written ({error.strerror}); give another --output.") from None
    session.tell(f"Wrote {output}.")
