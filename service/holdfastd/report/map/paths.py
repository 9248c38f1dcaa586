"""Corners of a line as the data of an SVG path with round bends, and the tip at its end. Numbers in, text out."""

from collections.abc import Sequence

Point = tuple[float, float]

_BEND = 7.0
_TIP_LENGTH, _TIP_HALF = 8.0, 4.0
_SAME = 0.05


def number(value: float) -> str:
    """Return a number with at most one decimal."""
    return "0" if abs(value) < _SAME else f"{value:.1f}".removesuffix(".0")


def corners(points: Sequence[Point]) -> list[Point]:
    """Return the points without those that lie on the way between their neighbours."""
    kept: list[Point] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < _SAME and abs(kept[-1][1] - point[1]) < _SAME:
            continue
        while len(kept) > 1 and any(
            abs(kept[-2][axis] - kept[-1][axis]) < _SAME and abs(kept[-1][axis] - point[axis]) < _SAME for axis in (0, 1)
        ):
            kept.pop()
        kept.append(point)
    return kept


def path(points: Sequence[Point]) -> str:
    """Return path data through points that are each beside or above the next one."""
    way = corners(points)
    made = [f"M{number(way[0][0])} {number(way[0][1])}"]
    for before, corner, after in zip(way, way[1:], way[2:], strict=False):
        bend = min(_BEND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, bend), _towards(corner, after, bend)
        made.append(f"L{number(start[0])} {number(start[1])}Q{number(corner[0])} {number(corner[1])} {number(end[0])} {number(end[1])}")
    made.append(f"L{number(way[-1][0])} {number(way[-1][1])}")
    return "".join(made)


def tip(points: Sequence[Point]) -> tuple[str, list[Point]]:
    """Return path data of the arrow's tip at the last point, and the points of the line that stops at its foot."""
    way = corners(points)
    (x, y), up = way[-1], 1.0 if way[-2][1] > way[-1][1] else -1.0
    foot = y + up * _TIP_LENGTH
    data = f"M{number(x)} {number(y)}L{number(x - _TIP_HALF)} {number(foot)}H{number(x + _TIP_HALF)}Z"
    return data, [*way[:-1], (x, foot - up)]


def _distance(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    whole = _distance(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * distance / whole, start[1] + (end[1] - start[1]) * distance / whole
