"""A set of rows by address (ctid), small enough to hold a million: one bit per row, one number per block."""

from collections.abc import Iterable, Iterator
from typing import Self


class Addresses:
    """Rows of one table. Addresses go in and come out as PostgreSQL prints them: `(block,row)`."""

    __slots__ = ("_blocks", "_count")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Hold the given addresses."""
        self._blocks: dict[int, int] = {}
        self._count = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take in one address."""
        block, _, row = text[1:-1].partition(",")
        number, bit = int(block), 1 << int(row)
        bits = self._blocks.get(number, 0)
        if not bits & bit:
            self._blocks[number] = bits | bit
            self._count += 1

    def update(self, other: Self) -> None:
        """Take in all of another set."""
        for block, bits in other._blocks.items():
            self._put(block, self._blocks.get(block, 0) | bits)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __or__(self, other: Self) -> Self:
        """Return those in either set."""
        either = type(self)()
        either.update(self)
        either.update(other)
        return either

    def __and__(self, other: Self) -> Self:
        """Return those in both sets."""
        both = type(self)()
        for block, bits in self._blocks.items():
            both._put(block, bits & other._blocks.get(block, 0))
        return both

    def __sub__(self, other: Self) -> Self:
        """Return those not in the other set."""
        rest = type(self)()
        for block, bits in self._blocks.items():
            rest._put(block, bits & ~other._blocks.get(block, 0))
        return rest

    def __iter__(self) -> Iterator[str]:
        """Yield the addresses in the order of the table."""
        for block in sorted(self._blocks):
            bits = self._blocks[block]
            while bits:
                lowest = bits & -bits
                yield f"({block},{lowest.bit_length() - 1})"
                bits ^= lowest

    def in_parts(self, size: int) -> Iterator[list[str]]:
        """Yield the addresses in lists of at most `size`: as parameters they are as large as text."""
        part: list[str] = []
        for text in self:
            part.append(text)
            if len(part) == size:
                yield part
                part = []
        if part:
            yield part

    def _put(self, block: int, bits: int) -> None:
        self._count += bits.bit_count() - self._blocks.get(block, 0).bit_count()
        if bits:
            self._blocks[block] = bits
