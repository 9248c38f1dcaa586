"""The SQL of one cleanup batch. Pure.

A batch is one short transaction. The service numbers it (a ledger row), then runs, in this order:

    lock        SHARE on the referenced table: a referenced row that is about to be committed is waited for, none comes late.
    back_up     lock orphan rows (FOR UPDATE) and write them to the backup.
    recheck     a second statement with a fresh snapshot: what was repaired while we waited for its lock leaves the backup. Without
                it, a row is judged by the snapshot from before the wait, and a repaired row would be deleted (EvalPlanQual).
    expansions  per foreign key that a deletion follows: lock and back up the dependents of what was added last, look again; until
                nothing is added.
    refused     what was saved must be such that it can come back.
    change      delete, set NULL or repoint exactly the rows of the backup, by their physical address: they are locked. What the
                application has deferred to the end of the transaction is made to happen now, where it is counted.
    left        where user triggers may have changed more of a row: write down how they left it, to tell it from later changes.

The backup is the list of what may change, so nothing changes that was not first saved in the same transaction.

Long lists of addresses are never compared with each other one by one, as `<> ALL (array)` does: what is there already is found by the
backup's own key, and what has gone by EXCEPT.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.evidence.statements import from_only, key_match, orphan_condition
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, identifier, literal
from holdfastd.plan.batch_locks import changing, deleting, reading, restoring
from holdfastd.plan.edges import KeyName, reachable
from holdfastd.plan.followed import is_unindexed, refused_sql, why_lost
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
        hold=_hold(batch),
        lock=f"LOCK TABLE {from_only(referenced)} IN SHARE MODE",
        back_up=_back_up(batch),
        recheck=_recheck(batch),
        expansions=(
            *(_expansion(batch, number, edge) for number, edge in following),
            *(_fellows(batch, edge) for edge in edges if deletes and _holds_fellows(batch, edge)),
        ),
        change=_change(batch),
        nulled=tuple(_nulled(batch, edge) for _, edge in following if edge.on_delete is OnDelete.SET_NULL),
        left=tuple(left_sql(saved)),
        triggers=triggers_sql(tables),
        restore=restore_sql(saved),
        restore_checks=restore_checks(saved, dropped=dropped),
        change_locks=change_locks,
        kept=tuple(kept_sql(saved)),
        left_locks=reading(*(name for name in tables if saved.is_watched(catalog.tables[name]))),
        restore_locks=restoring(catalog, tables, saved.changed, dropped, deletes=deletes),
        refused=tuple(_refused(batch, [edge for _, edge in following])),
        unindexed=tuple(
            str(edge.referencing) for edge in edges if deletes and edge.referenced.table in tables and is_unindexed(catalog, edge, dropped)
        ),
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


def _hold(batch: _Batch) -> str:
    """Return the statement for rows that change again and again: what it returns is locked, so that nobody moves it any more."""
    return (
        "SELECT ARRAY(SELECT held.row_id::text FROM (\n"
        f"  SELECT referencing.ctid AS row_id FROM {batch.source} WHERE {_WINDOW} AND {batch.orphan} LIMIT $3::bigint\n"
        "  FOR UPDATE OF referencing) AS held)"
    )


def _recheck(batch: _Batch) -> str:
    mine = "saved.via = 0"
    still = f"SELECT referencing.ctid FROM {batch.source} WHERE referencing.ctid = ANY ({_addresses(mine)}) AND {batch.orphan}"
    return _take_out(mine, still)


def _take_out(mine: str, still: str) -> str:
    """Return the DELETE of those rows of the batch that a query for addresses does not find any more: none, as a rule."""
    return (
        f"DELETE FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint AND {mine} AND saved.row_id = ANY (ARRAY(\n"
        f"  SELECT saved.row_id FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint AND {mine}\n"
        f"  EXCEPT {still}))"
    )


def _expansion(batch: _Batch, number: int, edge: Edge) -> Expansion:
    """Return the statements that follow one key from the deleted rows of the batch to their dependents."""
    deletes = edge.on_delete is OnDelete.CASCADE
    dependents = batch.number(edge.referencing.table)
    mine = f"saved.via = {number}{_AMONG_ADDED}"
    back_up = _returning_added(
        f"INSERT INTO holdfast.backup AS saved {_COLUMNS}\n"
        f"SELECT $1::bigint, {dependents}, dependent.row_id, '{'DELETE' if deletes else 'UPDATE'}', {number}, "
        f"{_name(edge.referencing.table)}, {_array(() if deletes else edge.nulled)}, dependent.row_image\n"
        f"FROM (SELECT referencing.ctid AS row_id, (referencing.*)::text AS row_image\n"
        f"      FROM {_pairs(batch, edge, _AMONG_ADDED)}\n"
        f"      FOR UPDATE OF referencing) AS dependent\n"
        f"{_ON_DELETED_TOO if deletes else _ON_NULLED_TOO}"
    )
    return Expansion(
        back_up=back_up,
        recheck=_take_out(mine, _still_pairs(batch, edge, mine)),
        locks=reading(edge.referenced.table, locked=edge.referencing.table),
    )


def _nulled(batch: _Batch, edge: Edge) -> str:
    """Return the question how many rows a key sets NULL: each once, whatever else happens to it."""
    return f"SELECT pg_catalog.count(*) FROM {_pairs(batch, edge)}"


def _refused(batch: _Batch, following: Sequence[Edge]) -> Iterator[str]:
    for edge in following:
        why = why_lost(batch.catalog, edge)
        if why:
            yield refused_sql(batch.number(edge.referencing.table), edge, why)


def _returning_added(insert: str) -> str:
    """Return an INSERT into the backup as a query for the addresses of what it added."""
    return f"WITH added AS (\n{insert}\nRETURNING saved.row_id)\nSELECT coalesce(pg_catalog.array_agg(row_id::text), '{{}}') FROM added"


def _pairs(batch: _Batch, edge: Edge, among: str = "") -> str:
    """Return the deleted rows of a batch with those that reference them by a key, up to its WHERE. `among`: of those rows only."""
    deleted = f"saved.table_number = {batch.number(edge.referenced.table)} AND saved.action = 'DELETE'{among}"
    return _joined(batch, edge, deleted, f"{from_only(batch.catalog.tables[edge.referencing.table])} AS referencing")


def _still_pairs(batch: _Batch, edge: Edge, mine: str) -> str:
    """Return the query for those of some saved rows that still reference what was followed, up to more conditions."""
    referenced = f"saved.table_number = {batch.number(edge.referenced.table)} AND saved.action = 'DELETE'{_AMONG_FOLLOWED}"
    source = _fetched(batch, edge.referencing.table, "referencing", mine)
    return f"SELECT referencing.ctid\n      FROM {_joined(batch, edge, referenced, source)}"


def _joined(batch: _Batch, edge: Edge, referenced: str, referencing: str) -> str:
    match = key_match(batch.catalog, edge.referencing, edge.referenced, edge.operators)
    return (
        f"{_fetched(batch, edge.referenced.table, 'referenced', referenced)}\n      JOIN {referencing}\n      ON {match}\n      WHERE true"
    )


def _fetched(batch: _Batch, table: TableName, alias: str, saved: str) -> str:
    """Return saved rows of a table as it is now, fetched by their addresses. OFFSET 0: never by walking an index to its end."""
    source = f"{from_only(batch.catalog.tables[table])} AS {alias}"
    return f"(SELECT {alias}.ctid, {alias}.* FROM {source}\n      WHERE {alias}.ctid = ANY ({_addresses(saved)}) OFFSET 0) AS {alias}"


def _fellows(batch: _Batch, edge: Edge) -> Expansion:
    """Return the statements that take along orphan rows which reference deleted rows by a key without action."""
    back_up = _returning_added(
        f"INSERT INTO holdfast.backup AS saved {_COLUMNS}\n"
        f"SELECT $1::bigint, 0, fellow.row_id, 'DELETE', 0, {_name(batch.tables[0])}, {_array(())}, fellow.row_image\n"
        f"FROM (SELECT referencing.ctid AS row_id, (referencing.*)::text AS row_image\n"
        f"      FROM {_pairs(batch, edge, _AMONG_ADDED)} AND {batch.orphan}\n"
        f"      FOR UPDATE OF referencing) AS fellow\n"
        "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET action = 'DELETE', via = 0, changed_columns = '{}'\n"
        "WHERE saved.via <> 0"
    )
    mine = f"saved.via = 0{_AMONG_ADDED}"
    recheck = _take_out(mine, f"{_still_pairs(batch, edge, mine)} AND {batch.orphan}")
    looked_at = (edge.referenced.table, batch.relationship.referenced.table)
    return Expansion(back_up=back_up, recheck=recheck, locks=reading(*looked_at, locked=batch.tables[0]))


#: Of the batch's rows those at some addresses. Tables are not told apart, which only looks at some rows twice.
_AMONG_ADDED, _AMONG_FOLLOWED = (f" AND saved.row_id = ANY (${number}::text[]::tid[])" for number in (2, 3))
#: A dependent that was only to be changed is to be deleted after all.
_ON_DELETED_TOO = (
    "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET action = 'DELETE', via = EXCLUDED.via, changed_columns = '{}'\n"
    "WHERE saved.action = 'UPDATE'"
)
#: A dependent that loses another column, too.
_ON_NULLED_TOO = (
    "ON CONFLICT (batch, table_number, row_id) DO UPDATE SET changed_columns =\n"
    "  ARRAY(SELECT DISTINCT pg_catalog.unnest(saved.changed_columns || EXCLUDED.changed_columns))\n"
    "WHERE saved.action = 'UPDATE' AND NOT saved.changed_columns OPERATOR(pg_catalog.@>) EXCLUDED.changed_columns"
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
