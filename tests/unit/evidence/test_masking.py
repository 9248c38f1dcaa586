"""What is left of a value when it is masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfastd.evidence.masking import SHAPE_LENGTH, mask


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, None),
        ("", ""),
        ("4711", "9"),
        ("A-4711 ", "a-9 "),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "a-a-a-a-a"),
        ("ann@example.org", "a@a.a"),
        ("Ünal Õ", "a a"),
        ("٣٤", "9"),
        ("\x00\n😀", "???"),
    ],
)
def test_the_shape_says_what_kind_of_key_it_is(value, shape):
    """Number, word, UUID, a space at the end, nothing at all."""
    assert mask(value) == shape


@pytest.mark.parametrize(("one", "other"), [("true", "false"), ("7", "123456"), ("-1", "+1"), ("yes", "no"), ("o+", "o-"), ("m", "x1")])
def test_the_shape_does_not_tell_values_apart(one, other):
    """Its length and its signs are no more of the value than its letters."""
    assert mask(one) == mask(other)


@given(st.text())
def test_nothing_of_a_value_is_left(value):
    """Only characters of the shape, and at most so many."""
    shape = mask(value)

    assert set(shape) <= set("a9?-./:@_ ,…")
    assert len(shape) <= SHAPE_LENGTH + 1
