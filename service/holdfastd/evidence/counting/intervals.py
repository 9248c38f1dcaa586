"""How far an estimate from sampled blocks can be off. In come orphan rows per sampled block, out goes a number with its limits. Pure.

Orphan rows come in clusters: a batch that went wrong fills neighbouring blocks. The limits therefore count blocks, not rows, as the
independent draws, by the gamma method of Fay and Feuer (1997) for sums of weighted Poisson counts, which errs on the wide side.
"""

import math
from dataclasses import dataclass

_TAIL = 0.025
#: So many blocks without a hit leave room for three in all of them, with 95 % confidence.
_RULE_OF_THREE = 3.0
_PRECISION = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What some draws of blocks held. Shares add up: two draws of a hundredth are two hundredths."""

    share: float = 0
    #: Blocks with orphan rows, and of the orphan rows per block: sum, sum of squares and the most.
    hit_blocks: int = 0
    orphans: int = 0
    squares: int = 0
    most: int = 0
    #: Rows, and the most of them in a block.
    rows: int = 0
    most_rows: int = 0
    #: Orphan rows of the draw that held the most: so many there are for certain.
    certain: int = 0

    def __add__(self, other: "Drawn") -> "Drawn":
        """Put two independent draws together."""
        return Drawn(
            share=self.share + other.share,
            hit_blocks=self.hit_blocks + other.hit_blocks,
            orphans=self.orphans + other.orphans,
            squares=self.squares + other.squares,
            most=max(self.most, other.most),
            rows=self.rows + other.rows,
            most_rows=max(self.most_rows, other.most_rows),
            certain=max(self.certain, other.certain),
        )


def estimate(drawn: Drawn) -> tuple[int, int, int]:
    """Return orphan rows of the table, and between which numbers they lie with 95 % confidence."""
    if not drawn.hit_blocks:
        return 0, 0, math.ceil(_RULE_OF_THREE * max(drawn.most_rows, 1) / drawn.share)
    total, variance = drawn.orphans / drawn.share, drawn.squares / drawn.share**2
    # The block that was not drawn may hold more than any that was: all its rows after no hit, fewer with every one.
    unseen = max(drawn.most, drawn.most_rows / math.sqrt(drawn.hit_blocks + 1)) / drawn.share
    low = variance / total * gamma_quantile(_TAIL, total**2 / variance)
    high_total, high_variance = total + unseen, variance + unseen**2
    high = high_variance / high_total * gamma_quantile(1 - _TAIL, high_total**2 / high_variance)
    value = max(round(total), drawn.certain)
    return value, min(max(math.floor(low), drawn.certain), value), max(math.ceil(high), value)


def gamma_quantile(share: float, shape: float) -> float:
    """Return the value below which a gamma variable of scale 1 lies with the given probability."""
    low, high = 0.0, shape + 20 * math.sqrt(shape) + 20
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, shape) < share else (low, middle)
    return (low + high) / 2


def _below(value: float, shape: float) -> float:
    """Return the probability of less than a value: the regularised lower incomplete gamma function."""
    if value <= 0:
        return 0
    scale = math.exp(shape * math.log(value) - value - math.lgamma(shape))
    if value < shape + 1:
        term = total = 1 / shape
        step = shape
        while term > total * _PRECISION:
            step += 1
            term *= value / step
            total += term
        return total * scale
    return 1 - scale * _continued(value, shape)


def _continued(value: float, shape: float) -> float:
    """Return the continued fraction of the upper incomplete gamma function, by Lentz's method."""
    b = value + 1 - shape
    c, d = 1e300, 1 / b
    result = d
    for number in range(1, 10_000):
        a = -number * (number - shape)
        b += 2
        d = 1 / (a * d + b)
        c = b + a / c
        result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result
