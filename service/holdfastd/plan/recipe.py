"""The SQL of one cleanup batch. Pure.

A batch is one short transaction. The service numbers it (a ledger row), then runs, in this order:

    lock        SHARE on the referenced table: a referenced row that is about to be committed is waited for, none comes late.
    back_up     lock orphan rows (FOR UPDATE) and write them to the backup.
    recheck     a second statement with a fresh snapshot: what was repaired while we waited for its lock leaves the backup. Without
                it, a row is judged by the snapshot from before the wait, and a repaired row would be deleted (EvalPlanQual).
    expansions  per foreign key that a deletion follows: lock and back up the dependents, look again; until nothing is added.
    change      delete, set NULL or repoint exactly the rows of the backup, by their physical address: they are locked.
    left        where user triggers may have changed more of a row: write down how they left it, to tell it from later changes.

The backup is the list of what may change, so nothing changes that was not first saved in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.evidence.statements import from_only, key_match, orphan_condition
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, identifier, literal
from holdfastd.plan.batch_locks import changing, deleting, reading, restoring
from holdfastd.plan.edges import KeyName, reachable
from holdfastd.plan.model import CleanUpRecipe, Decision, Expansion, OrphanAction
from holdfastd.plan.obstacles import restore_checks
from holdfastd.plan.restore import Saved, kept_sql, left_sql, restore_sql, triggers_sql

_COLUMNS = "(batch, table_number, row_id, action, via, table_schema, table_name, changed_columns, row_image)"

#: Rows between two physical addresses; a TID range scan (14+) reads only their blocks.
_WINDOW = "referencing.ctid >= $1::text::tid AND referencing.ctid < $2::text::tid"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What all statements of one recipe share."""

    catalog: Catalog
    relationship: Relationship
    decision: Decision
    tables: tuple[TableName, ...]

    def number(self, table: TableName) -> int:
        return self.tables.index(table)

    @property
    def orphan(self) -> str:
        relationship = self.relationship
        return orphan_condition(self.catalog, relationship.referencing, relationship.referenced, relationship.operators)

    @property
    def source(self) -> str:
        return f"{from_only(self.catalog.tables[self.tables[0]])} AS referencing"


def build_recipe(
    catalog: Catalog, relationship: Relationship, decision: Decision, edges: Sequence[Edge], *, dropped: frozenset[KeyName]
) -> CleanUpRecipe:
    """Return the statements that clean up the orphan rows of one relationship, and those that put them back.

    `dropped` names the keys that a rollback drops before it restores.
    """
    deletes = decision.orphan_action is OrphanAction.DELETE
    table = relationship.referencing.table
    tables = reachable(edges, table) if deletes else (table,)
    batch = _Batch(catalog=catalog, relationship=relationship, decision=decision, tables=tables)
    following = [(number, edge) for number, edge in enumerate(edges, start=1) if deletes and _follows(batch, edge)]
    saved = Saved(catalog=catalog, tables=tables, changed=_changed(batch, [edge for _, edge in following]))
    referenced = catalog.tables[relationship.referenced.table]
    if deletes:
        change_locks = deleting(tables, saved.changed, edges)
    else:
        change_locks = changing(catalog, relationship.referencing, relationship.referenced, saved.changed[table], edges)
    return CleanUpRecipe(
        tables=tables,
        count=f"SELECT pg_catalog.count(*) FROM {batch.source} WHERE {batch.orphan}",
        find=f"SELECT ARRAY(SELECT referencing.ctid::text FROM {batch.source} WHERE {_WINDOW} AND {batch.orphan} LIMIT $3::bigint)",
        lock=f"LOCK TABLE {from_only(referenced)} IN SHARE MODE",
        back_up=_back_up(batch),
        recheck=_recheck(batch),
        expansions=(
            *(_expansion(batch, number, edge) for number, edge in following),
            *(_fellows(batch, edge) for edge in edges if deletes and _holds_fellows(batch, edge)),
        ),
        change=_change(batch),
        nulled_first=tuple(_nulled_first(batch, edge) for _, edge in following if edge.on_delete is OnDelete.SET_NULL),
        left=tuple(left_sql(saved)),
        triggers=triggers_sql(tables),
        restore=restore_sql(saved),
        restore_checks=restore_checks(saved, dropped=dropped),
        change_locks=change_locks,
        kept=tuple(kept_sql(saved)),
        left_locks=reading(*(name for name in tables if saved.is_watched(catalog.tables[name]))),
        restore_locks=restoring(catalog, tables, saved.changed, dropped, deletes=deletes),
    )


