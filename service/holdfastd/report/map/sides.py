"""On which side of its card a line leaves, on which row, and in which lane beside it. Chosen so that lines of one card do not cross.

A line leaves its row sideways, turns up (or down, when it closes a cycle) in a lane beside the card, and goes on from there.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

#: Distance from a card to its first lane, and between two lanes.
FIRST_LANE, LANE = 11.0, 9.0
#: So near to the middle of a card, a line may leave on either side.
_EITHER = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Where a line leaves its referencing card."""

    #: -1 left, 1 right.
    side: int
    lane: int
    #: Place of its row among the card's rows of lines.
    row: int

    def offset(self, width: float) -> float:
        """Distance of the lane from the middle of the card."""
        return self.side * (width / 2 + FIRST_LANE + LANE * self.lane)


def choose_exits(
    upwards: Sequence[int], down: Sequence[int], loops: Sequence[int], goal: Callable[[int], float], width: float, *, prefer: int
) -> dict[int, Exit]:
    """Return the exit of each line of one card. `goal`: how far to the right of the card's middle a line's next place is.

    `prefer`: the side for a single line that may as well leave on either, -1 or 1.

    From the top: lines that go up, the nearest first, then lines that go down, the nearest last, then those to their own card.
    """
    exits: dict[int, Exit] = {}
    row = 0
    for lines, first_right, nearest_last in ((upwards, 0, False), (down, len(loops), True)):
        left = _left(lines, goal, width, prefer)
        lanes = [*_lanes(lines, left, goal, -1, 0), *_lanes(lines, left, goal, 1, first_right)]
        for line, side, lane in sorted(lanes, key=lambda each: (each[2], each[1]), reverse=nearest_last):
            exits[line] = Exit(side=side, lane=lane, row=row)
            row += 1
    for number, line in enumerate(loops):
        exits[line] = Exit(side=1, lane=len(loops) - 1 - number, row=row + number)
    return exits


def _lanes(lines: Sequence[int], left: Collection[int], goal: Callable[[int], float], side: int, first: int) -> list[tuple[int, int, int]]:
    """Return (line, side, lane) of those that leave on a side, the nearest goal in the first lane."""
    mine = [line for line in lines if (line in left) == (side < 0)]
    mine.sort(key=lambda line: (side * goal(line), line))
    return [(line, side, first + number) for number, line in enumerate(mine)]


def _left(lines: Sequence[int], goal: Callable[[int], float], width: float, prefer: int) -> set[int]:
    """Return the lines that leave on the left: what goes there, and so many of those above the card that both sides have as many."""
    left = {line for line in lines if goal(line) < -width / 2}
    right = sum(goal(line) > width / 2 for line in lines)
    middle = sorted((line for line in lines if abs(goal(line)) <= width / 2), key=lambda line: (goal(line), line))
    if len(lines) == 1 and middle:
        return set(middle) if (goal(middle[0]) if abs(goal(middle[0])) > _EITHER else prefer) < 0 else set()
    more = (len(middle) + right - len(left)) // 2
    return left | set(middle[: max(0, min(more, len(middle)))])
