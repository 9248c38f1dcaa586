"""Cards, relationships and chips as SVG groups. Everything that can be chosen is focusable and says in words what it shows."""

from collections.abc import Sequence

from holdfastd.report.map import paths
from holdfastd.report.map.cards import FOOT, HEAD, ROW, TALL_HEAD, TINY, Card, Line
from holdfastd.report.map.lettering import harmless, short_number, width, xml
from holdfastd.report.map.paths import Point, number
from holdfastd.report.map.sides import Exit
from holdfastd.report.map.states import orphan_words

CHIP_WIDTH, CHIP_HEIGHT = 232.0, 30.0
_MARGIN = 12.0


def draw_card(card: Card, corner: Point) -> str:
    """Return a table's card, without the rows of its relationships."""
    x, y = corner
    wide, head = number(card.width), TALL_HEAD if card.schema else HEAD
    made = [
        _table_group(card, f"{len(card.outgoing)} references, referenced by {len(card.incoming)}"),
        f'<rect class="box" x="{number(x)}" y="{number(y)}" width="{wide}" height="{number(card.height)}" rx="7"/>',
        f'<path class="head" d="{_head(x + 0.5, y + 0.5, card.width - 1, head - 0.5, low=card.height <= head + FOOT)}"/>',
    ]
    if card.schema:
        made.append(f'<text class="small muted" x="{number(x + _MARGIN)}" y="{number(y + 15)}">{xml(card.schema)}</text>')
    made += _name(card, x, y + head - HEAD)
    if card.key:
        made.append(_key(card, x, y + head + ROW / 2))
    if card.orphans:
        made.append(_badge(card, x + card.width - 8, y))
    return "".join(made) + "</g>"


def _table_group(card: Card, more: str) -> str:
    told = [
        harmless(str(card.name)),
        card.rows and f"about {card.rows.partition(' ')[0]} rows",
        card.orphans and f"{card.orphans:,} orphan rows",
        more,
    ]
    label = xml(", ".join(str(each) for each in told if each))
    hot = f" heat-{card.heat}" if card.orphans else ""
    data = f'data-table="{xml(str(card.name))}" data-orphans="{card.orphans}"'
    return f'<g class="table{hot}" tabindex="0" role="button" aria-label="{label}" {data}><title>{label}</title>'


def _head(x: float, y: float, wide: float, high: float, *, low: bool) -> str:
    """Path data of the part with the name: round above, and below only where nothing follows."""
    end = f"v{number(high - 6.5)}" + (f"q0 6.5 -6.5 6.5h{number(13 - wide)}q-6.5 0 -6.5 -6.5" if low else "")
    top = y + (high - 6.5 if low else high)
    return f"M{number(x)} {number(top)}V{number(y + 6.5)}q0 -6.5 6.5 -6.5h{number(wide - 13)}q6.5 0 6.5 6.5{end}z"


def _name(card: Card, x: float, y: float) -> list[str]:
    made = [f'<text class="name" x="{number(x + _MARGIN)}" y="{number(y + 19.5)}">{xml(card.title)}</text>']
    if card.rows:
        made.append(f'<text class="row muted end" x="{number(x + card.width - _MARGIN)}" y="{number(y + 19)}">{xml(card.rows)}</text>')
    return made


def _key(card: Card, x: float, middle: float) -> str:
    left, base = x + _MARGIN, number(middle + 4)
    sign = f"M{number(left + 5.6)} {number(middle)}h6m-2 0v2.6m-2 -2.6v1.8"
    type_ = (
        f'<text class="small muted end" x="{number(x + card.width - _MARGIN)}" y="{base}">{xml(card.key_type)}</text>'
        if card.key_type
        else ""
    )
    return (
        f'<circle class="key" cx="{number(left + 3)}" cy="{number(middle)}" r="2.6"/><path class="key" d="{sign}"/>'
        f'<text class="row" x="{number(left + 16)}" y="{base}">{xml(card.key)}</text>{type_}'
    )


def _badge(card: Card, right: float, middle: float) -> str:
    text = f"{short_number(card.orphans)} orphan row{'s' * (card.orphans != 1)}"
    wide = width(text, TINY, bold=True) * 0.95 + 12
    return _pill(right - wide, middle, wide, text)


def _pill(left: float, middle: float, wide: float, text: str) -> str:
    return (
        f'<rect class="pill" x="{number(left)}" y="{number(middle - 7.5)}" width="{number(wide)}" height="15" rx="7.5"/>'
        f'<text class="sign" x="{number(left + wide / 2)}" y="{number(middle + 3.6)}">{xml(text)}</text>'
    )


def draw_relationship(line: Line, points: Sequence[Point], exit_: Exit, *, touchable: bool) -> str:
    """Return a relationship: its row on the card, the line, and its two ends."""
    (x, y), (tip, way) = points[0], paths.tip(points)
    relationship = line.relationship
    needed = "nullable" if relationship.nullable else "required"
    told = f"{harmless(str(relationship.referencing))} references {harmless(str(relationship.referenced))}, {line.state.words}, {needed}, "
    label = xml(told + orphan_words(relationship))
    data = paths.path(way)
    touch = f'<path class="touch" d="{data}"/>' if touchable else ""
    inner = x - exit_.side * (9 + (line.sign_width + 5 if line.sign else 0))
    sign = ""
    if line.sign:
        left = x - 8 - line.sign_width if exit_.side > 0 else x + 8
        sign = _pill(left, y, line.sign_width, line.sign)
    known = "" if relationship.orphan_rows.is_known else " unknown"
    return (
        f'<g class="relationship {line.state} heat-{line.heat} {needed}{known}" tabindex="0" role="button" aria-label="{label}"'
        f' data-relationship="{xml(relationship.id)}" data-state="{line.state}" data-orphans="{line.orphans}"><title>{label}</title>'
        f'{touch}<path class="way" d="{data}"/><path class="tip" d="{tip}"/><circle class="dot" cx="{number(x)}" cy="{number(y)}" r="3.4"/>'
        f'{sign}<text class="row{" end" * (exit_.side > 0)}" x="{number(inner)}" y="{number(y + 4)}">{xml(line.label)}</text></g>'
    )


def draw_chip(card: Card, corner: Point) -> str:
    """Return a table without relationships: its name and its rows."""
    x, y = corner
    box = f'<rect class="box" x="{number(x)}" y="{number(y)}" width="{number(CHIP_WIDTH)}" height="{number(CHIP_HEIGHT)}" rx="6"/>'
    name = f'<text class="row" x="{number(x + _MARGIN)}" y="{number(y + 19)}">{xml(card.title)}</text>'
    rows = (
        f'<text class="small muted end" x="{number(x + CHIP_WIDTH - 10)}" y="{number(y + 19)}">{xml(card.rows)}</text>' if card.rows else ""
    )
    return f"{_table_group(card, 'no relationships')}{box}{name}{rows}</g>"
