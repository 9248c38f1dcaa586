"""Which saved rows cannot come back while keys stay, as SQL. Pure.

A statement here holds rows back: it sets restored_by to 0, which no entry of the ledger has as its id, and is run until none is
added, because a row that stays in the backup takes along what references it. It is always undone before its transaction ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, ForeignKey, Operator, Table
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.statements import all_not_null, from_only, key_match
from holdfastd.names import ColumnSet, TableName, identifier, literal
from holdfastd.plan.model import Decision, OrphanAction
from holdfastd.plan.restore import images, latest, same_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Columns whose values must be found elsewhere, and how they are compared."""

    referencing: ColumnSet
    referenced: ColumnSet
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The saved rows of one table that are to come back."""

    catalog: Catalog
    table: Table
    #: Columns that cleanups changed in some of its rows.
    changed_columns: tuple[str, ...]
    #: The cleanups that are to be undone, by the number of their step.
    decisions: Mapping[int, Decision]
    #: False: the statements are about one batch, and what is not in it is back already.
    by_plan: bool

    def saved(self, action: str) -> str:
        """Return the saved rows as a subquery. Parameter: plan id or batch."""
        return images(self.table, None, action, by_plan=self.by_plan)

    @property
    def same_row(self) -> str:
        """Return the condition that a row that is there is the saved one."""
        return same_key(self.catalog, self.table, self.table.primary_key, "present", "(gone.image)")


def references(catalog: Catalog, table: TableName, decisions: Sequence[Decision], *, planned: bool) -> tuple[Reference, ...]:
    """Return what rows of a table must find: by the keys enforced now and, when asked, by the relationships of the plan."""
    tables = (table, *catalog.tables_above(table))
    enforced = [_reference(key, table) for name in tables for key in catalog.tables[name].foreign_keys if key.enforced]
    found = {(item.referencing, item.referenced): item for item in enforced}
    for decision in decisions if planned else ():
        pair = (ColumnSet(table, decision.referencing.columns), decision.referenced)
        operators = resolve_operators(catalog, *pair) if decision.referencing.table in tables and pair not in found else None
        if operators:
            found[pair] = Reference(referencing=pair[0], referenced=pair[1], operators=operators)
    return tuple(found.values())


def _reference(key: ForeignKey, table: TableName) -> Reference:
    """Return what a key asks for of the rows of its table, or of a partition of it."""
    return Reference(referencing=ColumnSet(table, key.referencing.columns), referenced=key.referenced, operators=key.operators)


def hold_unmatched(coming: Coming, reference: Reference) -> Iterator[str]:
    """Yield the statements that hold back rows whose referenced row is neither there nor comes back with them."""
    yield _hold(f"{coming.saved('DELETE')} AS gone WHERE {_unmatched(coming, reference)}")
    columns = reference.referencing.columns
    if coming.table.primary_key and set(columns) & set(coming.changed_columns):
        listed = ", ".join(literal(column) for column in columns)
        is_there = f"EXISTS (SELECT FROM {from_only(coming.table)} AS present WHERE {coming.same_row})"
        condition = f"gone.changed_columns && ARRAY[{listed}]::text[] AND {is_there} AND {_unmatched(coming, reference)}"
        yield _hold(f"{coming.saved('UPDATE')} AS gone WHERE {condition}")


def hold_changed(coming: Coming, *, also_gone: bool) -> Iterator[str]:
    """Yield the statement that holds back values that somebody has changed since the cleanup, or whose row is gone, where asked to."""
    if coming.table.primary_key and coming.changed_columns:
        as_left = " AND ".join(
            f"({literal(column)} <> ALL (gone.changed_columns)"
            f" OR gone.batch < gone.last_{number} OR present.{identifier(column)}::text IS NOT DISTINCT FROM {_left(coming, column)})"
            for number, column in enumerate(coming.changed_columns)
        )
        present = f"EXISTS (SELECT FROM {from_only(coming.table)} AS present WHERE {coming.same_row} AND "
        condition = f"NOT {present}{as_left})" if also_gone else f"{present}NOT ({as_left}))"
        source = latest(coming.table, coming.changed_columns, by_plan=coming.by_plan)
        yield _hold(f"{source} AS gone WHERE {condition}")


def lock_changed(coming: Coming) -> Iterator[str]:
    """Yield the query that locks the rows that are to get values back, so that nobody changes them after we looked."""
    if coming.table.primary_key and coming.changed_columns:
        yield (
            f"SELECT pg_catalog.count(*) FROM (SELECT FROM {from_only(coming.table)} AS present JOIN {coming.saved('UPDATE')} AS gone"
            f" ON {coming.same_row} FOR NO KEY UPDATE OF present) AS locked"
        )


def _unmatched(coming: Coming, reference: Reference) -> str:
    """Return the condition that a saved row references something that is not there and does not come back."""
    catalog = coming.catalog
    referencing, referenced, operators = reference.referencing, reference.referenced, reference.operators
    match = key_match(catalog, referencing, referenced, operators, referencing_alias="(gone.image)")
    condition = all_not_null(referencing, alias="(gone.image)")
    condition += f" AND NOT EXISTS (SELECT FROM {from_only(catalog.tables[referenced.table])} AS referenced WHERE {match})"
    # Rows come back into partitions, and keys reference the whole.
    for leaf in catalog.leaves(referenced.table):
        sides = (catalog, referencing, ColumnSet(leaf, referenced.columns), operators)
        back = key_match(*sides, referencing_alias="(gone.image)", referenced_alias="(back.image)")
        with_them = images(catalog.tables[leaf], None, "DELETE", by_plan=coming.by_plan)
        condition += f" AND NOT EXISTS (SELECT FROM {with_them} AS back WHERE {back})"
    return condition


def _left(coming: Coming, column: str) -> str:
    """Return SQL for the text that a cleanup left in a column: NULL, unless it was to be another value."""
    tables = (coming.table.name, *coming.catalog.tables_above(coming.table.name))
    cases = [
        f"WHEN {step} THEN ({literal(value)}::{coming.table.column(column).type.formatted})::text"
        for step, decision in coming.decisions.items()
        if decision.orphan_action is OrphanAction.REPOINT and decision.referencing.table in tables
        for name, value in zip(decision.referencing.columns, decision.repoint_to, strict=True)
        if name == column
    ]
    return f"CASE gone.step {' '.join(cases)} END" if cases else "NULL"


def _hold(source: str) -> str:
    return (
        "UPDATE holdfast.backup AS held SET restored_by = 0"
        f" FROM (SELECT gone.batch, gone.table_number, gone.row_id FROM {source}) AS found"
        " WHERE held.batch = found.batch AND held.table_number = found.table_number AND held.row_id = found.row_id"
    )
