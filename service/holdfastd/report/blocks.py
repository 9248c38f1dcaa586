"""A document as values: what is said and how it is written stay apart, and names from a database are text until the end. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Code:
    """Something to be typed, to the letter."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A thing of the database."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Something not to be missed."""

    text: str


@dataclass(frozen=True, slots=True)
class Level:
    """A word that says how bad or how far: it has a colour of its own, and says the same without."""

    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share between 0 and 1, to be seen, and the words beside it."""

    share: float
    text: str


Run = str | Code | Name | Strong | Level | Bar
#: What a line, an item or a cell holds.
Line = Run | tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the document's, level 2 begins a chapter."""

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
    """A table; columns that hold numbers are named. The first column names what a row is about."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Line]]
    numbers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Several lines to be typed, or to be read as they stand."""

    text: str
    #: For highlighters: `sql`, `sh`, `text`.
    language: str = "sql"


@dataclass(frozen=True, slots=True)
class Contents:
    """The list of chapters."""

    titles: Sequence[str]


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG document, for those who can see it; what it shows is also said in words."""

    svg: str
    title: str


@dataclass(frozen=True, slots=True)
class Fold:
    """What not everybody reads. Where a format cannot fold, `otherwise` stands in its place, if there is anything."""

    title: str
    blocks: "Sequence[Block]"
    otherwise: Line | None = None
    #: Paper does without it.
    is_long: bool = False


Block = Heading | Paragraph | Items | Grid | Script | Contents | Drawing | Fold
Document = Sequence[Block]


def reworded(document: Document, change: Callable[[str], str]) -> Document:
    """Return a document with its words changed; what is to be typed stays."""
    return [_reworded(block, change) for block in document]


def _reworded(block: Block, change: Callable[[str], str]) -> Block:
    match block:
        case Heading():
            return replace(block, text=change(block.text))
        case Paragraph():
            return Paragraph(_line(block.line, change))
        case Items():
            return replace(block, lines=[_line(line, change) for line in block.lines])
        case Grid():
            return replace(block, rows=[[_line(cell, change) for cell in row] for row in block.rows])
        case Fold():
            return replace(block, title=change(block.title), blocks=reworded(block.blocks, change))
        case Script() | Contents() | Drawing():
            return block


def _line(line: Line, change: Callable[[str], str]) -> Line:
    return tuple(_run(run, change) for run in runs(line))


def _run(run: Run, change: Callable[[str], str]) -> Run:
    match run:
        case str():
            return change(run)
        case Code() | Level():
            return run
        case Name() | Strong() | Bar():
            return replace(run, text=change(run.text))


def runs(line: Line) -> tuple[Run, ...]:
    """Return a line as the tuple it may be."""
    return line if isinstance(line, tuple) else (line,)


def joined(lines: Sequence[Line], between: str = ", ") -> Line:
    """Return lines one after the other as one."""
    parts = [run for line in lines for run in (between, *runs(line))]
    return tuple(parts[1:])
