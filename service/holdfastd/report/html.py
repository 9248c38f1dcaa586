"""A document as one HTML page that needs nothing else. Names from a database stay text, whatever they hold. Pure."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count

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
from holdfastd.report.style import STYLE
from holdfastd.report.words import NOTHING, clean

# Nothing may be loaded and nothing may run, should a name ever slip through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_BAR_WIDTH, _BAR_HEIGHT = 60, 9
_CHAPTER = 2
#: From so many columns on, a phone shows a row as a card.
_WIDE = 3
#: First cells up to this length leave the room to the others.
_SLIM = 12
#: A drawing up to this width can still be read when it is made to fit.
_PAGE_WIDTH = 1800


def render_html(document: Document) -> str:
    """Return the page; its title is the first heading."""
    title = next((block.text for block in document if isinstance(block, Heading)), "Holdfast")
    chapters = count(1)
    body = "\n".join(_block(block, chapters) for block in document)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{_text(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _block(block: Block, chapters: Iterator[int]) -> str:
    match block:
        case Heading():
            anchor = f' id="chapter-{next(chapters)}"' if block.level == _CHAPTER else ""
            written = f"<h{block.level}{anchor}>{_text(block.text)}</h{block.level}>"
        case Paragraph():
            written = f"<p>{_line(block.line)}</p>"
        case Items():
            tag = "ol" if block.numbered else "ul"
            written = f"<{tag}>" + "".join(f"<li>{_line(line)}</li>" for line in block.lines) + f"</{tag}>"
        case Grid():
            written = _grid(block)
        case Script():
            # What scrolls must be within reach of the keyboard.
            written = f'<pre tabindex="0"><code>{escape(clean(block.text).rstrip(chr(10)))}</code></pre>'
        case Contents():
            links = "".join(f'<li><a href="#chapter-{place}">{_text(title)}</a></li>' for place, title in enumerate(block.titles, start=1))
            written = f'<nav aria-label="Contents"><ol>{links}</ol></nav>'
        case Drawing():
            written = _drawing(block)
        case Fold():
            inside = "\n".join(_block(each, chapters) for each in block.blocks)
            kind = ' class="long"' if block.is_long else ""
            written = f"<details{kind}><summary>{_text(block.title)}</summary>\n{inside}\n</details>"
    return written


def _drawing(drawing: Drawing) -> str:
    """Return a drawing that fits the page, or one to be scrolled when fitting would make it too small to read."""
    width = re.search(r'^<svg [^>]*?\bwidth="(\d+)', drawing.svg)
    fitting = ' class="fits"' if width is not None and int(width[1]) <= _PAGE_WIDTH else ""
    return f'<figure{fitting} role="group" aria-label="{_text(drawing.title)}" tabindex="0">{drawing.svg}</figure>'


def _grid(grid: Grid) -> str:
    titled = any(grid.columns)
    kinds = [' class="number"' if column in grid.numbers else "" for column in grid.columns]
    labels = [f' data-label="{_text(column)}"' if column else "" for column in grid.columns]
    head = "".join(f'<th scope="col"{kind}>{_text(column)}</th>' for kind, column in zip(kinds, grid.columns, strict=True))
    rows = "".join(f"<tr>{_cells(row, kinds, labels)}</tr>\n" for row in grid.rows)
    start = f"<thead><tr>{head}</tr></thead>\n" if titled else ""
    slim = all(isinstance(row[0], str) and len(row[0]) <= _SLIM for row in grid.rows)
    style = "pairs" if not titled else "plain" if len(grid.columns) <= _WIDE else "cards slim" if slim else "cards"
    return f'<div class="wide"><table class="{style}">{start}<tbody>{rows}</tbody></table></div>'


def _cells(row: Sequence[Line], kinds: Sequence[str], labels: Sequence[str]) -> str:
    first, *rest = row
    cells = [f'<th scope="row"{kinds[0]}>{_line(first)}</th>']
    cells += [f"<td{_kind(kind, cell)}{label}>{_line(cell)}</td>" for kind, label, cell in zip(kinds[1:], labels[1:], rest, strict=True)]
    return "".join(cells)


def _kind(kind: str, cell: Line) -> str:
    """Return the class of a cell; a card on a phone does without those that say nothing."""
    return ' class="absent"' if cell in (NOTHING, "") and not kind else ' class="number absent"' if cell in (NOTHING, "") else kind


def _line(line: Line) -> str:
    return "".join(_run(run) for run in runs(line))


def _run(run: Run) -> str:
    match run:
        case Code():
            return f"<code>{_text(run.text)}</code>"
        case Name():
            return f"<code>{_breakable(run.text)}</code>"
        case Strong():
            return f"<strong>{_text(run.text)}</strong>"
        case Level():
            return f'<span class="level {run.text.split()[0].lower()}">{_text(run.text)}</span>' if run.text.strip() else ""
        case Bar():
            return _bar(run)
        case str():
            return _breakable(run)


def _breakable(text: str) -> str:
    """Return text in which long names break at their joints, not anywhere, and dates nowhere."""
    written = re.sub(r"(?<=\w)([._])(?=\w)", r"\1<wbr>", _text(text))
    return re.sub(r"\b\d{4}-\d\d-\d\d\b", r'<span class="whole">\g<0></span>', written)


def _bar(bar: Bar) -> str:
    width = max(min(bar.share, 1.0) * _BAR_WIDTH, 1.0 if bar.share > 0 else 0.0)
    return (
        f'<span class="bar"><svg width="{_BAR_WIDTH}" height="{_BAR_HEIGHT}" aria-hidden="true">'
        f'<rect class="back" width="{_BAR_WIDTH}" height="{_BAR_HEIGHT}" rx="2"/>'
        f'<rect class="fill" width="{width:.1f}" height="{_BAR_HEIGHT}" rx="2"/></svg>{_text(bar.text)}</span>'
    )


def _text(text: str) -> str:
    return escape(clean(text).replace("\n", "�"))
