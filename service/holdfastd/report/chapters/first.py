"""What to do first. Pure."""

from collections.abc import Iterator

from holdfastd.report.blocks import Block, Code, Items, Paragraph
from holdfastd.report.suggestions import suggest
from holdfastd.report.view import View

NOTHING_TO_DO = "Nothing: no open finding is worse than INFO."


def first(view: View) -> Iterator[Block]:
    """Yield what to do, the most urgent first."""
    found = suggest(view.facts)
    if not found:
        yield Paragraph(NOTHING_TO_DO)
        return
    yield Items([(each.text, " ", Code(each.command)) for each in found], numbered=True)
