"""What is not settled: relationships that somebody should look at, rows that nobody counted, findings that somebody lives with. Pure."""

from collections.abc import Iterator

from holdfastd.inference.model import Relationship
from holdfastd.report.blocks import Block, Grid, Line, Paragraph
from holdfastd.report.chapters.capped import capped, more
from holdfastd.report.view import View
from holdfastd.report.words import NOTHING, chance, clean, day, number, plural, prose, relationship_name, rows, shortened, table_name

_MANY = 20
_EXAMPLES = 3


def doubtful(view: View) -> Iterator[Block]:
    """Yield relationships for review, the likeliest first."""
    found = view.doubtful
    if not found:
        return
    yield Paragraph(f"{plural(len(found), 'relationship')} may be meant; a plan leaves out what no policy includes.")
    listed = [(relationship_name(item), chance(item.confidence), rows(item.orphan_rows), _evidence(item)) for item in found]
    columns = ("Relationship", "Conf.", "Orphans", "Why")
    command = f"holdfast relationships {view.name}"
    yield from capped(columns, listed, what="for review", command=command, numbers=("Conf.", "Orphans"), shown=_MANY)


def _evidence(item: Relationship) -> str:
    return prose("; ".join(each.text for each in item.evidence[:2])) or NOTHING


def uncounted(view: View) -> Iterator[Block]:
    """Yield why rows were not counted, reason by reason."""
    if not view.uncounted:
        return
    reasons: dict[str, list[str]] = {}
    for item in view.uncounted:
        reasons.setdefault(item.obstacle or item.orphan_rows.reason or "no reason was told", []).append(relationship_name(item))
    ordered = sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    listed: list[tuple[Line, ...]] = [(prose(reason), number(len(items)), shortened(items, _EXAMPLES)) for reason, items in ordered]
    command = f"holdfast findings {view.name}"
    yield from capped(("Why", "How many", "Such as"), listed, what="reasons", command=command, numbers=("How many",), shown=_MANY)


def ignored(view: View) -> Iterator[Block]:
    """Yield what somebody decided to live with, and why."""
    if not view.ignored:
        return
    listed: list[tuple[Line, ...]] = []
    for finding, decision in view.ignored[:_MANY]:
        item = view.by_id.get(finding.relationship_id)
        what = relationship_name(item) if item else table_name(finding.table)
        until = day(decision.expire_time) if decision.expire_time else "for good"
        listed.append((f"{finding.kind.lower().replace('_', ' ')}: {what}", clean(decision.reason), clean(decision.principal), until))
    yield Grid(("Finding", "Why it stays", "Who", "Until"), listed)
    if view.ignored[_MANY:]:
        yield Paragraph(more(len(view.ignored) - _MANY, "ignored findings", f"holdfast findings {view.name} --ignored"))
