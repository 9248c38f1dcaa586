"""The two shapes of all output: a list of things, and one thing with its facts."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

Cell = str | Text


def listing(*columns: str, numbers: Sequence[str] = (), narrow: Sequence[str] = ()) -> Table:
    """Return an empty table: numbers to the right, narrow columns never folded, all else folds rather than being cut."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in numbers else "left",
            overflow="fold",
            no_wrap=column in narrow or column in numbers,
        )
    return table


def facts(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Return names and values under each other."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    return table


def or_nothing(table: Table, words: str) -> RenderableType:
    """Return the table, or words when it is empty."""
    return table if table.row_count else words
