"""The report's tables of relationships: orphan rows, keys to declare, and relationships for review."""

from collections.abc import Iterator, Sequence

from holdfast.cli.render.relationship import cause
from holdfast.cli.render.words import NOTHING, chance, columns, minute, number, prose, readable, relationship, rows, share, table, word
from holdfast.cli.report.blocks import Bar, Block, Code, Grid, Heading, Line, Paragraph, Strong
from holdfast.cli.report.gather import Facts
from holdfast.cli.report.more import more
from holdfast.cli.report.triage import argument, plural
from holdfast.v1.core_pb2 import EXACTNESS_ESTIMATED, OnDelete, OrphanDetails, Relationship

_ORPHANS, _KEYS, _DOUBTFUL, _CAUSES, _TAKEN = 25, 60, 15, 2, 3


def orphan_rows(facts: Facts) -> Iterator[Block]:
    """Return relationships with orphan rows, the most first: why they are there, and what deleting them would take along."""
    found = facts.with_orphans
    if not found:
        return
    yield Heading(2, "Orphan rows")
    titles = ("Relationship", "Rows", "Of the table", "Why", "Seen", "Deleting takes")
    yield _filled(titles, [_orphan_row(item) for item in found[:_ORPHANS]], numbers=("Rows",))
    yield from more(len(found) - _ORPHANS, "relationships with orphan rows", f"holdfast relationships {facts.name}")
    worst = argument(facts, found[0])
    yield Paragraph(("Keys of the rows: ", Code(f"holdfast orphans {facts.name} {worst}")))


def undeclared(facts: Facts) -> Iterator[Block]:
    """Return the keys that a plan would declare, table by table, tables with orphan rows first."""
    found = facts.undeclared
    if not found:
        return
    tables: dict[tuple[str, str], list[Relationship]] = {}
    for item in found:
        tables.setdefault((item.referencing.schema, item.referencing.table), []).append(item)
    worst_first = sorted(tables.items(), key=lambda pair: (-sum(item.orphan_rows.value for item in pair[1]), pair[0]))
    yield Heading(2, "Undeclared keys")
    yield Paragraph(("A plan declares them, builds their indexes and cleans up: ", Code(f"holdfast plan {facts.name}")))
    listed = [row for _, items in worst_first for row in _key_rows(items)]
    titles = ("Table", "Columns", "References", "Conf.", "Orphans", "ON DELETE", "Because")
    yield Grid(titles, listed[:_KEYS], numbers=("Conf.", "Orphans"))
    yield from more(len(listed) - _KEYS, "undeclared keys", f"holdfast relationships {facts.name}")


def doubtful(facts: Facts) -> Iterator[Block]:
    """Return relationships that somebody should look at, the likeliest first."""
    found = facts.doubtful
    if not found:
        return
    yield Heading(2, "For review")
    yield Paragraph(f"{plural(len(found), 'relationship')} may be meant; a plan leaves them out unless a policy includes them.")
    listed = [(relationship(item.id), chance(item.confidence), _count(item), _evidence(item)) for item in found[:_DOUBTFUL]]
    yield Grid(("Relationship", "Conf.", "Orphans", "Why"), listed, numbers=("Conf.", "Orphans"))
    yield from more(len(found) - _DOUBTFUL, "for review", f"holdfast relationships {facts.name}")


def _filled(titles: Sequence[str], listed: Sequence[Sequence[Line]], numbers: Sequence[str]) -> Grid:
    """Return a table without the columns that say nothing in any row."""
    kept = [place for place in range(len(titles)) if any(row[place] != NOTHING for row in listed)]
    return Grid([titles[place] for place in kept], [[row[place] for place in kept] for row in listed], numbers)


def _orphan_row(item: Relationship) -> tuple[Line, ...]:
    details = item.orphan_details
    return (
        relationship(item.id),
        Strong(_count(item) + _bounds(item)),
        Bar(details.share, share(details.share)) if details.HasField("share") else NOTHING,
        _why(details),
        f"{minute(details.first_seen)[:10]} to {minute(details.last_seen)[:10]}" if details.HasField("first_seen") else NOTHING,
        _taken(details),
    )


def _why(details: OrphanDetails) -> str:
    told = [f"{cause(each.cause)} ({number(each.rows)})" if details.causes[1:] else cause(each.cause) for each in details.causes]
    return "; ".join(told[:_CAUSES]) or NOTHING


def _taken(details: OrphanDetails) -> str:
    if details.blocked:
        return prose(details.blocked)
    told = [f"{number(each.rows)} of {prose(each.table)}" for each in details.taken]
    rest = len(told) - _TAKEN
    return ", ".join(told[:_TAKEN]) + (f" and rows of {plural(rest, 'more table')}" if rest > 0 else "") or NOTHING


def _key_rows(items: Sequence[Relationship]) -> Iterator[tuple[Line, ...]]:
    for place, item in enumerate(items):
        yield (
            table(item.referencing) if place == 0 else "",
            ", ".join(map(readable, item.referencing.columns)),
            columns(item.referenced),
            chance(item.confidence),
            Strong(_count(item)) if item.orphan_rows.value else _count(item),
            word(OnDelete, item.suggested_on_delete),
            prose(item.rationale),
        )


def _count(item: Relationship) -> str:
    return rows(item.orphan_rows).plain


def _bounds(item: Relationship) -> str:
    count = item.orphan_rows
    return f" ({number(count.low)} to {number(count.high)})" if count.exactness == EXACTNESS_ESTIMATED and count.HasField("low") else ""


def _evidence(item: Relationship) -> str:
    return prose("; ".join(each.text for each in item.evidence[:2])) or NOTHING
