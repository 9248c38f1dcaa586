"""What to test afterwards: statements for a copy of the database, each with what must happen, each undone at once. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from holdfastd.catalog.model import OnDelete
from holdfastd.names import TableName, comment, literal, readable
from holdfastd.plan.model import OrphanAction
from holdfastd.report.blocks import Block, Code, Fold, Items, Line, Paragraph, Script
from holdfastd.report.consequences import Consequences, by_referenced, of_deleting
from holdfastd.report.detection import can_be_queried, count_query, is_visible, referenced_query, table_sql
from holdfastd.report.view import Key, Proposal, View
from holdfastd.report.words import key_name, plural, rows, table_name

_SHOWN, _FOLDED = 5, 60
_VIOLATED, _RESTRICTED = "23503", "23001"
_RESTRICT_TELLS = 18
_NO_SUCH_UUID = "00000000-0000-4000-8000-000000000000"


def trying(view: View) -> Iterator[Block]:
    """Yield statements per key."""
    found = [each for each in view.proposals if can_be_queried(each.relationship, view.tables)]
    if not found:
        return
    yield Paragraph(
        "On a copy of the database, after the keys are there. Each block changes nothing: it ends with ROLLBACK."
        " One that reports UPDATE 0 or DELETE 0 found no row to try with."
    )
    keys = by_referenced(view.keys_after)
    shown = [text for each in found[: _SHOWN + _FOLDED] if is_visible(text := _statements(view, each, keys))]
    yield Script("\n\n".join(shown[:_SHOWN]))
    if shown[_SHOWN:]:
        yield Fold(plural(len(shown) - _SHOWN, "more key"), [Script("\n\n".join(shown[_SHOWN:]))])
    if len(found) > len(shown):
        yield Paragraph((f"And so for {plural(len(found) - len(shown), 'more key')}: ", Code(f"holdfast relationships {view.name}")))
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
    lines += [
        "BEGIN;",
        f"-- {_expected(view, proposal, of_deleting(item.referenced.table, keys))}",
        f"DELETE FROM {referenced} WHERE ({wanted}) IN ({referenced_query(item, view.tables)});",
    ]
    if proposal.on_delete not in (OnDelete.RESTRICT, OnDelete.NO_ACTION):
        lines += [f"-- must count {_left(proposal)}:", f"{count_query(item, view.tables)};"]
    return "\n".join([*lines, "ROLLBACK;"])


def _left(proposal: Proposal) -> str:
    """Return how many orphan rows the plan leaves."""
    is_left = proposal.decision is not None and proposal.decision.orphan_action is OrphanAction.LEAVE
    return rows(proposal.relationship.orphan_rows) if is_left else "0"


def _expected(view: View, proposal: Proposal, found: Consequences) -> str:
    item = proposal.relationship
    table, key = table_name(item.referencing.table), key_name(view.changed(item))
    match proposal.on_delete:
        case OnDelete.CASCADE:
            told = f"must take its rows of {table} along"
        case OnDelete.SET_NULL:
            told = f"must leave its rows of {table}, with {key} NULL"
        case OnDelete.SET_DEFAULT:
            told = f"must leave its rows of {table}, with {key} at its default"
        case OnDelete.RESTRICT | OnDelete.NO_ACTION:
            told = f"must fail with {_state(view, (proposal.on_delete,))}: {key_name(item.referencing)} references it"
            goes = any(each.referencing.table == item.referencing.table for each in found.deletes)
            return comment(f"{told}, unless another key takes that row along first" if goes else told)[3:]
    if found.refusals:
        names = ", ".join(key_name(each.referencing) for each in found.refusals[:3])
        told += f"; or fail with {_state(view, [each.on_delete for each in found.refusals])} where {names} references what would go"
    left = {each.referencing.table for each in view.included if each.orphan_action is OrphanAction.LEAVE and each.orphan_rows}
    if not left.isdisjoint(each.referencing.table for each in found.changes):
        told += f"; or fail with {_VIOLATED} where it changes an orphan row that was left twice"
    return comment(told)[3:]


def _state(view: View, actions: Iterable[OnDelete]) -> str:
    """Return the SQLSTATE of a refusal: RESTRICT has its own since PostgreSQL 18."""
    major = int(view.facts.subject.server_version.partition(".")[0] or 0)
    states = {_RESTRICTED if action is OnDelete.RESTRICT and major >= _RESTRICT_TELLS else _VIOLATED for action in actions}
    return " or ".join(sorted(states, reverse=True))


def _missing(view: View, proposal: Proposal) -> str:
    """Return an expression whose value no referenced row has, as SQL; empty when none can be told."""
    item = proposal.relationship
    outline = view.tables.get(item.referencing.table)
    types = {column.name: column for column in outline.columns} if outline else {}
    column = types.get(item.referencing.columns[0])
    if column is None or column.enum_labels or column.generated or column.identity == "a":
        return ""
    if column.base_name == "uuid":
        return literal(_NO_SUCH_UUID)
    if column.category == "S":
        return literal("~")
    return (
        f"(SELECT coalesce(max({readable(item.referenced.columns[0])}), 0) + 1 FROM {table_sql(item.referenced.table)})"
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
