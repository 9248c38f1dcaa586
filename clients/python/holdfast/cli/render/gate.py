"""What a gate found, as tables."""

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing
from holdfast.cli.render.words import number, prose, relationship, state
from holdfast.v1.core_pb2 import Severity
from holdfast.v1.gate_service_pb2 import JudgeAuditResponse


def verdict(response: JudgeAuditResponse) -> RenderableType:
    """Return what is new, and whether it passes."""
    parts: list[RenderableType] = []
    if response.new_findings:
        table = listing("Severity", "New finding", narrow=("Severity",))
        for finding in response.new_findings:
            table.add_row(state(Severity, finding.severity), prose(finding.message))
        parts += [table, ""]
    if response.more_orphans:
        table = listing("More orphan rows", "Known", "Now", numbers=("Known", "Now"))
        for each in response.more_orphans:
            table.add_row(relationship(each.relationship_id), number(each.base), number(each.head))
        parts += [table, ""]
    return Group(*parts, _sentence(response))


def _sentence(response: JudgeAuditResponse) -> Text:
    gone = f"; {number(len(response.gone_finding_ids))} known findings are gone" if response.gone_finding_ids else ""
    if response.passed:
        rows = f", {number(response.new_orphan_rows)} new orphan rows are within what may pass" if response.new_orphan_rows else ""
        return Text(f"Passed: nothing new{rows}{gone}.", style="green")
    new = f"{number(len(response.new_findings))} new findings, {number(response.new_orphan_rows)} new orphan rows"
    return Text(f"Failed: {new}{gone}.", style="bold red")
