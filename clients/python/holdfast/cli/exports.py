"""`holdfast export`: findings and plans as files of other tools."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.arguments import Name, PlanId
from holdfast.cli.audits import SeverityName
from holdfast.cli.failures import InputError
from holdfast.cli.report import OfAudit
from holdfast.cli.session import Session, command
from holdfast.v1.export_service_pb2 import FindingsFormat, PlanFormat


class FindingsFormatName(StrEnum):
    """What findings are written as."""

    SARIF = "sarif"
    JUNIT = "junit"


class PlanFormatName(StrEnum):
    """What a plan is written as."""

    SQL = "sql"
    ALEMBIC = "alembic"
    DJANGO = "django"
    RAILS = "rails"
    FLYWAY = "flyway"
    LIQUIBASE = "liquibase"
    DRIZZLE = "drizzle"
    PRISMA = "prisma"


#: What runs the files.
_NEXT = {
    PlanFormatName.ALEMBIC: "alembic upgrade head",
    PlanFormatName.DJANGO: "python manage.py migrate",
    PlanFormatName.RAILS: "bin/rails db:migrate",
    PlanFormatName.FLYWAY: "flyway -postgresql.transactional.lock=false migrate",
    PlanFormatName.LIQUIBASE: "liquibase update",
}

app = typer.Typer(name="export", help="Write findings and plans as files of other tools.", no_args_is_help=True)

FindingsAs = Annotated[FindingsFormatName, typer.Option("--format", help="For code scanning, or for build servers.")]
PlanAs = Annotated[PlanFormatName, typer.Option("--format", help="The tool that is to read it.")]
AtLeast = Annotated[SeverityName, typer.Option("--severity", help="Only findings at least this bad.")]
Out = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of printing.", show_default=False)]
After = Annotated[
    str, typer.Option("--after", metavar="MIGRATION", help="It follows this one: a revision, or app.0007_name.", show_default=False)
]
Directory = Annotated[Path, typer.Option("--directory", metavar="DIR", help="Where the files go.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files.", show_default=False)]


@command(app, "findings", example="holdfast export findings shop --format sarif --output shop.sarif", rich_help_panel=None)
async def findings(
    session: Session,
    name: Name,
    format_: FindingsAs = FindingsFormatName.SARIF,
    audit: OfAudit = "",
    severity: AtLeast = SeverityName.INFO,
    output: Out = "",
    *,
    force: Force = False,
) -> None:
    """Write the findings of the latest audit for another tool."""
    files = await session.client.export_findings(
        name,
        FindingsFormat.Value(f"FINDINGS_FORMAT_{format_.name}"),
        audit_id=audit,
        minimum_severity=severity.value_in_proto,
    )
    text = "".join(files.values())
    if output in {"", "-"}:
        session.printer.write(text.rstrip("\n"))
        return
    _write_findings(session, Path(output), text, force=force)


@command(app, "plan", example="holdfast export plan PLAN --format alembic --after 3f1a2b", rich_help_panel=None)
async def plan(
    session: Session,
    plan_id: PlanId,
    format_: PlanAs = PlanFormatName.SQL,
    after: After = "",
    directory: Directory = Path(),
    *,
    force: Force = False,
) -> None:
    """Write a plan as a migration of another tool, or as the schema after it."""
    files = await session.client.export_plan(plan_id, PlanFormat.Value(f"PLAN_FORMAT_{format_.name}"), after=after)
    write(session, directory, files, force=force)
    if format_ in _NEXT:
        session.suggest(_NEXT[format_])


def _write_findings(session: Session, path: Path, text: str, *, force: bool) -> None:
    """Write to the place that a person named: through links, and into pipes and devices such as /dev/stdout, too."""
    with _in_a_sentence(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(text.encode())
            return
        place = path.resolve() if path.is_symlink() else path
    write(session, place.parent, {place.name: text}, force=force)


def write(session: Session, directory: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Write files into a directory, all or none, and say which; raise InputError when one is there or would be elsewhere."""
    with _in_a_sentence(directory):
        places = {_place(directory, name): text for name, text in files.items()}
        there = [place for place in places if place.exists()]
        if there and not force:
            message = f"{there[0]} exists; give --force to overwrite it, or write elsewhere."
            raise InputError(message)
        _write_all(places)
    for place in places:
        session.tell(f"Wrote {place}.")


@contextmanager
def _in_a_sentence(place: Path) -> Iterator[None]:
    """Say what the file system refuses; links in a circle are a RuntimeError there."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "links in a circle"
        message = f"{getattr(error, 'filename', None) or place} cannot be written ({why}); give another place."
        raise InputError(message) from error


def _write_all(places: Mapping[Path, str]) -> None:
    """Write every file beside its place, then move all: a full disk leaves nothing half written, and what was there as it was."""
    written: dict[Path, Path] = {}
    try:
        for place, text in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
            beside = place.with_name(f".holdfast-{os.getpid()}-{len(written)}")
            with beside.open("xb") as file:
                written[beside] = place
                # As it is: a line break may be part of a name.
                file.write(text.encode())
        for beside, place in written.items():
            beside.replace(place)
    finally:
        for beside in written:
            beside.unlink(missing_ok=True)


def _place(directory: Path, name: str) -> Path:
    """Return where a file goes. The service names files, but not their place: nothing leaves the directory, by links neither."""
    place = directory / name
    inside = place.parent.resolve().is_relative_to(directory.resolve())
    if not inside or place.is_symlink() or Path(name).name in {"", ".", ".."} or "\\" in name or "\0" in name:
        message = f"the service names a file outside of {directory}; nothing was written, write to an empty directory or update it."
        raise InputError(message)
    return place
