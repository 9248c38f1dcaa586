"""Missing indexes on referencing columns: why each is needed, what becomes fast, and what it costs. Pure."""

from collections.abc import Iterator

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.model import Relationship
from holdfastd.report.blocks import Block, Items, Line, Name, Paragraph
from holdfastd.report.chapters.capped import capped
from holdfastd.report.view import View
from holdfastd.report.words import NOTHING, column_names, key_name, rounded, size, table_name

#: Bytes of a value by the type's internal name; others have no fixed width.
_WIDTHS = {
    **dict.fromkeys(("int2", "int4", "int8", "date", "timestamp", "timestamptz", "oid", "float4", "float8"), 8),
    "uuid": 16,
}
#: Of an entry in a B-tree besides its key: tuple header and line pointer; and how full a page is.
_ENTRY_BYTES, _FILL = 12, 0.9
_FINDS = {
    OnDelete.CASCADE: "to delete",
    OnDelete.SET_NULL: "to set NULL",
    OnDelete.SET_DEFAULT: "to set to their default",
    OnDelete.RESTRICT: "that forbid it",
    OnDelete.NO_ACTION: "that forbid it",
}


def indexes(view: View) -> Iterator[Block]:
    """Yield the indexes that no referencing columns should be without."""
    missing = [item for item in view.meant if not item.indexed]
    if not missing:
        return
    names = {each.relationship_id: each.index_name for each in view.included}
    actions = {each.relationship.id: each.on_delete for each in view.proposals}
    listed = [_row(view, item, names.get(item.id, ""), actions.get(item.id, item.declared_on_delete)) for item in missing]
    if view.is_applied:
        yield Paragraph("As audited, before the plan was applied: it built those that have a name here.")
    yield from capped(
        ("On", "Index", "Why", "What becomes fast", "Rows", "Size"),
        listed,
        what="missing indexes",
        command=f"holdfast findings {view.name} --severity warn",
        numbers=("Rows", "Size"),
    )
    yield Items(
        (
            (
                "Without one, each deletion of a referenced row, and each change of its key, reads the whole"
                " referencing table, while it holds its locks."
            ),
            (
                "The cost: every INSERT, and every UPDATE of these columns, writes one more index entry; the sizes"
                " are what a new B-tree takes at most."
            ),
            (
                "How much faster anything gets was not measured: it grows with the table, and the queries of the"
                " application were not looked at."
            ),
        )
    )
    if not names and view.undeclared:
        yield Paragraph("A plan builds those of the keys it declares, concurrently, before the keys.")


def _row(view: View, item: Relationship, name: str, on_delete: OnDelete | None) -> tuple[Line, ...]:
    table, referenced = table_name(item.referencing.table), table_name(item.referenced.table)
    outline = view.tables.get(item.referencing.table)
    why = f"No usable index begins with {column_names(item.referencing)}; deleting a row of {referenced} has to find the rows of {table}"
    return (
        Name(key_name(item.referencing)),
        Name(name) if name else NOTHING,
        f"{why} {_FINDS[on_delete or OnDelete.NO_ACTION]}.",
        f"Deleting from {referenced}, changing its key, and joins from a row of {referenced} to its {table}.",
        rounded(outline.row_estimate) if outline else NOTHING,
        _size(view, item),
    )


def _size(view: View, item: Relationship) -> str:
    """Return how large the index gets at most, where the width of its values is known."""
    outline = view.tables.get(item.referencing.table)
    if outline is None or outline.row_estimate < 0:
        return NOTHING
    types = {column.name: column.base_name for column in outline.columns}
    widths = [_WIDTHS.get(types.get(name, "")) for name in item.referencing.columns]
    if any(width is None for width in widths):
        return NOTHING
    return f"≤ {size(outline.row_estimate * (_ENTRY_BYTES + sum(width or 0 for width in widths)) / _FILL + 8192 * 2)}"
