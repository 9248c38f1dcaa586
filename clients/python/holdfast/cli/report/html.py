"""A document as one HTML page that needs nothing else. Names from a database stay text, whatever they hold."""

import re
from html import escape

from holdfast.cli.render.words import clean
from holdfast.cli.report.blocks import Bar, Block, Code, Document, Grid, Heading, Items, Line, Paragraph, Strong, runs

# Nothing may be loaded and nothing may run, should a name ever slip through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60646c; --line: #d9dbe0; --soft: #f3f4f6; --bad: #c62a2f; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --dim: #a0a4ab; --line: #3a3d43; --soft: #25272c; --bad: #ff6369; --paper: #151619 }
}
body { margin: 2.5rem auto; max-width: 72rem; padding: 0 1.25rem }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif }
h1 { font-size: 1.7rem; margin: 0 0 1rem }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
h4 { font-size: .95rem; margin: 1.2rem 0 .3rem }
p { margin: .5rem 0 }
li { margin: .25rem 0 }
strong { color: var(--bad) }
code { font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--soft) }
code { padding: .05em .3em; border-radius: 3px; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--dim); white-space: nowrap }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.bar { white-space: nowrap }
svg { vertical-align: -1px; margin-right: .4em }
.back { fill: var(--line) }
.fill { fill: var(--bad) }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }
"""
_BAR_WIDTH, _BAR_HEIGHT = 60, 9


def render_html(document: Document) -> str:
    """Return the page; its title is the first heading."""
    title = next((block.text for block in document if isinstance(block, Heading)), "Holdfast")
    body = "\n".join(_block(block) for block in document)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_text(block.text)}</h{block.level}>"
        case Paragraph():
            return f"<p>{_line(block.line)}</p>"
        case Items():
            tag = "ol" if block.numbered else "ul"
            return f"<{tag}>" + "".join(f"<li>{_line(line)}</li>" for line in block.lines) + f"</{tag}>"
        case Grid():
            return _grid(block)


def _grid(grid: Grid) -> str:
    kinds = [' class="number"' if column in grid.numbers else "" for column in grid.columns]
    head = "".join(f"<th{kind}>{_text(column)}</th>" for kind, column in zip(kinds, grid.columns, strict=True))
    rows = (
        "<tr>" + "".join(f"<td{kind}>{_line(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>\n" for row in grid.rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{"".join(rows)}</tbody></table></div>'


def _line(line: Line) -> str:
    return "".join(_run(run) for run in runs(line))


def _run(run: str | Code | Strong | Bar) -> str:
    match run:
        case Code():
            return f"<code>{_text(run.text)}</code>"
        case Strong():
            return f"<strong>{_text(run.text)}</strong>"
        case Bar():
            return _bar(run)
        case str():
            # Long names break at their joints, not anywhere.
            return re.sub(r"(?<=\w)([._])(?=\w)", r"\1<wbr>", _text(run))


def _bar(bar: Bar) -> str:
    width = max(min(bar.share, 1.0) * _BAR_WIDTH, 1.0 if bar.share > 0 else 0.0)
    return (
        f'<span class="bar"><svg width="{_BAR_WIDTH}" height="{_BAR_HEIGHT}" role="img" aria-hidden="true">'
        f'<rect class="back" width="{_BAR_WIDTH}" height="{_BAR_HEIGHT}" rx="2"/>'
        f'<rect class="fill" width="{width:.1f}" height="{_BAR_HEIGHT}" rx="2"/></svg>{_text(bar.text)}</span>'
    )


def _text(text: str) -> str:
    return escape(clean(text).replace("\n", "�"))
