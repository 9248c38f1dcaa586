"""The corners of each line, and how high the rows of cards lie: the second half of a drawing.

A line goes from its row sideways into a lane, up between the rows of cards, sideways in the channel between two rows, and up again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from holdfastd.report.map import channels
from holdfastd.report.map.cards import ROW, Card, Line
from holdfastd.report.map.layout import Layout
from holdfastd.report.map.ports import choose_ports, loop_port
from holdfastd.report.map.sides import Exit

Point = tuple[float, float]
#: What a part of a line between two rows begins and ends at: a stand-in, or -1 - line.
Ends = tuple[int, int]

#: Above and below what goes sideways between two rows of cards; levels come closer to each other when there are many.
_ABOVE, _BELOW, _LEVEL, _HIGHEST = 20.0, 16.0, 10.0, 260.0
_LOOP = 11.0


@dataclass(slots=True)
class Placed:
    """Connected cards, drawn."""

    width: float
    height: float
    #: Card -> its upper left corner.
    corners: dict[int, Point]
    #: Line -> its corners from the referencing to the referenced card, and on which side and row it leaves.
    ways: dict[int, list[Point]]
    exits: dict[int, Exit]


@dataclass(slots=True)
class _Channels:
    """What goes through the room below each row: parts of lines, and later their heights."""

    hops: list[dict[Ends, channels.Hop]]
    #: Line -> the channels it goes through from the referenced card on, and its part in each.
    steps: dict[int, list[tuple[int, Ends]]]


def lay_out(cards: Mapping[int, Card], lines: Mapping[int, Line]) -> Placed:
    """Return the drawing of connected cards, at least one, by their numbers."""
    layout = Layout(cards, lines)
    layout.place()
    parts = _cut(layout)
    tops, heights, height = _rise(layout, parts)
    y = [tops[layout.rows.layer[card]] for card in range(len(layout.cards))]
    ways = {number: _way(layout, number, parts, heights, y) for number in layout.ids}
    ways |= {number: _loop(layout, number, y) for number in layout.loops}
    return _moved(layout, y, ways, height)


def _cut(layout: Layout) -> _Channels:
    """Cut every line into its parts between two rows; lines of one bundle share those between stand-ins."""
    ports, first = choose_ports(layout), layout.rows.cards
    parts = _Channels([{} for _ in layout.rows.rows], {})
    for number in layout.ids:
        way = layout.way[number]
        spots = [ports[number], *(layout.x[each] for each in way[1:-1]), layout.lane(number)]
        parts.steps[number] = []
        for place, (one, other) in enumerate(pairwise(way)):
            key = (one if other >= first else -1 - number, other) if other >= first else (one if one >= first else -1 - number, -1 - number)
            hop = (spots[place], spots[place + 1])
            upper = min(layout.rows.layer[one], layout.rows.layer[other])
            parts.hops[upper].setdefault(key, hop if layout.up[number] else hop[::-1])
            parts.steps[number].append((upper, key))
    return parts


def _rise(layout: Layout, parts: _Channels) -> tuple[list[float], dict[tuple[int, Ends], float], float]:
    """Return the top of each row, at which height each part goes sideways, and the height of all."""
    tops, heights, height = [], {}, 0.0
    for number, row in enumerate(layout.rows.rows):
        tops.append(height)
        deep = (layout.cards[each].height + _LOOP * layout.loops_of.get(each, 0) for each in row if each < layout.rows.cards)
        height += max(deep, default=0.0)
        if number + 1 < len(layout.rows.rows):
            made, count = channels.levels(list(parts.hops[number].values()))
            gap = min(_LEVEL, _HIGHEST / max(count, 1))
            for key, level in zip(parts.hops[number], made, strict=True):
                heights[number, key] = height + _ABOVE + gap * level
            height += _ABOVE + _BELOW + gap * max(count - 1, 0)
    return tops, heights, height


def _way(layout: Layout, number: int, parts: _Channels, heights: Mapping[tuple[int, Ends], float], y: Sequence[float]) -> list[Point]:
    """Return the corners of a line from its row to the card it references."""
    points = _start(layout, number, y)
    for channel, key in reversed(parts.steps[number]):
        upper, lower = parts.hops[channel][key]
        before, after = (lower, upper) if layout.up[number] else (upper, lower)
        points += [(before, heights[channel, key]), (after, heights[channel, key])]
    card = layout.ends[number][1]
    return [*points, (points[-1][0], y[card] + (layout.cards[card].height if layout.up[number] else 0.0))]


def _start(layout: Layout, number: int, y: Sequence[float]) -> list[Point]:
    """Return the point at the card's border and the one in the lane."""
    card, exit_ = layout.ends[number][0], layout.exits[number]
    row = y[card] + layout.cards[card].first_row + ROW * (exit_.row + 0.5)
    return [(layout.x[card] + exit_.side * layout.cards[card].width / 2, row), (layout.lane(number), row)]


def _loop(layout: Layout, number: int, y: Sequence[float]) -> list[Point]:
    points, port = _start(layout, number, y), loop_port(layout, number)
    card = layout.ends[number][0]
    bottom = y[card] + layout.cards[card].height
    below = bottom + _LOOP * (layout.exits[number].lane + 1)
    return [*points, (points[-1][0], below), (port, below), (port, bottom)]


def _moved(layout: Layout, y: Sequence[float], ways: Mapping[int, list[Point]], height: float) -> Placed:
    """Move all so that nothing lies left of 0."""
    xs = [x for way in ways.values() for x, _ in way]
    lefts = [layout.x[place] - card.width / 2 for place, card in enumerate(layout.cards)]
    rights = [left + card.width for left, card in zip(lefts, layout.cards, strict=True)]
    left = min([*xs, *lefts])
    return Placed(
        width=max([*xs, *rights]) - left,
        height=height,
        corners={number: (lefts[place] - left, y[place]) for place, number in enumerate(layout.numbers)},
        ways={number: [(x - left, at) for x, at in way] for number, way in ways.items()},
        exits=layout.exits,
    )
