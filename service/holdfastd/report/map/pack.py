"""Drawings of connected cards side by side on shelves. Widths and heights in, positions out."""

from collections.abc import Sequence
from math import sqrt


def shelve(
    sizes: Sequence[tuple[float, float]], *, gap: float, ratio: float, narrowest: float
) -> tuple[list[tuple[float, float]], float, float]:
    """Return the upper left corner of each rectangle, and the width and height of all, about as wide as `ratio` times its height.

    The order is kept: what comes first stays above or left. A low rectangle goes below another on the same shelf where there is room.
    """
    bound = max([narrowest, sqrt(sum((wide + gap) * (high + gap) for wide, high in sizes) * ratio), *(wide for wide, _ in sizes)])
    corners: list[tuple[float, float]] = []
    x = y = shelf = column = below = 0.0
    for wide, high in sizes:
        if below and below + high <= shelf and wide <= column:
            corners.append((x - column - gap, y + below))
            below += high + gap
            continue
        if x and x + wide > bound:
            x, y, shelf = 0.0, y + shelf + gap, 0.0
        corners.append((x, y))
        x, shelf, column, below = x + wide + gap, max(shelf, high), wide, high + gap
    width = max((corner[0] + size[0] for corner, size in zip(corners, sizes, strict=True)), default=0.0)
    height = max((corner[1] + size[1] for corner, size in zip(corners, sizes, strict=True)), default=0.0)
    return corners, width, height
