"""Tables that may be long: the first rows to be seen at once, more of them folded away, and the command that has all. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.report.blocks import Block, Code, Fold, Grid, Line, Paragraph
from holdfastd.report.words import NOTHING, number

_SHOWN, _FOLDED = 40, 400
#: More rows than this need not be made.
MOST = _SHOWN + _FOLDED


def capped(
    columns: Sequence[str],
    rows: Sequence[Sequence[Line]],
    *,
    what: str,
    command: str,
    numbers: Sequence[str] = (),
    shown: int = _SHOWN,
    total: int = 0,
) -> Iterator[Block]:
    """Yield a table without the columns that say nothing in any row.

    `what`: what rows are, in the plural. `total`: how many rows there are, where not all were made.
    """
    kept = [place for place in range(len(columns)) if place == 0 or any(row[place] not in (NOTHING, "") for row in rows)]
    titles = [columns[place] for place in kept]
    narrowed = [[row[place] for place in kept] for row in rows[: shown + _FOLDED]]
    yield Grid(titles, narrowed[:shown], numbers)
    rest = max(total, len(rows)) - shown
    if rest <= 0:
        return
    otherwise = more(rest, what, command)
    folded: list[Block] = [Grid(titles, narrowed[shown:], numbers)]
    if rest > _FOLDED:
        folded.append(Paragraph(more(rest - _FOLDED, what, command)))
    yield Fold(f"{number(rest)} more {what}", folded, otherwise=otherwise)


def more(count: int, what: str, command: str) -> Line:
    """Return where to see what there was no room for."""
    return (f"And {number(count)} more {what}: ", Code(command))
