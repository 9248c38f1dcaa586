"""The SQL that puts backed-up rows back. Pure.

A batch is put back by one statement: all its tables at once, so that rows which reference each other in a circle pass, and the keys
are checked when all of them are there. User triggers are off meanwhile: a restored row is what it was, not what a trigger makes of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Table
from holdfastd.evidence.statements import from_only
from holdfastd.names import TableName, identifier, literal, qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The tables of a recipe, in the order of their numbers in the backup, and the columns that the cleanup changes."""

    catalog: Catalog
    tables: tuple[TableName, ...]
    #: Per table: column -> SQL of the value that the cleanup leaves in it.
    changed: Mapping[TableName, Mapping[str, str]]

    def is_watched(self, table: Table) -> bool:
        """Tell whether user triggers may change more of a row than the cleanup does: then the row as they left it is kept, too."""
        return bool(self.changed.get(table.name)) and any(trigger.fires_on(update=True) for trigger in table.triggers)


def restore_sql(saved: Saved) -> str:
    """Return the statement that puts the rows of one batch back. Parameter: batch. Returns how many, and how many are not as they were."""
    parts, counts, wrong = [], [], []
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        gone = images(table, number, "DELETE", by_plan=False)
        parts.append(f"inserted_{number} AS ({_insert(table, gone)})")
        counts.append(f"(SELECT pg_catalog.count(*) FROM inserted_{number})")
        wrong.append(
            f"(SELECT pg_catalog.count(*) FROM (SELECT gone.image::text FROM {gone} AS gone"
            f" EXCEPT ALL SELECT inserted.row_image FROM inserted_{number} AS inserted) AS missing)"
        )
        if not saved.changed.get(name):
            continue
        source = images(table, number, "UPDATE", by_plan=False)
        if table.primary_key:
            same = same_key(saved.catalog, table, table.primary_key, "changed", "(gone.image)")
            parts.append(f"updated_{number} AS ({_update(saved, table, source, same)})")
            counts.append(f"(SELECT pg_catalog.count(*) FROM updated_{number})")
            # A row deleted since stays deleted: that is the application's change.
            present = f"(SELECT pg_catalog.count(*) FROM {from_only(table)} AS changed, {source} AS gone WHERE {same})"
            wrong.append(f"pg_catalog.abs({present} - (SELECT pg_catalog.count(*) FROM updated_{number}))")
        else:
            # Nothing finds these rows again: what was changed in them stays changed.
            wrong.append(f"(SELECT pg_catalog.count(*) FROM {source} AS gone)")
    separator = ",\n"
    return f"WITH {separator.join(parts)}\nSELECT {' + '.join(counts)} AS rows, {' + '.join(wrong)} AS wrong"


def triggers_sql(tables: Sequence[TableName]) -> str:
    """Return the query for the statements that turn the firing user triggers of tables off and on again, one pair per trigger."""
    relations = ", ".join(f"pg_catalog.to_regclass({literal(qualified(table))})" for table in tables)
    named = "trigger_row.tgrelid::pg_catalog.regclass, trigger_row.tgname"
    return (
        f"SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', {named}) AS turn_off,"
        f" pg_catalog.format('ALTER TABLE ONLY %s ENABLE ' || CASE trigger_row.tgenabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END"
        f" || 'TRIGGER %I', {named}) AS turn_on"
        f" FROM pg_catalog.pg_trigger AS trigger_row WHERE trigger_row.tgrelid = ANY (ARRAY[{relations}]::oid[])"
        " AND NOT trigger_row.tgisinternal AND trigger_row.tgenabled IN ('O', 'A')"
    )


def left_sql(saved: Saved) -> Iterator[str]:
    """Yield the statements that write down how triggers left the rows that a batch changed. Parameter: batch."""
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        if saved.is_watched(table):
            source = images(table, number, "UPDATE", by_plan=False)
            same = same_key(saved.catalog, table, table.primary_key, "present", "(gone.image)")
            yield (
                f"UPDATE holdfast.backup AS saved SET left_image = found.now FROM (SELECT gone.row_id, (present.*)::text AS now"
                f" FROM {source} AS gone JOIN {from_only(table)} AS present ON {same}) AS found"
                f" WHERE saved.batch = $1::bigint AND saved.table_number = {number} AND saved.row_id = found.row_id"
            )


def kept_sql(saved: Saved) -> Iterator[str]:
    """Yield the questions how many changed rows do not have their new values, where a trigger may have kept them. Parameter: batch."""
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        if saved.is_watched(table):
            wrong = " OR ".join(
                f"({literal(column)} = ANY (gone.changed_columns) AND present.{identifier(column)}::text IS DISTINCT FROM ({value})::text)"
                for column, value in saved.changed[name].items()
            )
            for column in map(identifier, _untouchable(table)):
                wrong += f" OR present.{column}::text IS DISTINCT FROM (gone.image).{column}::text"
            same = same_key(saved.catalog, table, table.primary_key, "present", "(gone.image)")
            source = images(table, number, "UPDATE", by_plan=False)
            yield (
                f"SELECT pg_catalog.count(*) FROM {source} AS gone LEFT JOIN {from_only(table)} AS present ON {same}"
                f" WHERE present.ctid IS NULL OR {wrong}"
            )


