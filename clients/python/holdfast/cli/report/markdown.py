"""A document as Markdown (CommonMark with tables). Names from a database stay text, whatever they hold."""

import re

from holdfast.cli.render.words import clean
from holdfast.cli.report.blocks import Bar, Block, Code, Document, Grid, Heading, Items, Line, Paragraph, Strong, runs

#: What would begin something, wherever it stands. An underscore inside a word means nothing, and most names hold one.
_SPECIAL = re.compile(r"[\\`*<>\[\]|~&#$]|(?<![^\W_])_|_(?![^\W_])")
#: What would begin something at the start of a line.
_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
#: Addresses become links on their own in many viewers.
_ADDRESS = re.compile(r"(?i)(?<=:)//|(?<=www)\.|(?<=\w)@(?=\w)")
_BAR = 10


def render_markdown(document: Document) -> str:
    """Return the text."""
    return "\n\n".join(_block(block) for block in document) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_text(block.text)}"
        case Paragraph():
            return _line(block.line)
        case Items():
            return "\n".join(f"{f'{place}.' if block.numbered else '-'} {_line(line)}" for place, line in enumerate(block.lines, start=1))
        case Grid():
            return _grid(block)


def _grid(grid: Grid) -> str:
    rule = " | ".join("---:" if column in grid.numbers else "---" for column in grid.columns)
    head = " | ".join(_text(column) for column in grid.columns)
    rows = (" | ".join(_line(cell, in_cell=True) for cell in row) for row in grid.rows)
    return "\n".join(f"| {row} |" for row in (head, rule, *rows))


def _line(line: Line, *, in_cell: bool = False) -> str:
    return "".join(_run(run, in_cell=in_cell) for run in runs(line))


def _run(run: str | Code | Strong | Bar, *, in_cell: bool) -> str:
    match run:
        case Code():
            return _code(run.text, in_cell=in_cell)
        case Strong():
            return f"**{_text(run.text)}**" if run.text.strip() else ""
        case Bar():
            filled = round(run.share * _BAR) or int(run.share > 0)
            return f"{'█' * filled}{'░' * (_BAR - filled)} {_text(run.text)}"
        case str():
            return _text(run)


def _code(text: str, *, in_cell: bool) -> str:
    flat = _flat(text)
    fence = "`" * (_longest(flat, "`") + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    span = f"{fence}{pad}{flat}{pad}{fence}"
    # Tables are cut into cells before code is looked for.
    return span.replace("|", "\\|") if in_cell else span


def _text(text: str) -> str:
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], _flat(text))
    escaped = _ADDRESS.sub(lambda found: "\\" + found[0], escaped)
    return _START.sub(r"\1\\\2", escaped) if not escaped[:1].isdigit() else re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)


def _flat(text: str) -> str:
    return clean(text).replace("\n", "�")


def _longest(text: str, character: str) -> int:
    return max((len(found) for found in re.findall(f"{re.escape(character)}+", text)), default=0)
