"""A set of addresses is a set, only smaller."""

import random

from holdfastd.evidence.addresses import Addresses


def test_it_is_a_set() -> None:
    """Every operation gives what a set of text gives, rows counted."""
    chance = random.Random(1)
    for _ in range(200):
        one, other = ({f"({chance.randint(0, 5)},{chance.randint(1, 291)})" for _ in range(chance.randint(0, 300))} for _ in range(2))
        left, right = Addresses(one), Addresses(other)
        grown = Addresses(one)
        grown.update(right)
        for got, expected in ((left | right, one | other), (left & right, one & other), (left - right, one - other), (grown, one | other)):
            assert set(got) == expected
            assert len(got) == len(expected)
            assert bool(got) == bool(expected)
        assert (set(left), set(right)) == (one, other)


def test_a_row_met_twice_counts_once() -> None:
    """Several keys lead to the same row."""
    assert len(Addresses(["(0,1)", "(0,1)", "(1,1)"])) == 2


def test_largest_address() -> None:
    """The last block of the largest table, the last row of the largest block."""
    assert list(Addresses(["(4294967294,2048)", "(0,1)"])) == ["(0,1)", "(4294967294,2048)"]


def test_parts_hold_everything_once() -> None:
    """Parameters are cut into parts, the last one shorter."""
    texts = [f"({block},1)" for block in range(7)]

    assert list(Addresses(texts).in_parts(3)) == [texts[:3], texts[3:6], texts[6:]]
    assert list(Addresses().in_parts(3)) == []
