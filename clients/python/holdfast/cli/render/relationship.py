"""One relationship, whole: why Holdfast believes in it, what it may mean instead, and what is known about its orphan rows."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import Cell, facts, listing
from holdfast.cli.render.words import (
    NOTHING,
    chance,
    clean,
    columns,
    minute,
    moment,
    number,
    prose,
    relationship,
    rows,
    share,
    standing,
    state,
    word,
)
from holdfast.v1.core_pb2 import (
    EXACTNESS_ESTIMATED,
    EXACTNESS_NOT_COUNTED,
    OnDelete,
    OrphanCause,
    OrphanDetails,
    Relationship,
    Risk,
)


def whole(items: Sequence[Relationship]) -> RenderableType:
    """Return everything that is known about a relationship; it comes once per constraint that declares it."""
    return Group(*(part for place, item in enumerate(items) for part in (*(("",) if place else ()), *_parts(item))))


def _parts(item: Relationship) -> Iterator[RenderableType]:
    yield facts(_head(item))
    yield from _reasons(item)
    yield from _orphans(item)


def _head(item: Relationship) -> Iterator[tuple[str, Cell]]:
    yield "relationship", Text(relationship(item.id), style="bold")
    yield "id", Text(clean(item.id))
    yield "state", standing(item)
    if item.declared:
        yield "constraint", f"{clean(item.constraint_name)}, ON DELETE {word(OnDelete, item.declared_on_delete)}"
    else:
        odds = f" = {chance(item.reference_probability)} a reference × {chance(item.target_probability)} to this key"
        yield "confidence", f"{chance(item.confidence)}{odds if item.reference_probability else ''}"
    yield "ON DELETE", f"{word(OnDelete, item.suggested_on_delete)}. {prose(item.rationale)}".rstrip(". ") + "."
    yield "nullable", "yes" if item.nullable else "no"
    yield "index", "serves the referencing columns" if item.indexed else Text("none serves the referencing columns", style="yellow")
    yield "risk", state(Risk, item.risk)
    if item.obstacle:
        yield "obstacle", Text(prose(item.obstacle), style="red")
    yield "orphan rows", _count(item)


def _count(item: Relationship) -> Text:
    count = item.orphan_rows
    text = rows(count)
    if count.exactness == EXACTNESS_NOT_COUNTED:
        text.append(f" not counted: {prose(count.reason)}")
    elif count.exactness == EXACTNESS_ESTIMATED and count.HasField("low") and count.HasField("high"):
        text.append(f" estimated, {number(count.low)} to {number(count.high)} with 95 % confidence, at {moment(count.as_of)}")
    else:
        text.append(f" at {moment(count.as_of)}", style="dim")
    return text


def _reasons(item: Relationship) -> Iterator[RenderableType]:
    if item.evidence:
        yield from _titled("Why", *(Text(f"· {prose(evidence.text)}") for evidence in item.evidence))
    if item.alternatives:
        yield from _titled("It may reference instead")
        yield facts((f"  {chance(each.confidence)}", columns(each.referenced)) for each in item.alternatives)
    if item.other_actions:
        yield from _titled(f"Instead of {word(OnDelete, item.suggested_on_delete)}")
        yield facts((f"  {word(OnDelete, each.on_delete)}", prose(each.rationale)) for each in item.other_actions)


def _orphans(item: Relationship) -> Iterator[RenderableType]:
    if not item.HasField("orphan_details"):
        return
    details = item.orphan_details
    yield from _titled("Orphan rows", facts(_about(details)))
    if details.causes:
        table = listing("Why they reference nothing", "Rows", "Values", numbers=("Rows", "Values"))
        for each in details.causes:
            table.add_row(cause(each.cause), number(each.rows), number(each.distinct_values))
        yield from ("", table)
    if details.taken:
        table = listing("Deleting them would take along", "Rows", "Share", numbers=("Rows", "Share"))
        for each_table in details.taken:
            part = share(each_table.share) if each_table.HasField("share") else NOTHING
            table.add_row(prose(each_table.table), number(each_table.rows), part)
        yield from ("", table)


def _about(details: OrphanDetails) -> Iterator[tuple[str, Cell]]:
    if details.HasField("share"):
        yield "share", f"{share(details.share)} of the table"
    if details.distinct_values:
        yield "values", f"{number(details.distinct_values)} distinct"
    if details.HasField("first_seen"):
        yield "seen", f"{minute(details.first_seen)} to {minute(details.last_seen)}, by {clean(details.seen_column)}"
    if details.blocked:
        yield "blocked", Text(prose(details.blocked), style="red")
    if details.unknown:
        yield "unknown", Text(prose(details.unknown), style="yellow")


def cause(value: int) -> str:
    """Return why rows reference nothing, in words."""
    return _CAUSES.get(value, word(OrphanCause, value).lower())


_CAUSES: dict[int, str] = {
    OrphanCause.ORPHAN_CAUSE_DELETED: "the referenced row was deleted",
    OrphanCause.ORPHAN_CAUSE_NEVER_EXISTED: "the referenced row never existed",
    OrphanCause.ORPHAN_CAUSE_SENTINEL: "a value that means none (0, -1, empty)",
    OrphanCause.ORPHAN_CAUSE_WRONG_TYPE: "an id of another kind",
    OrphanCause.ORPHAN_CAUSE_UNKNOWN: "the values do not tell",
}


def _titled(title: str, *parts: RenderableType) -> tuple[RenderableType, ...]:
    return ("", Text(title, style="bold"), *parts)