def images(table: Table, number: int | None, action: str, *, by_plan: bool) -> str:
    """Return saved rows as a subquery with the row as `image`. OFFSET 0 keeps the planner from parsing the text once per column.

    Without a number: those that any cleanup of the plan saved. Parameter: plan id or batch.
    """
    owner = "ledger.plan_id = $1::text" if by_plan else "saved.batch = $1::bigint"
    numbered = "" if number is None else f" AND saved.table_number = {number}"
    row_type = qualified(table.name)
    changed = "" if action == "DELETE" else f", saved.left_image::{row_type} AS left_row, saved.left_image IS NOT NULL AS is_watched"
    return (
        f"(SELECT saved.row_image::{row_type} AS image, saved.batch, saved.table_number, saved.row_id, saved.changed_columns,"
        f" ledger.step{changed}"
        f" FROM holdfast.backup AS saved JOIN holdfast.ledger AS ledger ON ledger.id = saved.batch"
        f" WHERE {owner}{numbered} AND saved.action = '{action}'"
        f" AND saved.table_schema = {literal(table.name.schema)} AND saved.table_name = {literal(table.name.name)}"
        f" AND saved.restored_by IS NULL OFFSET 0)"
    )


def latest(table: Table, columns: Sequence[str], *, by_plan: bool) -> str:
    """Return the saved rows that get values back as a subquery, with the last batch that changed column n of each as `last_n`.

    Several cleanups may have changed one row: a row that is there has what the last of them left. Rows are told apart by the text of
    their key, for which every type has an order.
    """
    key = ", ".join(f"(each.image).{identifier(name)}::text" for name in table.primary_key)
    last = ", ".join(
        f"pg_catalog.max(each.batch) FILTER (WHERE {literal(column)} = ANY (each.changed_columns)) OVER same_row AS last_{number}"
        for number, column in enumerate(columns)
    )
    source = images(table, None, "UPDATE", by_plan=by_plan)
    return f"(SELECT each.*, {last} FROM {source} AS each WINDOW same_row AS (PARTITION BY {key}))"


def same_key(catalog: Catalog, table: Table, columns: tuple[str, ...], left: str, right: str) -> str:
    """Return the condition that two rows of a table agree on key columns, by the operators of the key's own index."""
    index = next(index for index in table.indexes if index.is_unique and set(index.columns) == set(columns))
    conditions = []
    for key in index.key_columns:
        operator = catalog.types.equality.get((key.operator_family, key.operator_input, key.operator_input))
        equals = f"OPERATOR({identifier(operator.schema)}.{operator.name})" if operator else "="
        name = identifier(key.name or "")
        conditions.append(f"{left}.{name} {equals} {right}.{name}")
    return " AND ".join(conditions)


def _insert(table: Table, gone: str) -> str:
    """Return the INSERT of deleted rows: generated columns compute themselves, identity columns take the old value."""
    columns = [column.name for column in table.columns if not column.generated]
    names = ", ".join(identifier(name) for name in columns)
    values = ", ".join(f"(gone.image).{identifier(name)}" for name in columns)
    return (
        f"INSERT INTO {qualified(table.name)} AS fresh ({names}) OVERRIDING SYSTEM VALUE"
        f" SELECT {values} FROM {gone} AS gone RETURNING (fresh.*)::text AS row_image"
    )


def _update(saved: Saved, table: Table, source: str, same: str) -> str:
    """Return the UPDATE of changed values: the columns that the cleanup changed in that very row, and what triggers did along with it."""
    ours = saved.changed[table.name]
    sets = [
        f"{identifier(column)} = CASE WHEN {literal(column)} = ANY (gone.changed_columns)"
        f" THEN (gone.image).{identifier(column)} ELSE changed.{identifier(column)} END"
        for column in ours
    ]
    if saved.is_watched(table):
        spared = (*ours, *table.primary_key, *_untouchable(table))
        others = [column.name for column in table.columns if not column.generated and column.name not in spared]
        sets += [
            f"{column} = CASE WHEN gone.is_watched AND changed.{column}::text IS NOT DISTINCT FROM (gone.left_row).{column}::text"
            f" THEN (gone.image).{column} ELSE changed.{column} END"
            for column in map(identifier, others)
        ]
    return f"UPDATE {from_only(table)} AS changed SET {', '.join(sets)} FROM {source} AS gone WHERE {same} RETURNING 1"


def _untouchable(table: Table) -> tuple[str, ...]:
    """Return the columns that no UPDATE can give a value: GENERATED ALWAYS AS IDENTITY."""
    return tuple(column.name for column in table.columns if column.identity == "a")
