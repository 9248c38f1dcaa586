"""What applications will notice: deletions that start to cascade, to set NULL or to be refused, and writes that start to fail. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.catalog.model import OnDelete
from holdfastd.names import ColumnSet, TableName, readable
from holdfastd.report.blocks import Block, Code, Heading, Items, Line, Name, Paragraph
from holdfastd.report.chapters.capped import MOST, capped
from holdfastd.report.consequences import Consequences, by_referenced, newly_affected, of_deleting
from holdfastd.report.view import Key, Proposal, View
from holdfastd.report.words import NOTHING, column_names, enumerated, key_name, number, plural, rows, shortened, table_name

_NAMED = 8
#: A column of this name says that rows are hidden, not deleted.
HIDES = frozenset(
    [
        "deleted_at",
        "deleted",
        "is_deleted",
        "deleted_on",
        "removed_at",
        "is_removed",
        "archived_at",
        "archived",
        "is_archived",
        "is_hidden",
        "hidden",
        "hidden_at",
        "disabled_at",
    ]
)


def applications(view: View) -> Iterator[Block]:
    """Yield what starts to happen when the keys are there."""
    if not view.proposals:
        return
    found = newly_affected(view.keys_after)
    if found:
        yield Heading(3, "Deletions")
        grouped = by_referenced(view.keys_after)
        yield from _deletions(view, [of_deleting(table, grouped) for table in found[:MOST]], len(found))
    if view.new:
        yield Heading(3, "Inserts and updates")
        yield from _writes(view)
    yield Heading(3, "While the plan is applied")
    yield Items([*_meanwhile(view)])


def _deletions(view: View, found: Sequence[Consequences], total: int) -> Iterator[Block]:
    listed: list[tuple[Line, ...]] = [
        (
            Name(table_name(each.table)),
            _few([_deleted(view, key) for key in each.deletes[:_NAMED]], len(each.deletes)),
            _few([_changed(key, each.table) for key in each.changes[:_NAMED]], len(each.changes)),
            _few([_refused(key, each) for key in each.refusals[:_NAMED]], len(each.refusals)),
        )
        for each in found
    ]
    columns = ("Deleting a row of", "Also deletes rows of", "Sets NULL", "Is refused while referenced by")
    yield from capped(columns, listed, what="tables", command=f"holdfast relationships {view.name}", total=total)
    tables = [table_name(each.table) for each in found]
    yield Paragraph(
        "By the keys in force afterwards, through every table that is reached; a number is the planner's rows of both tables divided."
        f" Look for deletions from {shortened(tables, _NAMED)} in the application: those that expect nothing"
        " else to change, and those that may be refused."
    )
    hiding = [*_hiding(view, [each.table for each in found])]
    if hiding:
        yield Paragraph(f"Setting {enumerated(hiding[:_NAMED], 'or')} hides a row instead of deleting it, and starts none of this.")


def _hiding(view: View, tables: Sequence[TableName]) -> Iterator[str]:
    for table in tables:
        outline = view.tables.get(table)
        for column in outline.columns if outline else ():
            if column.name.lower() in HIDES:
                yield f"{table_name(table)}.{readable(column.name)}"


def _few(told: Sequence[str], count: int) -> str:
    """Return the first keys in words: a cascade may reach thousands."""
    rest = count - len(told)
    return ", ".join(told) + (f" and {number(rest)} more" if rest else "") or NOTHING


def _deleted(view: View, key: Key) -> str:
    name = table_name(key.referencing.table)
    some, of = (view.tables.get(columns.table) for columns in (key.referencing, key.referenced))
    if some is None or of is None or some.row_estimate <= 0 or of.row_estimate <= 0:
        return name
    return f"{name} (≈{some.row_estimate / of.row_estimate:.2g} per row of {table_name(key.referenced.table)})"


def _changed(key: Key, start: TableName) -> str:
    default = " (to its default)" if key.on_delete is OnDelete.SET_DEFAULT else ""
    return key_name(ColumnSet(table=key.referencing.table, columns=key.changed)) + default + _through(key, start)


def _refused(key: Key, found: Consequences) -> str:
    """Return what refuses. NO ACTION looks when all is done, when rows that go along are gone; RESTRICT looks before, or between."""
    may_go = any(key.referencing.table == each.referencing.table for each in found.deletes)
    unless = ", by rows that do not go along" if key.on_delete is OnDelete.NO_ACTION else ", by rows that do not go along first"
    return key_name(key.referencing) + _through(key, found.table) + (unless if may_go else "")


def _through(key: Key, start: TableName) -> str:
    return "" if key.referenced.table == start else f" (through {table_name(key.referenced.table)})"


def _writes(view: View) -> Iterator[Block]:
    by_table: dict[TableName, list[Proposal]] = {}
    for proposal in view.new:
        by_table.setdefault(proposal.relationship.referencing.table, []).append(proposal)
    listed: list[tuple[Line, ...]] = [
        (Name(table_name(table)), shortened([_write(each) for each in found], _NAMED))
        for table, found in sorted(by_table.items(), key=lambda pair: pair[0])
    ]
    yield Paragraph(
        (
            "These writes start to fail with foreign_key_violation (SQLSTATE ",
            Code("23503"),
            "): INSERT, and UPDATE of the columns, with a value that no referenced row has.",
        )
    )
    yield from capped(("Writing to", "Fails unless there is"), listed, what="tables", command=f"holdfast relationships {view.name}")
    yield Paragraph(
        "So referenced rows are to be written first, in the same transaction or before. NULL stays allowed where the column allows it."
        " Changing a referenced key is refused while rows reference it."
    )


def _write(proposal: Proposal) -> str:
    item = proposal.relationship
    return f"a row of {table_name(item.referenced.table)} for {column_names(item.referencing)}"


def _meanwhile(view: View) -> Iterator[Line]:
    if view.new:
        yield "Reads and writes go on; writers of both tables wait for an instant when a key is added."
        yield (
            "A key is in force for every new write from when it is added NOT VALID; the rows from before are cleaned"
            " up and validated after that."
        )
    else:
        yield "Reads and writes go on; the keys are in force for new writes already."
    orphans = [each.relationship for each in view.proposals if each.relationship.orphan_rows.value]
    if orphans:
        told = [f"{rows(item.orphan_rows)} of {key_name(item.referencing)}" for item in orphans]
        yield (
            f"Until then the {'orphan row' if len(orphans) == 1 else 'orphan rows'} ({shortened(told, _NAMED)}) can be read and updated,"
            " but a transaction that updates such a row twice fails, and so does one that changes its"
            " referencing columns to another missing value."
        )
    if view.new:
        yield (
            f"{plural(len(view.new), 'new key makes', 'new keys make')} each write of these columns look up the"
            " referenced row, and lock it against deletion until the transaction ends."
        )
