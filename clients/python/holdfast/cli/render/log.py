"""The audit log as a table."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import clean, minute, number
from holdfast.v1.audit_log_service_pb2 import AuditLogEntry, VerifyEntriesResponse

_FINE = "OK"
#: Ids of jobs and plans stay whole; those of findings are longer than a line.
_ID_WIDTH = 32


def entries(found: Iterable[AuditLogEntry]) -> RenderableType:
    """Return entries: what was done to what, and why not where it failed."""
    table = listing("#", "Time (UTC)", "Who", "What", "Database", numbers=("#",), narrow=("Time (UTC)", "What"))
    for entry in found:
        what = Text(clean(entry.action))
        what.append("".join(f"\n{part}" for part in _folded(clean(entry.subject))), style="dim")
        what.append("" if entry.outcome == _FINE else f"\nFAILED {clean(entry.outcome)}", style="red")
        table.add_row(str(entry.sequence), minute(entry.time), clean(entry.principal), what, clean(entry.database))
    return or_nothing(table, "The audit log is empty.")


def _folded(text: str) -> list[str]:
    # By hand: a column with a least width makes others fall off the screen.
    return [text[at : at + _ID_WIDTH] for at in range(0, len(text), _ID_WIDTH)]


def verified(response: VerifyEntriesResponse, *, after: int = 0) -> RenderableType:
    """Return whether the log is as it was written, from the first entry on or after a later one."""
    broken = Text(f"broken at entry {response.first_broken_sequence}", style="bold red")
    return facts(
        (
            ("audit log", Text("intact", style="green") if response.intact else broken),
            *((("what is wrong", clean(response.message)),) if response.message else ()),
            ("entries", f"{number(response.entries)} after entry {after}" if after else number(response.entries)),
            ("head hash", response.head_hash),
        )
    )
