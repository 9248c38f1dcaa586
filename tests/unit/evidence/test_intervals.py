"""How far an estimate can be off: known quantiles, and what no estimate may claim."""

import pytest

from holdfastd.evidence.counting.intervals import Drawn, estimate, gamma_quantile


def drawn(*orphans: int, share: float = 0.01, most_rows: int = 100) -> Drawn:
    """Blocks that were hit, and how many orphan rows each held."""
    return Drawn(
        share=share,
        hit_blocks=len(orphans),
        orphans=sum(orphans),
        squares=sum(number**2 for number in orphans),
        most=max(orphans, default=0),
        rows=10_000,
        most_rows=most_rows,
        certain=sum(orphans),
    )


@pytest.mark.parametrize(
    ("share", "freedom", "expected"),
    [(0.975, 1, 5.024), (0.975, 10, 20.483), (0.025, 2, 0.050636), (0.025, 50, 32.357), (0.5, 1000, 999.333)],
)
def test_quantiles_are_those_of_the_tables(share: float, freedom: int, expected: float) -> None:
    """A chi-squared variable is twice a gamma variable of half its degrees of freedom."""
    assert 2 * gamma_quantile(share, freedom / 2) == pytest.approx(expected, rel=1e-4)


def test_nothing_found_is_not_nothing_there() -> None:
    """The rule of three, in blocks that may be full of orphan rows."""
    assert estimate(drawn()) == (0, 0, 30_000)


def test_scattered_rows_are_known_better_than_clustered_ones() -> None:
    """A hundred in a hundred blocks, or in one."""
    value, low, high = estimate(drawn(*[1] * 100))
    clustered = estimate(drawn(100))

    assert value == clustered[0] == 10_000
    assert 8_000 < low < value < high < 14_000
    assert clustered[1] < 1_000
    assert clustered[2] > 40_000


def test_rows_that_were_seen_are_there() -> None:
    """No lower limit and no number below what a single draw held."""
    value, low, _ = estimate(drawn(3, share=0.5))

    assert (value, low) == (6, 3)


def test_draws_add_up() -> None:
    """Two draws of a hundredth weigh as one of two, but what both held may be the same rows."""
    both = drawn(1, 2) + drawn(5)

    assert (both.share, both.hit_blocks, both.orphans, both.squares, both.most, both.certain) == (0.02, 3, 8, 30, 5, 5)