def _follows(batch: _Batch, edge: Edge) -> bool:
    """Tell whether deleting rows of the batch takes dependents along by this key."""
    reaches = edge.referenced.table in batch.tables and edge.referencing.table in batch.tables
    return reaches and edge.on_delete in (OnDelete.CASCADE, OnDelete.SET_NULL)


def _holds_fellows(batch: _Batch, edge: Edge) -> bool:
    """Tell whether other orphan rows may forbid deleting by this key, until they are deleted, too: they must go in one batch."""
    return edge.on_delete is OnDelete.NO_ACTION and edge.referencing.table == batch.tables[0] and edge.referenced.table in batch.tables


def _changed(batch: _Batch, edges: Sequence[Edge]) -> dict[TableName, dict[str, str]]:
    """Return, per table, the columns that the cleanup changes and the SQL of the value that it leaves in them."""
    changed: dict[TableName, dict[str, str]] = {}
    for edge in edges:
        if edge.on_delete is OnDelete.SET_NULL:
            changed.setdefault(edge.referencing.table, {}).update(dict.fromkeys(edge.nulled, "NULL"))
    if batch.decision.orphan_action is not OrphanAction.DELETE:
        changed[batch.tables[0]] = new_values(batch.catalog, batch.decision)
    return changed


def new_values(catalog: Catalog, decision: Decision) -> dict[str, str]:
    """Return the columns that setting NULL or repointing changes, and the SQL of their new values."""
    columns = decision.referencing.columns
    if decision.orphan_action is OrphanAction.SET_NULL:
        return dict.fromkeys(decision.set_null_columns or columns, "NULL")
    table = catalog.tables[decision.referencing.table]
    values = zip(columns, decision.repoint_to, strict=True)
    return {column: f"{literal(value)}::{table.column(column).type.formatted}" for column, value in values}


def _addresses(condition: str) -> str:
    """Return the addresses of saved rows of the batch as an array: the planner fetches rows by address instead of joining."""
    return f"ARRAY(SELECT saved.row_id FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint AND {condition})"


def _back_up(batch: _Batch) -> str:
    action = "DELETE" if batch.decision.orphan_action is OrphanAction.DELETE else "UPDATE"
    columns = () if action == "DELETE" else tuple(new_values(batch.catalog, batch.decision))
    return (
        f"INSERT INTO holdfast.backup {_COLUMNS}\n"
        f"SELECT $1::bigint, 0, doomed.row_id, '{action}', 0, {_name(batch.tables[0])}, {_array(columns)}, doomed.row_image\n"
        f"FROM (SELECT referencing.ctid AS row_id, (referencing.*)::text AS row_image\n"
        f"      FROM {batch.source}\n"
        f"      WHERE referencing.ctid = ANY ($2::text[]::tid[]) AND {batch.orphan}\n"
        f"      FOR UPDATE OF referencing) AS doomed"
    )


def _recheck(batch: _Batch) -> str:
    return (
        "DELETE FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint AND saved.via = 0 AND saved.row_id <> ALL (ARRAY(\n"
        f"  SELECT referencing.ctid FROM {batch.source}\n"
        f"  WHERE referencing.ctid = ANY ({_addresses('saved.via = 0')}) AND {batch.orphan}))"
    )


