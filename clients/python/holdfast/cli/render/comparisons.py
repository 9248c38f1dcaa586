"""What differs between two audits, as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing
from holdfast.cli.render.words import clean, moment, number, prose, relationship, rows, state, word
from holdfast.v1.audit_service_pb2 import Audit, ChangeKind, CompareAuditsResponse, FindingChange, RelationshipChange
from holdfast.v1.core_pb2 import FINDING_STATE_IGNORED, Severity

_MARKS = {"APPEARED": Text("+", style="bold red"), "WENT AWAY": Text("-", style="green"), "CHANGED": Text("~", style="yellow")}


def whole(response: CompareAuditsResponse) -> RenderableType:
    """Return the audits compared, then what differs."""
    parts: list[RenderableType] = [facts((("earlier", _audit(response.base)), ("later", _audit(response.head))))]
    if not response.changed_relationships and not response.changed_findings:
        parts += ["", Text("Nothing differs.", style="green")]
    if response.relationships:
        parts += ["", _relationships(response.relationships), *_more(len(response.relationships), response.changed_relationships)]
    if response.findings:
        parts += ["", _findings(response.findings), *_more(len(response.findings), response.changed_findings)]
    return Group(*parts)


def _audit(audit: Audit) -> str:
    return f"{clean(audit.id)}  {moment(audit.end_time)} UTC"


def _relationships(changes: Sequence[RelationshipChange]) -> RenderableType:
    table = listing("", "Relationship", "What", "Was", "Is", numbers=("Was", "Is"), narrow=("",))
    for change in changes:
        was = rows(change.base_orphan_rows) if change.HasField("base_orphan_rows") else ""
        now = rows(change.head_orphan_rows) if change.HasField("head_orphan_rows") else ""
        table.add_row(_mark(change.kind), relationship(change.relationship_id), prose(change.message), was, now)
    return table


def _findings(changes: Sequence[FindingChange]) -> RenderableType:
    table = listing("", "Severity", "Finding", narrow=("", "Severity"))
    for change in changes:
        sentence = Text(prose(change.finding.message))
        sentence.append("\nignored" if change.finding.state == FINDING_STATE_IGNORED else "", style="magenta")
        table.add_row(_mark(change.kind), state(Severity, change.finding.severity), sentence)
    return table


def _mark(kind: ChangeKind.ValueType) -> Text:
    return _MARKS.get(word(ChangeKind, kind), Text("?"))


def _more(shown: int, there_are: int) -> list[RenderableType]:
    return [Text(f"{number(there_are - shown)} more did not fit.", style="yellow")] if there_are > shown else []
