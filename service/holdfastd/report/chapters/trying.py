"""What to test afterwards: statements for a copy of the database, each with what must happen, each undone at once. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from holdfastd.catalog.model import OnDelete
from holdfastd.names import TableName, comment, literal, readable
from holdfastd.report.blocks import Block, Code, Fold, Items, Line, Paragraph, Script
from holdfastd.report.consequences import by_referenced, of_deleting
from holdfastd.report.detection import can_be_queried, count_query, is_visible, table_sql
from holdfastd.report.view import Key, Proposal, View
from holdfastd.report.words import key_name, number, table_name

_SHOWN, _FOLDED = 5, 60
_NO_SUCH_UUID = "00000000-0000-4000-8000-000000000000"


def trying(view: View) -> Iterator[Block]:
    """Yield statements per key."""
    found = [each for each in view.proposals if can_be_queried(each.relationship, view.tables)]
    if not found:
        return
    yield Paragraph("On a copy of the database, after the keys are there. Each block changes nothing: it ends with ROLLBACK.")
    keys = by_referenced(view.keys_after)
    shown = [text for each in found[: _SHOWN + _FOLDED] if is_visible(text := _statements(view, each, keys))]
    yield Script("\n\n".join(shown[:_SHOWN]))
    if shown[_SHOWN:]:
        yield Fold(f"{number(len(shown) - _SHOWN)} more keys", [Script("\n\n".join(shown[_SHOWN:]))])
    if len(found) > len(shown):
        yield Paragraph((f"And so for {number(len(found) - len(shown))} more keys: ", Code(f"holdfast relationships {view.name}")))
    yield Items([*_flows(view)])


def _statements(view: View, proposal: Proposal, keys: Mapping[TableName, Sequence[Key]]) -> str:
    item = proposal.relationship
    table, referenced = table_sql(item.referencing.table), table_sql(item.referenced.table)
    lines = [comment(f"{key_name(item.referencing)} → {key_name(item.referenced)}, ON DELETE {proposal.on_delete}")]
    columns = [readable(name) for name in item.referencing.columns]
    present = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    missing = _missing(view, proposal)
    if missing:
        first = f"ctid = (SELECT min(ctid) FROM {table} WHERE {present})"
        lines += [
            "BEGIN;",
            "-- must fail with 23503, foreign_key_violation:",
            f"UPDATE {table} SET {columns[0]} = {missing} WHERE {first};",
            "ROLLBACK;",
        ]
    wanted = ", ".join(readable(name) for name in item.referenced.columns)
    chosen = f"SELECT {', '.join(columns)} FROM {table} WHERE {present} LIMIT 1"
    refusals = of_deleting(item.referenced.table, keys).refusals
    lines += [
        "BEGIN;",
        f"-- {_expected(proposal, [key_name(key.referencing) for key in refusals])}",
        f"DELETE FROM {referenced} WHERE ({wanted}) IN ({chosen});",
    ]
    if proposal.on_delete not in (OnDelete.RESTRICT, OnDelete.NO_ACTION):
        lines += ["-- must count 0:", f"{count_query(item, view.tables)};"]
    return "\n".join([*lines, "ROLLBACK;"])


def _expected(proposal: Proposal, refusals: list[str]) -> str:
    item = proposal.relationship
    table, key = table_name(item.referencing.table), key_name(item.referencing)
    match proposal.on_delete:
        case OnDelete.CASCADE:
            told = f"must take its rows of {table} along"
        case OnDelete.SET_NULL:
            told = f"must leave its rows of {table}, with {key} NULL"
        case OnDelete.SET_DEFAULT:
            told = f"must leave its rows of {table}, with {key} at its default"
        case OnDelete.RESTRICT | OnDelete.NO_ACTION:
            return comment(f"must fail with 23503 (or 23001): {key} references it")[3:]
    if refusals:
        told += f"; or fail with 23503 (or 23001) where {', '.join(refusals[:3])} references what would go"
    return comment(told)[3:]


def _missing(view: View, proposal: Proposal) -> str:
    """Return an expression whose value no referenced row has, as SQL; empty when none can be told."""
    item = proposal.relationship
    outline = view.tables.get(item.referencing.table)
    types = {column.name: column for column in outline.columns} if outline else {}
    column = types.get(item.referencing.columns[0])
    if column is None or column.enum_labels:
        return ""
    if column.base_name == "uuid":
        return literal(_NO_SUCH_UUID)
    if column.category == "S":
        return literal("~")
    return (
        f"(SELECT max({readable(item.referenced.columns[0])}) + 1 FROM {table_sql(item.referenced.table)})"
        if column.base_name in ("int4", "int8")
        else ""
    )


def _flows(view: View) -> Iterator[Line]:
    tables = [*dict.fromkeys(table_name(each.relationship.referenced.table) for each in view.proposals)]
    shown = ", ".join(tables[:8])
    yield (
        f"Then what people do: make and delete {shown}{' …' if tables[8:] else ''} through the application, and write what references them."
    )
    yield "Imports, seeds and test fixtures: do they write referenced rows first?"
