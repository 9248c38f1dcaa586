"""The room between two rows of cards: at which height each line goes sideways, so that no two lines lie on each other.

In come (upper, lower) positions of the lines that pass; out come levels, 0 the highest. As in channel routing of circuits: Hashimoto and
Stevens, Wire routing by optimizing channel assignment within large apertures (1971).
"""

from collections import defaultdict
from collections.abc import Sequence

Hop = tuple[float, float]

_STRAIGHT = 0.5
#: Vertical parts nearer than this would seem to be one line.
_TOUCHING = 5.0
_SLOTS = 512


def is_straight(hop: Hop) -> bool:
    """Tell whether a line passes without going sideways."""
    return abs(hop[0] - hop[1]) < _STRAIGHT


def levels(hops: Sequence[Hop]) -> tuple[list[int], int]:
    """Return the level of each hop (0 for straight ones as well), and how many levels there are."""
    low = min((min(hop) for hop in hops), default=0.0)
    slot = max(_TOUCHING, (max((max(hop) for hop in hops), default=0.0) - low) / _SLOTS)
    taken = [0] * (_SLOTS + 2)
    made = [0] * len(hops)
    for number in _order(hops):
        first, last = (int((end - low) / slot) for end in sorted(hops[number]))
        made[number] = max(taken[first : last + 1])
        taken[first : last + 1] = [made[number] + 1] * (last + 1 - first)
    return made, max(taken)


def _order(hops: Sequence[Hop]) -> list[int]:
    """Of two that go the same way, the one that is ahead goes above; what comes down where another goes on stays above it."""
    bent = [number for number, hop in enumerate(hops) if not is_straight(hop)]
    bent.sort(key=lambda number: _urgency(hops[number]))
    starts: dict[int, list[int]] = defaultdict(list)
    for number in bent:
        starts[round(hops[number][0] / _TOUCHING)].append(number)
    made: dict[int, bool] = {}
    order: list[int] = []
    for number in bent:
        stack = [number]
        while stack:
            each = stack[-1]
            if made.get(each):
                stack.pop()
                continue
            near = round(hops[each][1] / _TOUCHING)
            first = each not in made
            made[each] = False
            before = (
                [other for place in (near - 1, near, near + 1) for other in starts.get(place, ()) if other not in made] if first else []
            )
            if before:
                stack += before
                continue
            made[each] = True
            order.append(each)
            stack.pop()
    return order


def _urgency(hop: Hop) -> tuple[int, float]:
    upper, lower = hop
    return (0, upper) if lower < upper else (1, -upper)
