"""A document as values, so that what is said and how it is written stay apart: names from a database are plain text until the very end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Something to be typed, or a name as SQL writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Something not to be missed."""

    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share between 0 and 1, to be seen, and the words beside it."""

    share: float
    text: str


Run = str | Code | Strong | Bar
#: What a line, an item or a cell holds.
Line = Run | tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the document's."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    line: Line


@dataclass(frozen=True, slots=True)
class Items:
    """A list; numbered when the order matters."""

    lines: Sequence[Line]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; columns that hold numbers are named."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Line]]
    numbers: Sequence[str] = ()


Block = Heading | Paragraph | Items | Grid
Document = Sequence[Block]


def reworded(document: Document, change: Callable[[str], str]) -> Document:
    """Return a document with its words changed; what is to be typed stays."""
    return [_reworded(block, change) for block in document]


def _reworded(block: Block, change: Callable[[str], str]) -> Block:
    match block:
        case Heading():
            return block
        case Paragraph():
            return Paragraph(_line(block.line, change))
        case Items():
            return Items([_line(line, change) for line in block.lines], numbered=block.numbered)
        case Grid():
            return Grid(block.columns, [[_line(cell, change) for cell in row] for row in block.rows], block.numbers)


def _line(line: Line, change: Callable[[str], str]) -> Line:
    return tuple(change(run) if isinstance(run, str) else run for run in runs(line))


def runs(line: Line) -> tuple[Run, ...]:
    """Return a line as the tuple it may be."""
    return line if isinstance(line, tuple) else (line,)
