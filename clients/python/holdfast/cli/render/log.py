"""The audit log as a table."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import clean, minute, number
from holdfast.v1.audit_log_service_pb2 import AuditLogEntry, VerifyEntriesResponse

_FINE = "OK"
_ID_WIDTH = 26


def entries(found: Iterable[AuditLogEntry]) -> RenderableType:
    """Return entries, one line each where the terminal is wide enough."""
    table = listing("#", "Time (UTC)", "Who", "What", "Database", "Outcome", numbers=("#",), narrow=("Time (UTC)", "Outcome"))
    # Ids of jobs and plans stay whole; those of findings are longer than a line.
    table.columns[3].min_width = _ID_WIDTH
    for entry in found:
        what = Text(clean(entry.action))
        what.append(f"\n{clean(entry.subject)}" if entry.subject else "", style="dim")
        is_fine = entry.outcome == _FINE
        # Reasons are long names; the column has room for whether, not for why.
        what.append("" if is_fine else f"\n{clean(entry.outcome)}", style="red")
        table.add_row(
            str(entry.sequence),
            minute(entry.time),
            clean(entry.principal),
            what,
            clean(entry.database),
            Text(_FINE if is_fine else "FAILED", style="green" if is_fine else "red"),
        )
    return or_nothing(table, "The audit log is empty.")


def verified(response: VerifyEntriesResponse) -> RenderableType:
    """Return whether the log is as it was written."""
    broken = Text(f"broken at entry {response.first_broken_sequence}", style="bold red")
    return facts(
        (
            ("audit log", Text("intact", style="green") if response.intact else broken),
            *((("what is wrong", clean(response.message)),) if response.message else ()),
            ("entries", number(response.entries)),
            ("head hash", response.head_hash),
        )
    )
