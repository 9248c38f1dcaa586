"""Numbers, times and names as people read them: in come values, out comes short text. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime

from holdfastd.evidence.model import Exactness, OrphanCause, RowCount
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName, readable

NOTHING = "–"
_PUBLIC = re.compile(r'(?<![\w".$])public\.(?=[\w"])')
_LITTLE = 0.01
_ALMOST_ALL = 99
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1024
_CAUSES = {
    OrphanCause.DELETED: "the referenced row was deleted",
    OrphanCause.NEVER_EXISTED: "the referenced row never existed",
    OrphanCause.SENTINEL: "a value that means none (0, -1, empty)",
    OrphanCause.WRONG_TYPE: "an id of another kind",
    OrphanCause.UNKNOWN: "the values do not tell",
}


def clean(text: str) -> str:
    """Return text from elsewhere without what a terminal would obey, or a reader could not see."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def prose(text: str) -> str:
    """Return a sentence about tables; schema public goes without saying."""
    return _PUBLIC.sub("", clean(text))


def table_name(table: TableName) -> str:
    """Return a table as people read it: names quoted where SQL would need it."""
    return prose(str(table))


def column_names(columns: ColumnSet) -> str:
    """Return columns of a table without the table."""
    return clean(", ".join(readable(name) for name in columns.columns))


def key_name(columns: ColumnSet) -> str:
    """Return columns with their table: `table.column`, or `table(column, column)`."""
    if len(columns.columns) == 1:
        return f"{table_name(columns.table)}.{column_names(columns)}"
    return f"{table_name(columns.table)}({column_names(columns)})"


def relationship_name(item: Relationship) -> str:
    """Return a relationship as people read it."""
    return f"{key_name(item.referencing)} → {key_name(item.referenced)}"


def number(value: int) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def enumerated(things: Sequence[str], last: str = "and") -> str:
    """Return `a`, `a and b` or `a, b and c`; empty for none."""
    *firsts, end = things or ("",)
    return f"{', '.join(firsts)} {last} {end}" if firsts else end


def shortened(things: Sequence[str], most: int) -> str:
    """Return the first few things, and how many more there are."""
    shown = ", ".join(things[:most])
    return f"{shown} and {number(len(things) - most)} more" if len(things) > most else shown


def rows(count: RowCount) -> str:
    """Return a number of rows: `≈` before an estimate, `?` for not counted."""
    if not count.is_known:
        return "?"
    return ("≈" if count.exactness is Exactness.ESTIMATED else "") + number(count.value)


def rounded(estimate: float) -> str:
    """Return what the planner believes, `≈` before it; what was never analysed is unknown."""
    return "?" if estimate < 0 else f"≈{number(round(estimate))}"


def size(count: float) -> str:
    """Return a number of bytes in the unit that fits."""
    value = float(count)
    unit = 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit < 2 or value >= 10 else f"{value:.1f} {_UNITS[unit]}"  # noqa: PLR2004 (two digits)


def share(value: float) -> str:
    """Return a share in percent: two digits that count, never 0 for something nor 100 for less than all."""
    percent = value * 100
    if 0 < percent < _LITTLE:
        return f"<{_LITTLE:g} %"
    if _ALMOST_ALL < percent < 100:  # noqa: PLR2004 (percent)
        return f">{_ALMOST_ALL:g} %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"  # noqa: PLR2004 (two digits)


def chance(probability: float) -> str:
    """Return a probability with two digits; only what is declared is certain."""
    return f"{probability if probability == 1 else min(probability, 0.99):.2f}"


def minute(moment: datetime | None) -> str:
    """Return a time to the minute; times are UTC."""
    return moment.strftime("%Y-%m-%d %H:%M") if moment else NOTHING


def day(moment: datetime | None) -> str:
    """Return a date."""
    return minute(moment)[:10]


def lasted(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took."""
    return f"{max(0.0, (end - start).total_seconds()):.1f} s" if start and end else NOTHING


def cause(value: OrphanCause) -> str:
    """Return why rows reference nothing, in words."""
    return _CAUSES[value]


def sentence(text: str) -> str:
    """Return text that ends with one full stop."""
    return text.rstrip(". ") + "." if text else ""
