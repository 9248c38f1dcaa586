"""The tables: their keys and types, what they are for, and how they hang together. Pure."""

from collections import Counter
from collections.abc import Iterator

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import ColumnOutline, TableOutline
from holdfastd.report.blocks import Block, Line, Name, Paragraph, joined
from holdfastd.report.chapters.capped import capped
from holdfastd.report.view import View
from holdfastd.report.words import NOTHING, clean, number, rounded, size, table_name

_COLUMNS = ("Table", "Rows", "Size", "Primary key", "Type", "Purpose", "References", "Referenced by")
_LONG = 140


def tables(view: View) -> Iterator[Block]:
    """Yield every table, those with relationships first when there are very many."""
    if not view.facts.tables:
        # Without a relationship nothing tells whether there was a table.
        told = "This audit was made before tables were kept; audit again to see them here."
        yield Paragraph(told if view.facts.relationships else "The role that audited sees no table.")
        return
    out = Counter(item.referencing.table for item in view.meant)
    into = Counter(item.referenced.table for item in view.meant)
    rows = [
        (
            Name(table_name(table.name)),
            rounded(table.row_estimate),
            size(table.size_bytes),
            joined([Name(clean(name)) for name in table.primary_key]) if table.primary_key else "none",
            ", ".join(_types(table)) or NOTHING,
            _purpose(table),
            number(out[table.name]),
            number(into[table.name]),
        )
        for table in view.facts.tables
    ]
    yield from capped(
        _COLUMNS,
        rows,
        what="tables",
        command=f"holdfast report {view.name} --format html",
        numbers=("Rows", "Size", "References", "Referenced by"),
        shown=60,
    )
    yield Paragraph("Rows are the planner's estimate; sizes are without indexes.")


def _types(table: TableOutline) -> Iterator[str]:
    columns = {column.name: column for column in table.columns}
    return (_type(columns[name]) for name in table.primary_key if name in columns)


def _type(column: ColumnOutline) -> str:
    """Return the type of a key column, and where its values come from: what an application has to know about it."""
    default = column.default or ""
    if column.identity:
        return f"{clean(column.type)} (identity)"
    if default.startswith("nextval("):
        return f"{clean(column.type)} (serial)"
    return f"{clean(column.type)} (UUID)" if "uuid" in default.lower() and "uuid" not in column.type else clean(column.type)


def _purpose(table: TableOutline) -> Line:
    told = clean(table.comment or table.purpose).replace("\n", " ")
    short = told if len(told) <= _LONG else told[:_LONG].rsplit(" ", 1)[0] + " …"
    kind = {TableKind.PARTITIONED: "partitioned", TableKind.FOREIGN: "foreign table"}.get(table.kind, "")
    kind = "" if short.endswith(kind) else kind
    return "; ".join(part for part in (short, kind) if part) or NOTHING
