"""Which layer a card stands on: what is referenced above what references it, and no layer wider than it should be.

In come cards as numbers with their widths, and lines as (upper, lower) pairs: upper is referenced, lower references. Out comes a layer
per card, 0 at the top, and which lines run the other way because they close a cycle.

Cycles: Eades, Lin and Smyth, A fast and effective heuristic for the feedback arc set problem (1993). Layers: list scheduling after the
longest path, as Coffman and Graham (1972) do it, with a bound in pixels; then cards are pulled down towards what references them.
"""

import heapq
from collections.abc import Sequence

Pair = tuple[int, int]


def downwards(count: int, lines: Sequence[Pair]) -> list[Pair]:
    """Return the lines with those turned around that close a cycle, so that all run from a higher to a lower card."""
    place = _line_up(count, lines)
    return [(upper, lower) if place[upper] < place[lower] else (lower, upper) for upper, lower in lines]


def _line_up(count: int, lines: Sequence[Pair]) -> list[int]:
    """Put cards in one row so that few lines run backwards; return each one's place."""
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in lines:
        below[upper].append(lower)
        above[lower].append(upper)
    down = [len(each) for each in below]
    up = [len(each) for each in above]
    heap = [_urgency(number, up[number], down[number]) for number in range(count)]
    heapq.heapify(heap)
    place: list[int | None] = [None] * count
    first, last = 0, count - 1
    while heap:
        entry = heapq.heappop(heap)
        card = entry[-1]
        if place[card] is not None or entry != _urgency(card, up[card], down[card]):
            continue
        if up[card] and not down[card]:
            place[card], last = last, last - 1
        else:
            place[card], first = first, first + 1
        for counts, others in ((up, below[card]), (down, above[card])):
            for other in others:
                counts[other] -= 1
                if place[other] is None:
                    heapq.heappush(heap, _urgency(other, up[other], down[other]))
    return [each if each is not None else 0 for each in place]


def _urgency(card: int, up: int, down: int) -> tuple[int, int, int]:
    """What has nothing above it goes first, then what has nothing below it, then what has most below it and least above."""
    return (0 if not up else 1 if not down else 2, up - down, card)


def layer(widths: Sequence[float], lines: Sequence[Pair], bound: float) -> list[int]:
    """Return the layer of each card for lines that all run downwards; a layer is no wider than the bound unless by a single card."""
    count = len(widths)
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in sorted(set(lines)):
        below[upper].append(lower)
        above[lower].append(upper)
    depth = _longest(above, below)
    height = _longest(below, above)
    layers = [0] * count
    used: list[float] = []
    for card in sorted(range(count), key=lambda each: (depth[each], -height[each], -len(below[each]), each)):
        number = max((layers[upper] + 1 for upper in above[card]), default=0)
        while number < len(used) and used[number] and used[number] + widths[card] > bound:
            number += 1
        used += [0.0] * (number + 1 - len(used))
        used[number] += widths[card]
        layers[card] = number
    _pull_down(layers, used, widths, above, below, bound)
    kept = {number: place for place, number in enumerate(sorted(set(layers)))}
    return [kept[number] for number in layers]


def _longest(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    """Return the longest way to each card from one that has none before it."""
    waiting = [len(each) for each in before]
    length = [0] * len(before)
    ready = [card for card, number in enumerate(waiting) if not number]
    for card in ready:
        for other in after[card]:
            length[other] = max(length[other], length[card] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return length


def _pull_down(
    layers: list[int],
    used: list[float],
    widths: Sequence[float],
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
    bound: float,
) -> None:
    """Move cards that more lines leave downwards than upwards to just above what references them, where there is room."""
    for card in sorted(range(len(layers)), key=lambda each: (-layers[each], each)):
        if len(below[card]) <= len(above[card]):
            continue
        lowest = min(layers[lower] for lower in below[card]) - 1
        for number in range(lowest, layers[card], -1):
            if used[number] + widths[card] <= bound:
                used[layers[card]] -= widths[card]
                used[number] += widths[card]
                layers[card] = number
                break
