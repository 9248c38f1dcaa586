"""`holdfast gate`: lets what was known pass, and fails at what is new."""

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson, Parse, ParseError

from holdfast.cli.arguments import Name
from holdfast.cli.audits import SeverityName
from holdfast.cli.failures import ExitCode, InputError
from holdfast.cli.report import OfAudit
from holdfast.cli.session import Session, command
from holdfast.v1.core_pb2 import Severity
from holdfast.v1.gate_service_pb2 import Baseline

commands = typer.Typer()

Known = Annotated[Path | None, typer.Option("--baseline", metavar="FILE", help="What is known; without it everything is new.")]
Written = Annotated[Path | None, typer.Option("--write-baseline", metavar="FILE", help="Write what is known from now on.")]
Least = Annotated[SeverityName, typer.Option("--severity", help="New findings at least this severe fail.")]
Orphans = Annotated[int, typer.Option("--max-new-orphans", metavar="N", min=0, help="So many new orphan rows pass.")]


@command(commands, "gate", example="holdfast gate shop --baseline known.json --max-new-orphans 0")
async def gate(
    session: Session,
    name: Name,
    baseline: Known = None,
    written: Written = None,
    audit: OfAudit = "",
    severity: Least = SeverityName.WARN,
    orphans: Orphans = 0,
) -> ExitCode:
    """Judge the latest audit: only what a baseline does not know fails. Exit code 1: it failed."""
    known = read_baseline(baseline) if baseline else None
    response = await session.client.judge_audit(
        name,
        audit_id=audit,
        baseline=known,
        minimum_severity=Severity.Value(f"SEVERITY_{severity.upper()}"),
        max_new_orphans=orphans,
    )
    session.show(response)
    if written:
        write_baseline(written, response.current)
        session.tell(f"Known from now on: {written}")
    return ExitCode.FINE if response.passed else ExitCode.FINDINGS


def read_baseline(path: Path) -> Baseline:
    """Return what a baseline file says; InputError when it is none."""
    try:
        known = Parse(path.read_text(encoding="utf-8"), Baseline())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.") from error
    except ParseError:
        known = Baseline()
    if not known.audit_id:
        raise InputError(f"{path} is no baseline; `holdfast gate NAME --write-baseline {path}` writes one.")
    return known


def write_baseline(path: Path, known: Baseline) -> None:
    """Write a baseline file: sorted, one entry a line, so that a review shows what changed."""
    try:
        path.write_text(MessageToJson(known, preserving_proto_field_name=True, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
