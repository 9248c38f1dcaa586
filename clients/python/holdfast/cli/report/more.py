"""The line under a table that had no room for everything."""

from collections.abc import Iterator

from holdfast.cli.render.words import number
from holdfast.cli.report.blocks import Block, Code, Paragraph


def more(count: int, what: str, command: str) -> Iterator[Block]:
    """Return where to see what there was no room for, if anything."""
    if count > 0:
        yield Paragraph((f"And {number(count)} more {what}: ", Code(command)))
