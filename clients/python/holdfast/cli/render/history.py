"""How orphan rows came and went, as tables with bars."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing, or_nothing
from holdfast.cli.render.words import clean, minute, number, relationship, rows
from holdfast.v1.audit_service_pb2 import OrphanCount

_STEPS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SPARKS = 20
_BAR = 20
_NONE = "No audit counted orphan rows in that time; `holdfast audit NAME` does, `holdfast schedules set NAME` keeps doing it."


def of_all(counts: Iterable[OrphanCount]) -> RenderableType:
    """Return one line per relationship that had orphan rows, the most first; in come counts, newest first."""
    series: dict[str, list[OrphanCount]] = {}
    for count in counts:
        series.setdefault(count.relationship_id, []).append(count)
    if not series:
        return _NONE
    table = listing("Relationship", "Orphans", "First", "Now", "Change", numbers=("First", "Now", "Change"), narrow=("Orphans",))
    had_some = {id_: found for id_, found in series.items() if any(count.orphan_rows.value for count in found)}
    for id_, found in sorted(had_some.items(), key=lambda item: (-item[1][0].orphan_rows.value, item[0])):
        newest, oldest = found[0].orphan_rows, found[-1].orphan_rows
        values = [count.orphan_rows.value for count in reversed(found)]
        table.add_row(relationship(id_), spark(values), rows(oldest), rows(newest), _change(newest.value - oldest.value))
    clean_ones = len(series) - len(had_some)
    note = Text(f"{number(clean_ones)} relationship{'s' if clean_ones != 1 else ''} had no orphan row at any audit.", style="green")
    if not had_some:
        return note
    return Group(table, "", note) if clean_ones else table


def of_one(counts: Iterable[OrphanCount]) -> RenderableType:
    """Return one line per audit, newest first, with a bar."""
    found = list(counts)
    table = listing("Time (UTC)", "Audit", "Orphans", "", numbers=("Orphans",), narrow=("Time (UTC)", "Audit"))
    most = max((count.orphan_rows.value for count in found), default=0)
    for count in found:
        bar = Text(_bar(count.orphan_rows.value, most), style="red")
        table.add_row(minute(count.time), clean(count.audit_id), rows(count.orphan_rows), bar)
    return or_nothing(table, _NONE)


def spark(values: Sequence[int]) -> str:
    """Return the last numbers as blocks, oldest first: the lowest is nothing, any row at all is higher."""
    last = values[-_SPARKS:]
    most = max(last, default=0)
    return "".join(_STEPS[0] if not value else _STEPS[1 + (value * (len(_STEPS) - 2)) // most] for value in last)


def _bar(value: int, most: int) -> str:
    if not value:
        return ""
    eighths = max(1, round(value / most * _BAR * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _change(more: int) -> Text:
    if not more:
        return Text("=", style="dim")
    return Text(f"{more:+,}", style="bold red" if more > 0 else "green")
