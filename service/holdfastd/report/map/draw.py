"""The relationship map as SVG: what is referenced above what references it, orphan rows by heat. Text in, text out; same input, same bytes.

The document is complete by itself and can be part of an HTML page: its style lies under `.holdfast-map` and follows the reader's light or
dark, or a `data-theme` around it. Tables carry `data-table`, relationships `data-relationship`, `data-state` and `data-orphans`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.model import Relationship
from holdfastd.report.map.cards import SMALL, Card, Line, make_cards
from holdfastd.report.map.choose import choose
from holdfastd.report.map.legend import draw_legend
from holdfastd.report.map.lettering import cut, width
from holdfastd.report.map.pack import shelve
from holdfastd.report.map.paths import Point, number
from holdfastd.report.map.pieces import CHIP_HEIGHT, CHIP_WIDTH, draw_card, draw_chip, draw_relationship
from holdfastd.report.map.routes import Placed, lay_out
from holdfastd.report.map.states import ends, shown, usual_schema
from holdfastd.report.map.style import css

_EDGE = 28.0
_BETWEEN = 44.0
_CHIP_GAP = 10.0
_RATIO = 1.7
_NARROWEST = 640.0
#: Relationships up to which each line also has a broad invisible one that is easier to hit.
_TOUCHABLE = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A map, and how many tables had no room on it."""

    svg: str
    omitted_tables: int = 0


@dataclass(slots=True)
class _Sheet:
    """What is drawn so far."""

    parts: list[str]
    width: float = _NARROWEST
    height: float = _EDGE


def draw_map(tables: Sequence[TableOutline], relationships: Sequence[Relationship], *, include_review: bool = False) -> Drawing:
    """Return the map as an SVG document. Without tables, those that the relationships name are drawn.

    Of more tables than anybody can look at, those with orphan rows are drawn, then their neighbours, then those with most relationships.
    """
    known = {table.name: table for table in tables}
    drawn = shown(relationships, include_review=include_review)
    names = known.keys() | {name for each in drawn for name in ends(each)}
    kept, among = choose(names, drawn)
    cards, lines = make_cards(kept, known, among, usual_schema(tables, drawn))
    sheet = _Sheet(parts=[])
    _draw_connected(sheet, cards, lines)
    _draw_rest(sheet, [card for card in cards if not card.outgoing and not card.incoming])
    legend, height = draw_legend(lines, _EDGE, sheet.height, sheet.width - 2 * _EDGE)
    omitted = len(names) - len(kept)
    sheet.parts.append(legend)
    sheet.height += height + (_EDGE if height else 0.0)
    return Drawing(svg=_document(sheet, cards, lines, omitted), omitted_tables=omitted)


def _draw_connected(sheet: _Sheet, cards: Sequence[Card], lines: Sequence[Line]) -> None:
    """Draw what hangs together, the largest first."""
    groups = _groups(cards, lines)
    placed = [
        lay_out({card: cards[card] for card in group}, {line: lines[line] for card in group for line in cards[card].outgoing})
        for group in groups
    ]
    corners, wide, high = shelve([(each.width, each.height) for each in placed], gap=_BETWEEN, ratio=_RATIO, narrowest=_NARROWEST)
    for each, (x, y) in zip(placed, corners, strict=True):
        sheet.parts += _pieces(each, cards, lines, x + _EDGE, y + sheet.height, touchable=len(lines) <= _TOUCHABLE)
    sheet.width = max(sheet.width, wide + 2 * _EDGE)
    sheet.height += high + (_EDGE if groups else 0.0)


def _groups(cards: Sequence[Card], lines: Sequence[Line]) -> list[list[int]]:
    """Return the cards that hang together, in groups of two and more or with a relationship to themselves; the largest group first."""
    beside: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        beside[line.referencing].add(line.referenced)
        beside[line.referenced].add(line.referencing)
    seen: set[int] = set()
    groups = []
    for card in range(len(cards)):
        if card in seen or card not in beside:
            continue
        group, waiting = [], [card]
        seen.add(card)
        while waiting:
            each = waiting.pop()
            group.append(each)
            waiting += sorted(beside[each] - seen)
            seen |= beside[each]
        groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group))


def _pieces(placed: Placed, cards: Sequence[Card], lines: Sequence[Line], x: float, y: float, *, touchable: bool) -> list[str]:
    """Return cards, each followed by its relationships, in the order in which people read."""
    made = []

    def moved(point: Point) -> Point:
        return point[0] + x, point[1] + y

    for card in sorted(placed.corners, key=lambda each: (placed.corners[each][1], placed.corners[each][0], each)):
        made.append(draw_card(cards[card], moved(placed.corners[card])))
        made += [
            draw_relationship(lines[line], [*map(moved, placed.ways[line])], placed.exits[line], touchable=touchable)
            for line in sorted(cards[card].outgoing, key=lambda each: placed.exits[each].row)
        ]
    return made


def _draw_rest(sheet: _Sheet, cards: Sequence[Card]) -> None:
    """Draw tables without relationships in a grid."""
    if not cards:
        return
    sheet.width = max(sheet.width, sqrt(len(cards) * (CHIP_WIDTH + _CHIP_GAP) * (CHIP_HEIGHT + _CHIP_GAP) * _RATIO))
    across = max(int((sheet.width - 2 * _EDGE + _CHIP_GAP) // (CHIP_WIDTH + _CHIP_GAP)), 1)
    sheet.parts.append(f'<text class="row muted" x="{number(_EDGE)}" y="{number(sheet.height + 8)}">Without relationships</text>')
    sheet.height += 20
    for place, card in enumerate(cards):
        row, column = divmod(place, across)
        room = CHIP_WIDTH - 24 - (width(card.rows, SMALL) + 8 if card.rows else 0)
        card.title = cut(card.name.name if not card.schema else f"{card.schema}.{card.name.name}", SMALL, room)
        sheet.parts.append(draw_chip(card, (_EDGE + column * (CHIP_WIDTH + _CHIP_GAP), sheet.height + row * (CHIP_HEIGHT + _CHIP_GAP))))
    sheet.height += -(-len(cards) // across) * (CHIP_HEIGHT + _CHIP_GAP) + _EDGE - _CHIP_GAP


def _document(sheet: _Sheet, cards: Sequence[Card], lines: Sequence[Line], omitted: int) -> str:
    orphans = sum(line.orphans for line in lines)
    counts = ((len(cards), "table"), (len(lines), "relationship"), (orphans, "orphan row"))
    words = ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counts)
    words += f"; {omitted:,} more tables are not drawn" if omitted else ""
    wide, high = number(sheet.width), number(sheet.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="holdfast-map" role="graphics-document" aria-roledescription="relationship map"'
        f' aria-label="Relationship map: {words}" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">'
        f"<title>Relationship map</title><desc>{words}</desc><style>{css()}</style>{''.join(sheet.parts)}</svg>\n"
    )
