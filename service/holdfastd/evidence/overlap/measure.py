"""From what a probe and a key's own figures say to an `Overlap`. Pure."""

from dataclasses import dataclass

from holdfastd.evidence.model import Overlap
from holdfastd.evidence.overlap.statements import COUNTED

#: How likely a value that is none of a key's is found in it all the same, where nothing better is known.
_LEAST_CHANCE = 1e-6
_COMPOSITE_CHANCE = 0.5
_DIGITS, _LETTERS = 10.0, 36.0
#: The whole range of a key counts as so many looks at a neighbour.
_DOUBT = 1.0
_LONG = 8.0  # letters from which more of them make no difference


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What is known of a key's values, all of them together."""

    #: Rows; -1: unknown.
    rows: float
    lowest: int | None = None
    highest: int | None = None
    #: Mean length of its values as text, and whether all are digits; None for whole numbers.
    length: float | None = None
    digits: bool | None = None
    columns: int = 1

    @property
    def density(self) -> float | None:
        """Share of its own range that it fills; None when it is no whole number, or empty."""
        if self.lowest is None or self.highest is None or self.rows <= 0:
            return None
        return min(1.0, self.rows / (self.highest - self.lowest + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of the values looked up in one key, all of them together."""

    sampled: int
    found: int
    #: Share of the rows with these values whose value was found.
    found_rows: float | None = None
    #: How many values there would be if each had as many rows.
    varied: float | None = None
    #: There are no other values.
    is_whole: bool = False
    #: Of whole numbers: how many lie in the key's range, to how many of those the key holds the next number, the lowest and the highest.
    inside: int | None = None
    near: int = 0
    lowest: int | None = None
    highest: int | None = None


def key_rows(counted: int, estimate: float) -> float:
    """Return the rows of a key: as counted where few, else as estimated."""
    return float(counted) if counted <= COUNTED else max(estimate, float(counted))


def measure(sample: Sample, key: KeyFacts) -> Overlap:
    """Return the overlap of a sample with one key."""
    return Overlap(
        sampled=sample.sampled,
        found=sample.found,
        is_whole=sample.is_whole,
        referenced_rows=key.rows,
        density=key.density,
        inside=sample.inside / sample.sampled if sample.inside is not None and sample.sampled else None,
        chance=_chance(sample, key),
        spread=_spread(sample, key),
        found_rows=sample.found_rows,
        varied=sample.varied,
    )


def _spread(sample: Sample, key: KeyFacts) -> float | None:
    """Share of the key's range that lies between the lowest and the highest value in it."""
    if sample.inside is None or key.lowest is None or key.highest is None:
        return None
    if sample.lowest is None or sample.highest is None:
        return 0.0
    return (sample.highest - sample.lowest + 1) / (key.highest - key.lowest + 1)


def _chance(sample: Sample, key: KeyFacts) -> float:
    """How likely an unrelated value is found: how densely the key fills its range, or the ways of writing its values."""
    if key.rows <= 0:
        return 0.0
    if key.columns > 1:
        return _COMPOSITE_CHANCE
    density = key.density
    if density is not None:
        # Where the values lie counts most: one stray id, or an old estimate, makes any range look empty.
        return (sample.near + density * _DOUBT) / ((sample.inside or 0) + _DOUBT)
    if key.length is None:
        return 1.0
    ways: float = (_DIGITS if key.digits else _LETTERS) ** min(key.length, _LONG)
    return min(1.0, max(key.rows / ways, _LEAST_CHANCE))