def _expansion(batch: _Batch, number: int, edge: Edge) -> Expansion:
    """Return the statements that follow one key from the deleted rows of the batch to their dependents."""
    deletes = edge.on_delete is OnDelete.CASCADE
    dependents = batch.number(edge.referencing.table)
    pairs = _pairs(batch, edge)
    known = _deleted(batch, edge.referencing.table)
    back_up = (
        f"INSERT INTO holdfast.backup AS saved {_COLUMNS}\n"
        f"SELECT $1::bigint, {dependents}, dependent.row_id, '{'DELETE' if deletes else 'UPDATE'}', {number}, "
        f"{_name(edge.referencing.table)}, {_array(() if deletes else edge.nulled)}, dependent.row_image\n"
        f"FROM (SELECT referencing.ctid AS row_id, (referencing.*)::text AS row_image\n"
        f"      FROM {pairs} AND referencing.ctid <> ALL ({known})\n"
        f"      FOR UPDATE OF referencing) AS dependent\n"
        f"{_ON_DELETED_TOO if deletes else _ON_NULLED_TOO}"
    )
    recheck = (
        f"DELETE FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint AND saved.via = {number}"
        f" AND saved.row_id <> ALL (ARRAY(\n  SELECT referencing.ctid\n      FROM {pairs}"
        f" AND referencing.ctid = ANY ({_addresses(f'saved.via = {number}')})))"
    )
    return Expansion(back_up=back_up, recheck=recheck, locks=reading(edge.referenced.table, locked=edge.referencing.table))


def _nulled_first(batch: _Batch, edge: Edge) -> str:
    """Return the question how many rows a key sets NULL that are deleted in the same batch."""
    known = _deleted(batch, edge.referencing.table)
    return f"SELECT pg_catalog.count(*) FROM {_pairs(batch, edge)} AND referencing.ctid = ANY ({known})"


def _pairs(batch: _Batch, edge: Edge) -> str:
    """Return the deleted rows of a batch with those that reference them by a key, up to its WHERE."""
    return (
        f"{from_only(batch.catalog.tables[edge.referenced.table])} AS referenced\n"
        f"      JOIN {from_only(batch.catalog.tables[edge.referencing.table])} AS referencing\n"
        f"      ON {key_match(batch.catalog, edge.referencing, edge.referenced, edge.operators)}\n"
        f"      WHERE referenced.ctid = ANY ({_deleted(batch, edge.referenced.table)})"
    )


def _deleted(batch: _Batch, table: TableName) -> str:
    return _addresses(f"saved.table_number = {batch.number(table)} AND saved.action = 'DELETE'")


def _fellows(batch: _Batch, edge: Edge) -> Expansion:
    """Return the statements that take along orphan rows which reference deleted rows by a key without action."""
    known = _addresses("saved.via = 0")
    back_up = (
        f"INSERT INTO holdfast.backup AS saved {_COLUMNS}\n"
        f"SELECT $1::bigint, 0, fellow.row_id, 'DELETE', 0, {_name(batch.tables[0])}, {_array(())}, fellow.row_image\n"
        f"FROM (SELECT referencing.ctid AS row_id, (referencing.*)::text AS row_image\n"
        f"      FROM {_pairs(batch, edge)} AND referencing.ctid <> ALL ({known}) AND {batch.orphan}\n"
        f"      FOR UPDATE OF referencing) AS fellow\n"
        "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET action = 'DELETE', via = 0, changed_columns = '{}'"
    )
    looked_at = (edge.referenced.table, batch.relationship.referenced.table)
    return Expansion(back_up=back_up, recheck=_recheck(batch), locks=reading(*looked_at, locked=batch.tables[0]))


#: A dependent that was only to be changed is to be deleted after all.
_ON_DELETED_TOO = (
    "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET action = 'DELETE', via = EXCLUDED.via, changed_columns = '{}'\n"
    "WHERE saved.action = 'UPDATE'"
)
#: A dependent that loses another column, too.
_ON_NULLED_TOO = (
    "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET changed_columns =\n"
    "  ARRAY(SELECT DISTINCT pg_catalog.unnest(saved.changed_columns || EXCLUDED.changed_columns))\n"
    "WHERE NOT saved.changed_columns OPERATOR(pg_catalog.@>) EXCLUDED.changed_columns"
)


def _change(batch: _Batch) -> str:
    table = from_only(batch.catalog.tables[batch.tables[0]])
    condition = f"WHERE doomed.ctid = ANY ({_addresses('saved.via = 0')})"
    if batch.decision.orphan_action is OrphanAction.DELETE:
        return f"DELETE FROM {table} AS doomed {condition}"
    values = ", ".join(f"{identifier(column)} = {value}" for column, value in new_values(batch.catalog, batch.decision).items())
    return f"UPDATE {table} AS doomed SET {values} {condition}"


def _name(table: TableName) -> str:
    return f"{literal(table.schema)}, {literal(table.name)}"


def _array(columns: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(literal(column) for column in columns)}]::text[]"
