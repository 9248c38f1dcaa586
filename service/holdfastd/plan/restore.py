"""The SQL that puts backed-up rows back, and the questions to ask before: could it be exact? Pure.

A batch is put back by one statement: all its tables at once, so that rows which reference each other in a circle pass, and the keys
are checked when all of them are there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Column, ForeignKey, Index, Table
from holdfastd.evidence.statements import from_only, key_match
from holdfastd.names import TableName, identifier, literal, qualified, relationship_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The tables of a recipe, in the order of their numbers in the backup, and the columns that the cleanup changes."""

    catalog: Catalog
    tables: tuple[TableName, ...]
    #: Per table: column -> SQL of the value that the cleanup leaves in it.
    changed: Mapping[TableName, Mapping[str, str]]


def restore_sql(saved: Saved) -> str:
    """Return the statement that puts the rows of one batch back and returns how many. Parameter: batch."""
    parts, counts = [], []
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        parts.append(f"inserted_{number} AS ({_insert(table, number)})")
        counts.append(f"(SELECT pg_catalog.count(*) FROM inserted_{number})")
        if saved.changed.get(name) and table.primary_key:
            parts.append(f"updated_{number} AS ({_update(saved, table, number)})")
            counts.append(f"(SELECT pg_catalog.count(*) FROM updated_{number})")
    separator = ",\n"
    return f"WITH {separator.join(parts)}\nSELECT {' + '.join(counts)}"


def restore_checks(saved: Saved, *, dropped: frozenset[str]) -> tuple[str, ...]:
    """Return queries that each return one text per obstacle to an exact restore. Parameter: plan id.

    `dropped` names the relationships whose keys are gone when rows are put back.
    """
    return tuple(_checks(saved, dropped))


def _checks(saved: Saved, dropped: frozenset[str]) -> Iterator[str]:
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        yield _structure_check(table, number)
        for index in table.indexes:
            if index.is_unique and index.is_usable and index.predicate is None and None not in index.columns:
                yield _reuse_check(saved.catalog, table, index, number)
        if saved.changed.get(name) and table.primary_key:
            yield _changed_check(saved, table, number)
        for key in table.foreign_keys:
            if key.enforced and relationship_id(key.referencing, key.referenced) not in dropped:
                yield _reference_check(saved, key, number)


def _images(table: Table, number: int, action: str, *, by_plan: bool) -> str:
    """Return saved rows as a subquery with the row as `image`. OFFSET 0 keeps the planner from parsing the text once per column."""
    owner = "ledger.plan_id = $1::text" if by_plan else "saved.batch = $1::bigint"
    return (
        f"(SELECT saved.row_image::{qualified(table.name)} AS image, saved.changed_columns"
        f" FROM holdfast.backup AS saved JOIN holdfast.ledger AS ledger ON ledger.id = saved.batch"
        f" WHERE {owner} AND saved.table_number = {number} AND saved.action = '{action}'"
        f" AND saved.table_schema = {literal(table.name.schema)} AND saved.table_name = {literal(table.name.name)}"
        f" AND saved.restored_by IS NULL OFFSET 0)"
    )


def _insert(table: Table, number: int) -> str:
    """Return the INSERT of deleted rows: generated columns compute themselves, identity columns take the old value."""
    columns = [column.name for column in table.columns if not column.generated]
    names = ", ".join(identifier(name) for name in columns)
    values = ", ".join(f"(gone.image).{identifier(name)}" for name in columns)
    source = _images(table, number, "DELETE", by_plan=False)
    return f"INSERT INTO {qualified(table.name)} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {source} AS gone RETURNING 1"


def _update(saved: Saved, table: Table, number: int) -> str:
    """Return the UPDATE of changed values: only the columns that the cleanup changed in that very row."""
    sets = ", ".join(
        f"{identifier(column)} = CASE WHEN {literal(column)} = ANY (gone.changed_columns)"
        f" THEN (gone.image).{identifier(column)} ELSE changed.{identifier(column)} END"
        for column in saved.changed[table.name]
    )
    source = _images(table, number, "UPDATE", by_plan=False)
    return (
        f"UPDATE {from_only(table)} AS changed SET {sets} FROM {source} AS gone"
        f" WHERE {_same_key(saved.catalog, table, table.primary_key, 'changed', '(gone.image)')} RETURNING 1"
    )


def _same_key(catalog: Catalog, table: Table, columns: tuple[str, ...], left: str, right: str) -> str:
    """Return the condition that two rows of a table agree on key columns, by the operators of the key's own index."""
    index = next(index for index in table.indexes if index.is_unique and set(index.columns) == set(columns))
    conditions = []
    for key in index.key_columns:
        operator = catalog.types.equality.get((key.operator_family, key.operator_input, key.operator_input))
        equals = f"OPERATOR({identifier(operator.schema)}.{operator.name})" if operator else "="
        name = identifier(key.name or "")
        conditions.append(f"{left}.{name} {equals} {right}.{name}")
    return " AND ".join(conditions)


