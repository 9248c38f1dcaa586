"""What the signs on the map mean, as far as they occur on it. Pure."""

from collections.abc import Sequence

from holdfastd.report.map.cards import SMALL, Line
from holdfastd.report.map.lettering import width, xml
from holdfastd.report.map.paths import number
from holdfastd.report.map.states import State

HEIGHT = 22.0
_SAMPLE = 40.0
_GAP = 22.0
_MEANINGS = {
    State.VALIDATED: "declared and validated",
    State.NOT_VALIDATED: "declared, not validated",
    State.NOT_ENFORCED: "declared, not enforced",
    State.UNDECLARED: "undeclared",
    State.REVIEW: "perhaps: for review",
}


def draw_legend(lines: Sequence[Line], x: float, y: float, room: float) -> tuple[str, float]:
    """Return the legend from an upper left corner on, and its height; nothing without relationships."""
    entries = _entries(lines)
    if not entries:
        return "", 0.0
    made, left, top = [], x, y
    for drawing, wide, words in entries:
        whole = wide + 7 + width(words, SMALL)
        if left > x and left + whole > x + room:
            left, top = x, top + HEIGHT
        text = f'<text class="row muted" x="{number(wide + 7)}" y="4">{xml(words)}</text>'
        made.append(f'<g transform="translate({number(left)} {number(top + HEIGHT / 2)})">{drawing}{text}</g>')
        left += whole + _GAP
    return f'<g class="legend" role="note" aria-label="Legend">{"".join(made)}</g>', top + HEIGHT - y


def _entries(lines: Sequence[Line]) -> list[tuple[str, float, str]]:
    """Return drawing, width and words of each sign."""
    states = {line.state for line in lines}
    made = [(_sample(state.value, "required", 0), _SAMPLE, words) for state, words in _MEANINGS.items() if state in states]
    needed = {line.relationship.nullable for line in lines}
    for nullable, words in ((False, "required"), (True, "nullable")):
        if nullable in needed:
            dot = '<circle class="dot" cx="5" cy="0" r="3.4"/>'
            made.append((f'<g class="{"nullable" if nullable else "required"} validated heat-0">{dot}</g>', 10.0, words))
    if any(line.heat for line in lines):
        steps = [f'<g class="heat-{degree}"><path class="way" d="M{(degree - 1) * 22} 0h18"/></g>' for degree in range(1, 5)]
        made.append((f'<g class="undeclared-heat">{"".join(steps)}</g>', 84.0, "orphan rows: few to many, with their number"))
    if any(not line.relationship.orphan_rows.is_known for line in lines):
        pill = '<rect class="pill" x="0" y="-7.5" width="16" height="15" rx="7.5"/><text class="sign" x="8" y="3.6">?</text>'
        made.append((f'<g class="validated unknown">{pill}</g>', 16.0, "orphan rows not counted"))
    return made


def _sample(state: str, needed: str, heat: int) -> str:
    return (
        f'<g class="{state} {needed} heat-{heat}"><path class="way" d="M0 0H{number(_SAMPLE - 7)}"/>'
        f'<path class="tip" d="M{number(_SAMPLE)} 0l-8 -4v8z"/></g>'
    )
