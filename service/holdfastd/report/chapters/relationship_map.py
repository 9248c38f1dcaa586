"""The relationship map: drawn where a picture can be shown, and as a tree of text. Pure."""

from collections.abc import Iterator

from holdfastd.report.blocks import Block, Code, Drawing, Fold, Paragraph, Script
from holdfastd.report.map.draw import draw_map
from holdfastd.report.map.tree import tree
from holdfastd.report.view import View
from holdfastd.report.words import number, plural

_LINES = 200


def relationship_map(view: View) -> Iterator[Block]:
    """Yield the map of all relationships that are declared or meant."""
    if not view.meant:
        return
    if view.with_drawings:
        yield from _drawn(view)
    lines = tree(view.facts.tables, view.facts.relationships)
    if view.is_applied:
        yield Paragraph("As audited, before the plan was applied.")
    yield Paragraph("Under each referenced table, what references it; required columns accept no NULL, validated keys go without saying.")
    yield Script("\n".join(lines[:_LINES]), "text")
    rest = lines[_LINES:]
    if rest:
        command = (f"And {number(len(rest))} more lines: ", Code(f"holdfast relationships {view.name}"))
        yield Fold(f"{number(len(rest))} more lines", [Script("\n".join(rest), "text")], otherwise=command)


def _drawn(view: View) -> Iterator[Block]:
    drawing = draw_map(view.facts.tables, view.facts.relationships)
    yield Drawing(drawing.svg, "Relationship map; the tree below says the same in words")
    if drawing.omitted_tables:
        yield Paragraph(f"{plural(drawing.omitted_tables, 'table is', 'tables are')} not drawn: there are too many for one picture.")
