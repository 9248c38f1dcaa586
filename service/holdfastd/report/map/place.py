"""Where cards and stand-ins stand from left to right: near the middle of their neighbours, apart from each other, long lines straight.

In come rows in order with the room each needs; out come positions in pixels. Each row is solved exactly for its neighbours' positions by
pooling adjacent violators: Ayer et al., An empirical distribution function for sampling with incomplete information (1955), as Dwyer and
others use it for drawing with separation constraints.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from holdfastd.report.map.order import Rows

#: A line between two stand-ins pulls so much more than one between two cards, as in Gansner et al. (1993): more than there.
_PULL = {0: 1.0, 1: 2.0, 2: 20.0}
_ROUNDS = 16
_STRAIGHTENED = 3
_BUDGET = 600_000

#: A distance for a number and its neighbour.
Pin = Callable[[int, int], float]


def spread(wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Return positions nearest to the wanted ones (least squares) with at least so much between each and the next one."""
    offsets = [0.0]
    for gap in apart:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, mass, members = want - offset, weight, 1
        while blocks and blocks[-1][0] >= mean:
            other, heavy, more = blocks.pop()
            mean = (other * heavy + mean * mass) / (heavy + mass)
            mass, members = heavy + mass, members + more
        blocks.append((mean, mass, members))
    flat = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]


def place(rows: Rows, left: Sequence[float], right: Sequence[float], gap: Pin, pin: Pin) -> list[float]:
    """Return a position per number. Left and right: its room; gap: what stays free between two neighbours.

    `pin(a, b)`: where on `a`, from its middle, the line to its neighbour `b` is fastened.
    """
    apart = [[right[one] + gap(one, other) + left[other] for one, other in pairwise(row)] for row in rows.rows]
    positions = [0.0] * len(rows.layer)
    for row, gaps in zip(rows.rows, apart, strict=True):
        for each, position in zip(row, spread([0.0] * len(row), [1.0] * len(row), gaps), strict=True):
            positions[each] = position
    pulls = _pulls(rows, pin)
    size = sum(map(len, pulls)) + 1
    for turn in range(max(3, min(_ROUNDS, _BUDGET // size))):
        for number in range(len(rows.rows)) if turn % 2 == 0 else range(len(rows.rows) - 1, -1, -1):
            _settle(rows.rows[number], apart[number], pulls, positions, beside=turn % 3)
    for _ in range(_STRAIGHTENED):
        _straighten(rows, apart, pin, positions)
    return positions


def _pulls(rows: Rows, pin: Pin) -> list[list[tuple[int, float, float, bool]]]:
    """Number -> (neighbour, offset, strength, whether it is above) of each line."""
    made: list[list[tuple[int, float, float, bool]]] = [[] for _ in rows.layer]
    for number, others in enumerate(rows.below):
        for other in others:
            strength = _PULL[(number >= rows.cards) + (other >= rows.cards)]
            offset = pin(other, number) - pin(number, other)
            made[number].append((other, offset, strength, False))
            made[other].append((number, -offset, strength, True))
    return made


def _settle(
    row: Sequence[int],
    apart: Sequence[float],
    pulls: Sequence[Sequence[tuple[int, float, float, bool]]],
    positions: list[float],
    beside: int,
) -> None:
    """Move one row to where its neighbours pull it: from both sides, or in some turns from above or below only."""
    wanted, weights = [], []
    for each in row:
        pulling = [pull for pull in pulls[each] if beside == 0 or pull[3] == (beside == 1)] or pulls[each]
        mass = sum(strength for _, _, strength, _ in pulling)
        wanted.append(
            sum((positions[other] + offset) * strength for other, offset, strength, _ in pulling) / mass if mass else positions[each]
        )
        weights.append(mass or 0.1)
    for each, position in zip(row, spread(wanted, weights, apart), strict=True):
        positions[each] = position


def _straighten(rows: Rows, apart: Sequence[Sequence[float]], pin: Pin, positions: list[float]) -> None:
    """Put the stand-ins of each long line below each other where their neighbours leave room."""
    room = {}
    for row, gaps in zip(rows.rows, apart, strict=True):
        for number, each in enumerate(row):
            room[each] = (
                row[number - 1] if number else -1,
                gaps[number - 1] if number else 0.0,
                row[number + 1] if number + 1 < len(row) else -1,
                gaps[number] if number + 1 < len(row) else 0.0,
            )
    done: set[int] = set()
    for way in sorted(rows.ways, key=len, reverse=True):
        fixed = [positions[end] + pin(end, beside) for end, beside in ((way[-1], way[-2]), (way[0], way[1])) if pin(end, beside)]
        run: list[int] = []
        low, high = float("-inf"), float("inf")
        for each in (one for one in way[-2:0:-1] if one not in done):
            before, gap_before, after, gap_after = room[each]
            lowest = positions[before] + gap_before if before >= 0 else float("-inf")
            highest = positions[after] - gap_after if after >= 0 else float("inf")
            if max(low, lowest) > min(high, highest):
                _align(run, fixed, low, high, positions)
                run, low, high, fixed = [], float("-inf"), float("inf"), []
            run.append(each)
            low, high = max(low, lowest), min(high, highest)
        _align(run, fixed, low, high, positions)
        done.update(way[1:-1])


def _align(run: Sequence[int], fixed: Sequence[float], low: float, high: float, positions: list[float]) -> None:
    """Put a run of stand-ins where the line is fastened, else in their middle, as far as there is room."""
    if run:
        middle = fixed[0] if fixed else sum(positions[each] for each in run) / len(run)
        for each in run:
            positions[each] = min(max(middle, low), high)