def _structure_check(table: Table, number: int) -> str:
    """Return the check that the columns are those that the images were taken from."""
    expected = "\n".join(column_line(column) for column in table.columns)
    name = literal(qualified(table.name))
    return (
        f"SELECT {literal(f'{table.name}: its columns changed')} WHERE EXISTS (SELECT FROM holdfast.backup AS saved"
        f" JOIN holdfast.ledger AS ledger ON ledger.id = saved.batch WHERE ledger.plan_id = $1::text"
        f" AND saved.table_number = {number} AND saved.table_schema = {literal(table.name.schema)}"
        f" AND saved.table_name = {literal(table.name.name)} AND saved.restored_by IS NULL)"
        f" AND (SELECT pg_catalog.string_agg(attribute.attnum || ' ' || attribute.attname::text || ' '"
        f" || pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) || ' ' || attribute.attgenerated::text,"
        f" E'\\n' ORDER BY attribute.attnum)"
        f" FROM pg_catalog.pg_attribute AS attribute WHERE attribute.attrelid = pg_catalog.to_regclass({name})"
        f" AND attribute.attnum > 0 AND NOT attribute.attisdropped) IS DISTINCT FROM {literal(expected)}"
    )


def column_line(column: Column) -> str:
    """Return a column as the structure check's query prints it."""
    return f"{column.number} {column.name} {column.type.formatted} {column.generated}"


def _reuse_check(catalog: Catalog, table: Table, index: Index, number: int) -> str:
    """Return the check that no row took a unique key that a deleted row had. Shows the key, nothing else of the row."""
    columns = tuple(name for name in index.columns if name is not None)
    return (
        f"SELECT {literal(f'{table.name}: taken again: ')} || {_key_text(columns)}"
        f" FROM {_images(table, number, 'DELETE', by_plan=True)} AS gone WHERE EXISTS (SELECT FROM {from_only(table)} AS present"
        f" WHERE {_same_key(catalog, table, columns, 'present', '(gone.image)')}) LIMIT 20"
    )


def _changed_check(saved: Saved, table: Table, number: int) -> str:
    """Return the check that nobody gave another value to a column that the cleanup changed. A row deleted since stays deleted."""
    conditions = " OR ".join(
        f"({literal(column)} = ANY (gone.changed_columns) AND present.{identifier(column)}::text IS DISTINCT FROM ({value})::text)"
        for column, value in saved.changed[table.name].items()
    )
    return (
        f"SELECT {literal(f'{table.name}: changed since: ')} || {_key_text(table.primary_key)}"
        f" FROM {_images(table, number, 'UPDATE', by_plan=True)} AS gone JOIN {from_only(table)} AS present"
        f" ON {_same_key(saved.catalog, table, table.primary_key, 'present', '(gone.image)')} WHERE {conditions} LIMIT 20"
    )


def _reference_check(saved: Saved, key: ForeignKey, number: int) -> str:
    """Return the check that rows referenced by deleted rows, by keys that stay, are still there or come back, too."""
    catalog = saved.catalog
    table, referenced = catalog.tables[key.referencing.table], catalog.tables[key.referenced.table]
    match = key_match(catalog, key.referencing, key.referenced, key.operators, referencing_alias="(gone.image)")
    missing = f"NOT EXISTS (SELECT FROM {from_only(referenced)} AS referenced WHERE {match})"
    if key.referenced.table in saved.tables:
        comes_back = _images(referenced, saved.tables.index(key.referenced.table), "DELETE", by_plan=True)
        image_match = key_match(
            catalog,
            key.referencing,
            key.referenced,
            key.operators,
            referencing_alias="(gone.image)",
            referenced_alias="(back.image)",
        )
        missing += f" AND NOT EXISTS (SELECT FROM {comes_back} AS back WHERE {image_match})"
    present = " AND ".join(f"(gone.image).{identifier(column)} IS NOT NULL" for column in key.referencing.columns)
    shown = table.primary_key or key.referencing.columns
    return (
        f"SELECT {literal(f'{table.name}: what it references by {key.name} is gone: ')} || {_key_text(shown)}"
        f" FROM {_images(table, number, 'DELETE', by_plan=True)} AS gone WHERE {present} AND {missing} LIMIT 20"
    )


def _key_text(columns: tuple[str, ...]) -> str:
    """Return SQL for `(column, …)=(value, …)` of the saved row."""
    names = literal("(" + ", ".join(columns) + ")=(")
    values = " || ', ' || ".join(f"coalesce((gone.image).{identifier(column)}::text, 'NULL')" for column in columns)
    return f"{names} || {values} || ')'"
