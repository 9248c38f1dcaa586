"""The order of cards within their layers, with a stand-in on every layer that a long line passes, so that few lines cross.

In come layers and lines that all run downwards; out come rows of numbers: cards, then stand-ins. Sweeps by barycentre: Sugiyama, Tagawa and
Toda, Methods for visual understanding of hierarchical system structures (1981); neighbours change places while that helps, as in Gansner
et al., A technique for drawing directed graphs (1993). Crossings are counted with the tree of Barth, Jünger and Mutzel (2002).
"""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from holdfastd.report.map.layers import Pair

#: Work that the sweeps may take, in neighbours looked at.
_BUDGET = 700_000
_SWEEPS = 24
_PATIENCE = 6


@dataclass(slots=True)
class Rows:
    """Cards and stand-ins, row by row."""

    #: Layer -> numbers from left to right.
    rows: list[list[int]]
    #: Number -> its neighbours one layer up and down, one entry per line.
    above: list[list[int]]
    below: list[list[int]]
    #: Line -> the numbers it visits, from top to bottom.
    ways: list[tuple[int, ...]]
    #: How many of the numbers are cards.
    cards: int
    layer: list[int] = field(default_factory=list)


def arrange(layers: Sequence[int], lines: Sequence[Pair], bundles: Sequence[Hashable]) -> Rows:
    """Return the rows in a good order. Lines of one bundle share their stand-ins."""
    rows = _with_stand_ins(layers, lines, bundles)
    size = sum(map(len, rows.below)) + len(rows.below)
    best, fewest, idle = [list(row) for row in rows.rows], _crossings(rows), 0
    for sweep in range(max(3, min(_SWEEPS, _BUDGET // (2 * size + 1)))):
        if not fewest or idle >= _PATIENCE:
            break
        _sweep(rows, downwards=sweep % 2 == 0)
        if size * sweep < _BUDGET // 20:
            _change_places(rows)
        now = _crossings(rows)
        idle += 1
        if now < fewest:
            best, fewest, idle = [list(row) for row in rows.rows], now, 0
    rows.rows = best
    return rows


def _with_stand_ins(layers: Sequence[int], lines: Sequence[Pair], bundles: Sequence[Hashable]) -> Rows:
    layer = list(layers)
    above: list[list[int]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in layers]
    stand_ins: dict[tuple[Hashable, int], int] = {}
    ways = []
    for (upper, lower), bundle in zip(lines, bundles, strict=True):
        way = [upper]
        for number in range(layers[upper] + 1, layers[lower]):
            if (bundle, number) not in stand_ins:
                stand_ins[bundle, number] = len(layer)
                layer.append(number)
                above.append([])
                below.append([])
            way.append(stand_ins[bundle, number])
        way.append(lower)
        ways.append(tuple(way))
        for one, other in pairwise(way):
            below[one].append(other)
            above[other].append(one)
    rows = Rows(rows=[], above=above, below=below, ways=ways, cards=len(layers), layer=layer)
    rows.rows = _first_order(rows)
    return rows


def _first_order(rows: Rows) -> list[list[int]]:
    """Walk from the top, deep first, and put down what comes along: what belongs together stays together."""
    made: list[list[int]] = [[] for _ in range(max(rows.layer, default=-1) + 1)]
    seen = [False] * len(rows.layer)
    for start in sorted(range(rows.cards), key=lambda each: (rows.layer[each], -len(rows.below[each]), each)):
        stack = [start]
        while stack:
            number = stack.pop()
            if seen[number]:
                continue
            seen[number] = True
            made[rows.layer[number]].append(number)
            stack += [*reversed(rows.above[number]), *reversed(rows.below[number])]
    return made


def _sweep(rows: Rows, *, downwards: bool) -> None:
    order = range(1, len(rows.rows)) if downwards else range(len(rows.rows) - 2, -1, -1)
    neighbours = rows.above if downwards else rows.below
    for number in order:
        row = rows.rows[number]
        fixed = rows.rows[number - 1 if downwards else number + 1]
        place = {each: position for position, each in enumerate(fixed)}
        key = {}
        for position, each in enumerate(row):
            beside = neighbours[each]
            # What has no neighbour stays about where it is.
            key[each] = sum(place[other] for other in beside) / len(beside) if beside else position * len(fixed) / len(row)
        row.sort(key=key.__getitem__)


def _change_places(rows: Rows) -> None:
    """Let neighbours change places while lines to both sides cross less."""
    places = [0] * len(rows.layer)
    for row in rows.rows:
        for position, each in enumerate(row):
            places[each] = position
    for row in rows.rows:
        for _ in range(3):
            changed = False
            for position in range(len(row) - 1):
                left, right = row[position], row[position + 1]
                if _pairs(rows, places, left, right) > _pairs(rows, places, right, left):
                    row[position], row[position + 1] = right, left
                    places[left], places[right] = position + 1, position
                    changed = True
            if not changed:
                break


def _pairs(rows: Rows, places: Sequence[int], left: int, right: int) -> int:
    """How many lines of two neighbours cross when the first stands on the left."""
    crossed = 0
    for side in (rows.above, rows.below):
        ends = sorted(places[each] for each in side[right])
        if ends:
            crossed += sum(bisect_left(ends, places[each]) for each in side[left])
    return crossed


def _crossings(rows: Rows) -> int:
    """Count the crossings of all lines."""
    total = 0
    for row, lower in pairwise(rows.rows):
        place = {each: position for position, each in enumerate(lower)}
        ends = [end for each in row for end in sorted(place[other] for other in rows.below[each])]
        total += _inversions(ends, len(lower))
    return total


def _inversions(ends: Sequence[int], size: int) -> int:
    tree = [0] * (size + 1)
    crossed = 0
    for seen, end in enumerate(ends):
        before, position = 0, end + 1
        while position:
            before += tree[position]
            position &= position - 1
        crossed += seen - before
        position = end + 1
        while position <= size:
            tree[position] += 1
            position += position & -position
    return crossed
