"""Audits, relationships, findings and orphan rows as tables."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import (
    NOTHING,
    chance,
    clean,
    lasted,
    minute,
    moment,
    number,
    prose,
    relationship,
    rows,
    share,
    standing,
    state,
    word,
)
from holdfast.v1.audit_service_pb2 import Audit, AuditState, AuditSummary, SampleOrphansResponse
from holdfast.v1.core_pb2 import FINDING_STATE_IGNORED, Finding, Ignored, OnDelete, Relationship, Severity


def one(audit: Audit) -> RenderableType:
    """Return one audit with its summary."""
    head = facts(
        (
            ("audit", Text(clean(audit.id), style="bold")),
            ("database", clean(audit.database)),
            ("state", state(AuditState, audit.state)),
            ("started", moment(audit.create_time)),
            ("took", lasted(audit.create_time, audit.end_time)),
        )
    )
    if not audit.HasField("summary"):
        return head
    return Group(head, "", numbers(audit.summary))


def numbers(summary: AuditSummary) -> RenderableType:
    """Return what an audit found, in numbers."""
    table = listing("Found", "Count", numbers=("Count",))
    for name, value, is_bad in (
        ("tables", summary.tables, False),
        ("relationships", summary.relationships, False),
        ("  undeclared", summary.undeclared_relationships, True),
        ("  not validated", summary.not_validated_keys, True),
        ("  without an index", summary.missing_indexes, True),
        ("  not auditable", summary.not_auditable, True),
        ("  estimated", summary.estimated, False),
        ("orphan rows", summary.orphan_rows, True),
        ("findings", summary.findings, False),
    ):
        table.add_row(name, Text(number(value), style="bold red" if is_bad and value else ""))
    return table


def many(audits: Iterable[Audit]) -> RenderableType:
    """Return a list of audits."""
    table = listing("Audit", "Database", "State", "Started", "Orphans", numbers=("Orphans",), narrow=("Audit", "State", "Started"))
    for audit in audits:
        table.add_row(
            clean(audit.id),
            clean(audit.database),
            state(AuditState, audit.state),
            minute(audit.create_time),
            number(audit.summary.orphan_rows) if audit.HasField("summary") else NOTHING,
        )
    return or_nothing(table, "There is no audit yet; `holdfast audit NAME` makes one.")


def relationships(found: Iterable[Relationship]) -> RenderableType:
    """Return a list of relationships."""
    listed = list(found)
    has_shares = any(item.orphan_details.HasField("share") for item in listed)
    columns = ("Relationship", "State", "Conf.", "Orphans", *(("Share",) if has_shares else ()), "ON DELETE")
    table = listing(*columns, numbers=("Conf.", "Orphans", "Share"), narrow=("ON DELETE",))
    for item in listed:
        details = item.orphan_details
        part = share(details.share) if details.HasField("share") else ""
        table.add_row(
            relationship(item.id),
            standing(item),
            chance(item.confidence),
            rows(item.orphan_rows),
            *((part,) if has_shares else ()),
            word(OnDelete, item.suggested_on_delete),
        )
    return or_nothing(table, "No relationship was found.")


def findings(found: Iterable[Finding]) -> RenderableType:
    """Return a list of findings: what, so what, do what."""
    table = listing("Severity", "Finding", narrow=("Severity",))
    for finding in found:
        sentences = Text(prose(finding.message))
        sentences.append(f"\n{prose(finding.consequence)}" if finding.consequence else "", style="dim")
        sentences.append(f"\n→ {prose(finding.cure)}" if finding.cure else "", style="cyan")
        sentences.append(f"\n{clean(finding.id)}", style="dim")
        if finding.state == FINDING_STATE_IGNORED:
            sentences.append(f"\n{decision(finding.ignored)}", style="magenta")
        table.add_row(state(Severity, finding.severity), sentences)
    return or_nothing(table, "Nothing was found.")


def decision(ignored: Ignored) -> str:
    """Return why a finding is ignored, by whom and until when."""
    until = f" until {moment(ignored.expire_time)[:10]}" if ignored.HasField("expire_time") else ""
    return f"ignored by {clean(ignored.principal) or 'nobody'}{until}: {clean(ignored.reason)}"


def samples(response: SampleOrphansResponse) -> RenderableType:
    """Return orphan rows; NULL is not the text NULL."""
    table = listing(*(clean(column) for column in response.columns))
    for sample in response.samples:
        nulls = list(sample.nulls) or [False] * len(sample.values)
        cells = (Text("NULL", style="dim") if is_null else Text(clean(value)) for value, is_null in zip(sample.values, nulls, strict=False))
        table.add_row(*cells)
    return or_nothing(table, "There are no orphan rows.")
