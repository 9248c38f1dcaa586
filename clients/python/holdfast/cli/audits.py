"""`holdfast audit`, `audits`, `relationships`, `findings`, `orphans`: examining a database and reading what was found."""

import functools
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from holdfast.cli import completing
from holdfast.cli.arguments import Detach, Name, OfDatabase
from holdfast.cli.durations import duration
from holdfast.cli.ending import ending
from holdfast.cli.failures import ExitCode
from holdfast.cli.following import follow
from holdfast.cli.intent import Intents, declared
from holdfast.cli.render import audits as tables
from holdfast.cli.render import relationship as details
from holdfast.cli.resolve import resolve, resolve_one
from holdfast.cli.session import Session, command
from holdfast.errors import HoldfastError
from holdfast.pages import every_page
from holdfast.v1.audit_service_pb2 import CHANGE_KIND_APPEARED
from holdfast.v1.core_pb2 import FINDING_STATE_IGNORED, JOB_STATE_SUCCEEDED, SEVERITY_UNSPECIFIED, Severity


class SeverityName(StrEnum):
    """How bad."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"

    @property
    def value_in_proto(self) -> Severity.ValueType:
        """The same in the contract."""
        return Severity.Value(f"SEVERITY_{self.name}")


app = typer.Typer(name="audits", help="List, show and compare audits.", no_args_is_help=True)
commands = typer.Typer()

AuditId = Annotated[str, typer.Argument(metavar="AUDIT", help="Id of an audit.", autocompletion=completing.audits)]
FailOn = Annotated[SeverityName | None, typer.Option("--fail-on", help="End with 1 when something at least this bad is found.")]
FailOnNew = Annotated[SeverityName | None, typer.Option("--fail-on", help="End with 1 when a finding at least this bad appeared.")]
BaseAudit = Annotated[
    str, typer.Argument(metavar="[BASE]", help="Id of the earlier audit.", show_default=False, autocompletion=completing.audits)
]
HeadAudit = Annotated[
    str, typer.Argument(metavar="[HEAD]", help="Id of the later audit.", show_default=False, autocompletion=completing.audits)
]
AtLeast = Annotated[SeverityName | None, typer.Option("--severity", help="Only findings at least this bad; end with 1 when there are any.")]
RelationshipName = Annotated[
    str,
    typer.Argument(
        metavar="RELATIONSHIP",
        help="An id, or table.column when that is unambiguous.",
        show_default=False,
        autocompletion=completing.relationships,
    ),
]
OneRelationship = Annotated[
    str,
    typer.Argument(
        metavar="[RELATIONSHIP]",
        help="Everything about this one: an id, or table.column.",
        show_default=False,
        autocompletion=completing.relationships,
    ),
]
WithIgnored = Annotated[bool, typer.Option("--ignored", help="Also list findings that somebody decided to live with.")]
EstimateAfter = Annotated[
    timedelta | None,
    typer.Option("--estimate-after", metavar="TIME", parser=duration, help="Estimate counts that take longer than this, such as 60s."),
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many rows.")]
Columns = Annotated[list[str], typer.Option("--column", metavar="C", help="Show this column, too; may be repeated.", show_default=False)]


@command(commands, "audit", example="holdfast audit shop --fail-on error")
async def audit(
    session: Session,
    name: Name,
    detach: Detach = False,
    fail_on: FailOn = None,
    estimate_after: EstimateAfter = None,
    intent: Intents = [],  # noqa: B006
) -> ExitCode:
    """Find undeclared keys and count orphan rows; only read."""
    meant = declared(session, intent)
    if detach:
        started = await session.client.start_audit(name, estimate_after=estimate_after, intent=meant)
        session.show(started)
        session.suggest(f"holdfast watch {started.job.id}")
        return ExitCode.FINE
    job = await follow(session, session.client.audit(name, estimate_after=estimate_after, intent=meant))
    made = await session.client.get_audit(job.audit_id)
    if job.state != JOB_STATE_SUCCEEDED:
        session.show(made)
        raise HoldfastError.from_job(job)
    is_for_people = session.printer.is_for_people
    session.show(made, ending(made.audit, await session.client.list_suggestions(name, audit_id=job.audit_id)) if is_for_people else None)
    session.suggest(f"holdfast report {name}", f"holdfast relationships {name}", f"holdfast findings {name}", f"holdfast plan {name}")
    if fail_on is None:
        return ExitCode.FINE
    worst = await session.client.list_findings(name, audit_id=job.audit_id, minimum_severity=fail_on.value_in_proto, page_size=1)
    return ExitCode.FINDINGS if worst.findings else ExitCode.FINE


@command(app, "list", example="holdfast audits list --database shop")
async def list_(session: Session, database: OfDatabase = "") -> None:
    """List audits, newest first."""
    session.show(await every_page(functools.partial(session.client.list_audits, database=database)))


@command(app, "show", example="holdfast audits show AUDIT")
async def show(session: Session, audit_id: AuditId) -> None:
    """Show one audit with its summary."""
    session.show(await session.client.get_audit(audit_id))


@command(app, "compare", example="holdfast audits compare shop")
async def compare(session: Session, name: Name, base: BaseAudit = "", head: HeadAudit = "", fail_on: FailOnNew = None) -> ExitCode:
    """Tell what appeared, changed and went away between two audits.

    Without ids, between the last two that succeeded.
    """
    compared = await session.client.compare_audits(name, base_audit_id=base, head_audit_id=head)
    session.show(compared)
    new = [change.finding for change in compared.findings if change.kind == CHANGE_KIND_APPEARED]
    is_open = [finding for finding in new if finding.state != FINDING_STATE_IGNORED]
    if fail_on is not None and any(finding.severity >= fail_on.value_in_proto for finding in is_open):
        return ExitCode.FINDINGS
    return ExitCode.FINE


@command(commands, "relationships", example="holdfast relationships shop")
async def relationships(session: Session, name: Name, relationship: OneRelationship = "") -> None:
    """List what the latest audit found to belong together, or one.

    Declared or not, with the orphan rows of each and the ON DELETE that Holdfast suggests.
    """
    found = await every_page(functools.partial(session.client.list_relationships, name))
    if not relationship:
        session.show(found)
        if found.relationships:
            session.suggest(f"holdfast relationships {name} RELATIONSHIP", f"holdfast orphans {name} RELATIONSHIP")
        return
    wanted = resolve(relationship, found.relationships)
    chosen = [item for item in found.relationships if item.id == wanted]
    del found.relationships[:]
    found.relationships.extend(chosen)
    session.show(found, details.whole(chosen))


@command(commands, "tables", example="holdfast tables shop")
async def list_tables(session: Session, name: Name) -> None:
    """List the tables that the latest audit saw."""
    session.show(await every_page(functools.partial(session.client.list_tables, name)))


@command(commands, "findings", example="holdfast findings shop --severity error")
async def findings(session: Session, name: Name, severity: AtLeast = None, ignored: WithIgnored = False) -> ExitCode:
    """List the findings of the latest audit, the worst first.

    Ignored ones are left out, and never make it end with 1.
    """
    minimum = severity.value_in_proto if severity else SEVERITY_UNSPECIFIED
    # People are told how many were left out.
    listing = functools.partial(
        session.client.list_findings, name, minimum_severity=minimum, include_ignored=ignored or session.printer.is_for_people
    )
    found = await every_page(listing)
    is_open = [finding for finding in found.findings if finding.state != FINDING_STATE_IGNORED]
    session.show(found, tables.findings(found.findings if ignored else is_open))
    if not ignored and (left_out := len(found.findings) - len(is_open)):
        session.tell(f"{left_out} ignored: holdfast findings {name} --ignored")
    return ExitCode.FINDINGS if severity and is_open else ExitCode.FINE


@command(commands, "orphans", example="holdfast orphans shop reports.station_id --column status")
async def orphans(
    session: Session,
    name: Name,
    relationship: RelationshipName,
    limit: Limit = 20,
    column: Columns = [],  # noqa: B006
) -> None:
    """Show orphan rows of a relationship.

    Read from the database now: their keys, and the columns asked for.
    """
    relationship_id = await resolve_one(session.client, name, relationship)
    session.show(await session.client.sample_orphans(name, relationship_id, limit=limit, columns=column))
