"""A document as Markdown (CommonMark with tables). Names from a database stay text, whatever they hold. Pure."""

import re
from collections.abc import Iterator

from holdfastd.report.blocks import (
    Bar,
    Block,
    Code,
    Contents,
    Document,
    Drawing,
    Fold,
    Grid,
    Heading,
    Items,
    Level,
    Line,
    Name,
    Paragraph,
    Run,
    Script,
    Strong,
    runs,
)
from holdfastd.report.words import clean

#: What would begin something, wherever it stands. An underscore inside a word means nothing, and most names hold one.
_SPECIAL = re.compile(r"[\\`*<>\[\]|~&#$]|(?<![^\W_])_|_(?![^\W_])")
#: What would begin something at the start of a line.
_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
#: Addresses become links on their own in many viewers.
_ADDRESS = re.compile(r"(?i)(?<=:)//|(?<=www)\.|(?<=\w)@(?=\w)")
_BAR = 10
_FENCE = 3


def render_markdown(document: Document) -> str:
    """Return the text."""
    return "\n\n".join(part for block in document for part in _block(block)) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {_inside(block.text)}"
        case Paragraph():
            yield _line(block.line)
        case Items():
            yield _items(block)
        case Grid():
            yield _grid(block)
        case Script():
            yield _script(block)
        case Contents():
            yield "\n".join(f"{place}. [{_inside(title)}](#{_anchor(place, title)})" for place, title in enumerate(block.titles, start=1))
        case Fold():
            yield from _fold(block)
        case Drawing():
            # Words say the same; a viewer would have to be trusted with the picture.
            return


def _anchor(place: int, title: str) -> str:
    """Return what viewers call a chapter's heading."""
    return f"{place}-" + re.sub(r"[^\w]+", "-", title.lower()).strip("-")


def _items(items: Items) -> str:
    return "\n".join(f"{f'{place}.' if items.numbered else '-'} {_line(line)}" for place, line in enumerate(items.lines, start=1))


def _fold(fold: Fold) -> Iterator[str]:
    if fold.otherwise is not None:
        yield _line(fold.otherwise)
        return
    yield f"**{_inside(fold.title)}**"
    for block in fold.blocks:
        yield from _block(block)


def _script(script: Script) -> str:
    text = clean(script.text).rstrip("\n")
    fence = "`" * max(_FENCE, _longest(text, "`") + 1)
    return f"{fence}{script.language}\n{text}\n{fence}"


def _grid(grid: Grid) -> str:
    rule = " | ".join("---:" if column in grid.numbers else "---" for column in grid.columns)
    head = " | ".join(_inside(column) for column in grid.columns)
    rows = (" | ".join(_line(cell, in_cell=True) for cell in row) for row in grid.rows)
    return "\n".join(f"| {row} |" for row in (head, rule, *rows))


def _line(line: Line, *, in_cell: bool = False) -> str:
    written = "".join(_run(run, in_cell=in_cell) for run in runs(line))
    return written if in_cell else _not_a_start(written)


def _run(run: Run, *, in_cell: bool) -> str:
    match run:
        case Code() | Name():
            return _code(run.text, in_cell=in_cell)
        case Strong() | Level():
            return f"**{_inside(run.text)}**" if run.text.strip() else ""
        case Bar():
            filled = round(run.share * _BAR) or int(run.share > 0)
            return f"{'█' * filled}{'░' * (_BAR - filled)} {_inside(run.text)}"
        case str():
            return _inside(run)


def _code(text: str, *, in_cell: bool) -> str:
    flat = _flat(text)
    if not flat.strip():
        return _inside(flat)
    fence = "`" * (_longest(flat, "`") + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    span = f"{fence}{pad}{flat}{pad}{fence}"
    # Tables are cut into cells before code is looked for.
    return span.replace("|", "\\|") if in_cell else span


def _inside(text: str) -> str:
    """Return text so that nothing in it begins anything in the middle of a line."""
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], _flat(text))
    return _ADDRESS.sub(lambda found: "\\" + found[0], escaped)


def _not_a_start(line: str) -> str:
    """Return a line so that it begins no list and no title."""
    return _START.sub(r"\1\\\2", line) if not line[:1].isdigit() else re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def _flat(text: str) -> str:
    return clean(text).replace("\n", "�")


def _longest(text: str, character: str) -> int:
    return max((len(found) for found in re.findall(f"{re.escape(character)}+", text)), default=0)
