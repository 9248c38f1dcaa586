"""The tables that can produce orphan rows: what a deletion does today, what is there already, and how bad it is. Pure."""

from collections.abc import Iterator

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness, OrphanDetails
from holdfastd.inference.model import Relationship, Risk, Tier
from holdfastd.report.blocks import Bar, Block, Code, Level, Line, Paragraph, Strong
from holdfastd.report.chapters.capped import capped
from holdfastd.report.suggestions import argument
from holdfastd.report.view import View, is_exposed
from holdfastd.report.words import (
    NOTHING,
    cause,
    day,
    key_name,
    number,
    plural,
    prose,
    relationship_name,
    rows,
    share,
    table_name,
)

_COLUMNS = (
    "Relationship",
    "On deletion",
    "Orphan rows",
    "Risk",
    "Of the table",
    "Why",
    "Made",
    "Deleting them takes",
)
_CAUSES, _TAKEN = 2, 3
_TODAY = {
    OnDelete.CASCADE: "Takes its rows of {table} along",
    OnDelete.SET_NULL: "Sets {key} NULL",
    OnDelete.SET_DEFAULT: "Sets {key} to its default",
    OnDelete.RESTRICT: "Is refused while {table} references it",
    OnDelete.NO_ACTION: "Is refused while {table} references it",
}


def exposure(view: View) -> Iterator[Block]:
    """Yield the relationships that have or can get orphan rows, the worst first."""
    safe = sum(item.tier is Tier.DECLARED for item in view.meant) - sum(item.tier is Tier.DECLARED for item in view.exposed)
    if not view.exposed:
        if view.meant:
            yield Paragraph("None: every relationship is declared and enforced, and no orphan row was counted.")
        return
    if view.is_applied:
        yield Paragraph("As audited, before the plan was applied.")
    yield Paragraph("What happens to the referencing rows when their referenced row is deleted, and the orphan rows there are.")
    yield from capped(
        _COLUMNS,
        [_row(item, view) for item in view.exposed],
        what="relationships",
        command=f"holdfast relationships {view.name}",
        numbers=("Orphan rows",),
    )
    if safe:
        yield Paragraph(
            f"{plural(safe, 'further relationship is', 'further relationships are')} declared, enforced and without orphan rows."
        )
    if view.with_orphans:
        yield Paragraph(("Keys of the rows: ", Code(f"holdfast orphans {view.name} {argument(view, view.with_orphans[0])}")))


def _row(item: Relationship, view: View) -> tuple[Line, ...]:
    details = item.orphan_details or OrphanDetails(distinct_values=0)
    told = rows(item.orphan_rows) + _bounds(item)
    return (
        relationship_name(item),
        today(item, view),
        Strong(told) if item.orphan_rows.is_known and item.orphan_rows.value else told,
        Level(item.risk) if item.risk is not Risk.UNRATED else NOTHING,
        Bar(details.share, share(details.share)) if details.share is not None else NOTHING,
        _why(details),
        f"{day(details.first_seen)} to {day(details.last_seen)}" if details.first_seen else NOTHING,
        _taken(details),
    )


def today(item: Relationship, view: View) -> str:
    """Return what deleting a referenced row does as things are."""
    table, key = table_name(item.referencing.table), key_name(view.changed(item))
    if is_exposed(item):
        return f"Leaves its rows of {table} as orphan rows"
    return _TODAY[item.declared_on_delete or OnDelete.NO_ACTION].format(table=table, key=key)


def _bounds(item: Relationship) -> str:
    count = item.orphan_rows
    if count.exactness is not Exactness.ESTIMATED or count.low is None or count.high is None:
        return ""
    return f" ({number(count.low)} to {number(count.high)})"


def _why(details: OrphanDetails) -> str:
    several = len(details.causes) > 1
    told = [f"{cause(each.cause)} ({number(each.rows)})" if several else cause(each.cause) for each in details.causes]
    return "; ".join(told[:_CAUSES]) or NOTHING


def _taken(details: OrphanDetails) -> str:
    if details.blocked:
        return prose(details.blocked)
    told = [f"{number(each.rows)} of {table_name(each.table)}" for each in details.taken]
    rest = len(told) - _TAKEN
    return ", ".join(told[:_TAKEN]) + (f" and rows of {plural(rest, 'more table')}" if rest > 0 else "") or NOTHING
