"""The tables of a database, as a table."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing, or_nothing
from holdfast.cli.render.words import NOTHING, clean, number, prose, readable
from holdfast.v1.core_pb2 import TABLE_KIND_FOREIGN, TABLE_KIND_PARTITIONED, Table

_KINDS = {TABLE_KIND_PARTITIONED: "partitioned", TABLE_KIND_FOREIGN: "foreign"}
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def many(tables: Iterable[Table]) -> RenderableType:
    """Return tables with their sizes and primary keys."""
    listed = listing("Table", "Rows", "Size", "Columns", "Indexes", "Primary key", numbers=("Rows", "Size", "Columns", "Indexes"))
    for table in tables:
        name = Text(prose(f"{readable(table.schema)}.{readable(table.name)}"))
        name.append(f" ({_KINDS[table.kind]})" if table.kind in _KINDS else "", style="dim")
        key = (
            Text(", ".join(clean(readable(column)) for column in table.primary_key)) if table.primary_key else Text("none", style="yellow")
        )
        listed.add_row(
            name,
            f"≈{number(table.row_estimate)}" if table.HasField("row_estimate") else NOTHING,
            _size(table.size_bytes),
            number(len(table.columns)),
            number(len(table.indexes)),
            key,
        )
    return or_nothing(listed, "No tables were kept with this audit; `holdfast audit NAME` keeps them.")


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 10 else f"{size:.1f} {_UNITS[unit]}"  # noqa: PLR2004 (two digits)
