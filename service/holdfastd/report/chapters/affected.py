"""The tables that get keys, and what that means for each in a few words. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.catalog.model import OnDelete
from holdfastd.names import TableName
from holdfastd.report.blocks import Block, Level, Line, Name, Paragraph
from holdfastd.report.chapters.capped import capped
from holdfastd.report.view import Proposal, View
from holdfastd.report.words import column_names, enumerated, number, plural, table_name

_IMPACT = {
    OnDelete.CASCADE: "deleted along with its row of {tables}",
    OnDelete.SET_NULL: "set NULL when the row of {tables} is deleted",
    OnDelete.SET_DEFAULT: "set to the default when the row of {tables} is deleted",
    OnDelete.RESTRICT: "protects the row of {tables} from deletion",
    OnDelete.NO_ACTION: "protects the row of {tables} from deletion",
}
_MANY = 4


def affected(view: View) -> Iterator[Block]:
    """Yield one row per table that gets a key."""
    by_table: dict[TableName, list[Proposal]] = {}
    for proposal in view.proposals:
        by_table.setdefault(proposal.relationship.referencing.table, []).append(proposal)
    if not by_table:
        return
    ordered = sorted(by_table.items(), key=lambda pair: pair[0])
    listed: list[tuple[Line, ...]] = [
        (Name(table_name(table)), number(len(found)), _columns(found), "; ".join(_impacts(found))) for table, found in ordered
    ]
    command = f"holdfast plans show {view.plan_id}" if view.facts.plan else f"holdfast relationships {view.name}"
    yield from capped(("Table", "Keys", "On", "Impact"), listed, what="tables", command=command, numbers=("Keys",))
    there = len(view.proposals) - len(view.new)
    told = f", {number(there)} of them there already, to be validated" if there else ""
    yield Paragraph((Level("Total"), f": {plural(len(view.proposals), 'foreign key')} on {plural(len(by_table), 'table')}{told}."))


def _columns(found: Sequence[Proposal]) -> str:
    return ", ".join(column_names(each.relationship.referencing) for each in found)


def _impacts(found: Sequence[Proposal]) -> Iterator[str]:
    for action in OnDelete:
        tables = [*dict.fromkeys(table_name(each.relationship.referenced.table) for each in found if each.on_delete is action)]
        if tables:
            shown = tables[:_MANY] + ([f"{number(len(tables) - _MANY)} more"] if tables[_MANY:] else [])
            yield _IMPACT[action].format(tables=enumerated(shown, "or"))
