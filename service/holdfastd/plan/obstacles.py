"""What could keep saved rows from coming back exactly, as SQL: each query returns one text per obstacle. Parameter: plan id. Pure.

`restore_checks` asks what can be asked when the plan is made, and is part of it; `rule_checks` asks about the rules that are in
force when somebody wants to roll back, also those that were added since.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from holdfastd.catalog.model import Catalog, Column, ForeignKey, Index, Table
from holdfastd.evidence.statements import from_only, key_match
from holdfastd.names import ColumnSet, TableName, identifier, literal, qualified, unused
from holdfastd.plan.edges import KeyName
from holdfastd.plan.restore import Saved, images, latest, same_key


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueRule:
    """A unique index or an exclusion constraint, with its columns and operators as SQL."""

    name: str
    expressions: tuple[str, ...]
    #: `OPERATOR(schema.name)`, one per expression.
    operators: tuple[str, ...]
    #: Of a partial index; empty for a full one.
    predicate: str
    nulls_not_distinct: bool
    is_exclusion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRules:
    """What every row of a table must satisfy, foreign keys aside."""

    table: TableName
    #: CHECK constraints: name and expression.
    checks: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    uniques: tuple[UniqueRule, ...]


def restore_checks(saved: Saved, *, dropped: frozenset[KeyName]) -> tuple[str, ...]:
    """Return the questions that can be asked when the plan is made. `dropped`: keys that are gone when rows are put back.

    Some have the number of the step as a second parameter.
    """
    return tuple(_checks(saved, dropped))


def _checks(saved: Saved, dropped: frozenset[KeyName]) -> Iterator[str]:
    for number, name in enumerate(saved.tables):
        table = saved.catalog.tables[name]
        yield _structure_check(table, number)
        for index in table.indexes:
            if index.is_unique and index.is_usable and index.predicate is None and None not in index.columns:
                yield _reuse_check(saved.catalog, table, index, number)
        if saved.changed.get(name):
            yield _changed_check(saved, table) if table.primary_key else _keyless_check(table)
        yield from _reference_checks(saved.catalog, table, dropped)


def rule_checks(catalog: Catalog, rules: TableRules, *, dropped: frozenset[KeyName]) -> Iterator[str]:
    """Yield the questions about the rules that are in force now."""
    table = catalog.tables[rules.table]
    address = _address(table)
    back = f"({_coming_back(catalog, table, address)}) AS {identifier(table.name.name)}"
    shown = _shown(table, tuple(column.name for column in table.columns[:1]))
    for name in rules.required:
        yield _obstacle(f"{table.name}: {name} accepts no NULL any more: ", shown, f"{back} WHERE {identifier(name)} IS NULL")
    for name, expression in rules.checks:
        yield _obstacle(f"{table.name}: {name} forbids: ", shown, f"{back} WHERE NOT ({expression})")
    for column in table.columns:
        if column.generated == "s" and column.default:
            differs = f"({column.default})::text IS DISTINCT FROM {identifier(column.name)}::text"
            words = f"{table.name}: {column.name} would be computed anew, and differ: "
            yield _obstacle(words, shown, f"{back} WHERE {identifier(address)} IS NULL AND {differs}")
    for rule in rules.uniques:
        yield from _unique_checks(table, rule, back, address, shown)
    yield from _reference_checks(catalog, table, dropped)


def expression_checks(catalog: Catalog, table: Table, expressions: Iterable[str]) -> Iterator[str]:
    """Yield questions that fail where an expression cannot be computed for the rows as they will be, and find nothing otherwise."""
    back = f"({_coming_back(catalog, table, _address(table))}) AS {identifier(table.name.name)}"
    for expression in expressions:
        counted = f"SELECT pg_catalog.count({expression}) AS computed FROM {back}"
        yield f"SELECT '' AS obstacle FROM ({counted}) AS asked WHERE asked.computed < 0"


def _address(table: Table) -> str:
    return unused("row_id", [column.name for column in table.columns])


def _coming_back(catalog: Catalog, table: Table, address: str) -> str:
    """Return the query for the rows of a table as they will be: those that come back, and those that get values back."""
    names = [identifier(column.name) for column in table.columns]
    deleted = ", ".join(f"(gone.image).{name} AS {name}" for name in names)
    # A CHECK may speak of it.
    place = f"{literal(qualified(table.name))}::pg_catalog.regclass::oid AS tableoid"
    query = f"SELECT {deleted}, NULL::tid AS {identifier(address)}, {place} FROM {images(table, None, 'DELETE', by_plan=True)} AS gone"
    if not table.primary_key:
        return query
    changed = ", ".join(
        f"CASE WHEN {literal(column.name)} = ANY (gone.changed_columns) THEN (gone.image).{name} ELSE present.{name} END AS {name}"
        for column, name in zip(table.columns, names, strict=True)
    )
    same = same_key(catalog, table, table.primary_key, "present", "(gone.image)")
    return (
        f"{query} UNION ALL SELECT {changed}, present.ctid, present.tableoid FROM {images(table, None, 'UPDATE', by_plan=True)} AS gone"
        f" JOIN {from_only(table)} AS present ON {same}"
    )


def _unique_checks(table: Table, rule: UniqueRule, back: str, address: str, shown: str) -> Iterator[str]:
    """Yield whether a row that is there, or another one that comes back, has the same key."""
    numbered = [f"{expression} AS key_{number}" for number, expression in enumerate(rule.expressions)]
    where = f" WHERE {rule.predicate}" if rule.predicate else ""
    name = identifier(table.name.name)
    present = f"(SELECT {', '.join(numbered)}, {name}.ctid AS address FROM {from_only(table)} AS {name}{where})"
    coming = f"(SELECT {', '.join(numbered)}, {identifier(address)} AS address, {shown} AS shown FROM {back}{where})"
    equal = " AND ".join(
        f"(present.key_{number} {operator} coming.key_{number}"
        + (f" OR (present.key_{number} IS NULL AND coming.key_{number} IS NULL))" if rule.nulls_not_distinct else ")")
        for number, operator in enumerate(rule.operators)
    )
    taken = f"EXISTS (SELECT FROM {present} AS present WHERE present.address IS DISTINCT FROM coming.address AND {equal})"
    yield _obstacle(f"{table.name}: taken again by {rule.name}: ", "coming.shown", f"{coming} AS coming WHERE {taken}")
    if not rule.is_exclusion:
        keys = [f"coming.key_{number}" for number in range(len(rule.expressions))]
        given = " AND ".join(f"{key} IS NOT NULL" for key in keys)
        twice = f"{coming} AS coming WHERE address IS NULL AND {given} GROUP BY {', '.join(keys)} HAVING pg_catalog.count(*) > 1"
        yield _obstacle(f"{table.name}: {rule.name} forbids two rows that come back: ", "pg_catalog.min(coming.shown)", twice)


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
    taken = f"EXISTS (SELECT FROM {from_only(table)} AS present WHERE {same_key(catalog, table, columns, 'present', '(gone.image)')})"
    source = f"{images(table, number, 'DELETE', by_plan=True)} AS gone WHERE {taken}"
    return _obstacle(f"{table.name}: taken again: ", _key_text(columns), source)


def _keyless_check(table: Table) -> str:
    """Return the check that no row was changed that nothing finds again."""
    words = f"{table.name}: it has no primary key that finds the rows which were set NULL; rows of it: "
    return (
        f"SELECT {literal(words)} || pg_catalog.count(*) AS obstacle FROM {images(table, None, 'UPDATE', by_plan=True)} AS gone"
        " HAVING pg_catalog.count(*) > 0"
    )


def _changed_check(saved: Saved, table: Table) -> str:
    """Return the check that nobody gave another value to a column that the cleanup changed. A row deleted since stays deleted.

    Parameters: plan id, step. What another cleanup changed later is that one's to judge.
    """
    changed = saved.changed[table.name]
    conditions = " OR ".join(
        f"(gone.batch = gone.last_{number} AND {literal(column)} = ANY (gone.changed_columns)"
        f" AND present.{identifier(column)}::text IS DISTINCT FROM ({value})::text)"
        for number, (column, value) in enumerate(changed.items())
    )
    same = same_key(saved.catalog, table, table.primary_key, "present", "(gone.image)")
    gone = f"{latest(table, tuple(changed), by_plan=True)} AS gone"
    source = f"{gone} JOIN {from_only(table)} AS present ON {same} WHERE gone.step = $2::integer AND ({conditions})"
    return _obstacle(f"{table.name}: changed since: ", _key_text(table.primary_key), source)


def _reference_checks(catalog: Catalog, table: Table, dropped: frozenset[KeyName]) -> Iterator[str]:
    """Yield whether what rows reference by keys that stay is still there or comes back, too."""
    for name in (table.name, *catalog.tables_above(table.name)):
        for declared in catalog.tables[name].foreign_keys:
            if declared.enforced and (name, declared.name) not in dropped:
                key = replace(declared, referencing=ColumnSet(table.name, declared.referencing.columns))
                yield _reference_check(catalog, key, "DELETE")
                if table.primary_key:
                    yield _reference_check(catalog, key, "UPDATE")


def _reference_check(catalog: Catalog, key: ForeignKey, action: str) -> str:
    table, referenced = catalog.tables[key.referencing.table], catalog.tables[key.referenced.table]
    match = key_match(catalog, key.referencing, key.referenced, key.operators, referencing_alias="(gone.image)")
    missing = f"NOT EXISTS (SELECT FROM {from_only(referenced)} AS referenced WHERE {match})"
    # What another cleanup of the plan deleted later comes back earlier.
    for leaf in catalog.leaves(referenced.name):
        comes_back = images(catalog.tables[leaf], None, "DELETE", by_plan=True)
        there = ColumnSet(leaf, key.referenced.columns)
        image_match = key_match(
            catalog, key.referencing, there, key.operators, referencing_alias="(gone.image)", referenced_alias="(back.image)"
        )
        missing += f" AND NOT EXISTS (SELECT FROM {comes_back} AS back WHERE {image_match})"
    present = " AND ".join(f"(gone.image).{identifier(column)} IS NOT NULL" for column in key.referencing.columns)
    columns = ", ".join(literal(column) for column in key.referencing.columns)
    changed = ""
    if action == "UPDATE":
        same = same_key(catalog, table, table.primary_key, "present", "(gone.image)")
        is_there = f"EXISTS (SELECT FROM {from_only(table)} AS present WHERE {same})"
        changed = f"gone.changed_columns && ARRAY[{columns}]::text[] AND {is_there} AND "
    source = f"{images(table, None, action, by_plan=True)} AS gone WHERE {changed}{present} AND {missing}"
    shown = _key_text(table.primary_key or key.referencing.columns)
    return _obstacle(f"{table.name}: what it references by {key.name} is gone: ", shown, source)


def _obstacle(words: str, shown: str, source: str) -> str:
    """Return the question. Materialized: for the sake of a LIMIT the planner would compare each row with each, and there is none."""
    return f"WITH found AS MATERIALIZED (SELECT {literal(words)} || {shown} AS obstacle FROM {source}) SELECT obstacle FROM found LIMIT 20"


def _key_text(columns: tuple[str, ...]) -> str:
    """Return SQL for `(column, …)=(value, …)` of the saved row."""
    return _pairs(columns, "(gone.image).")


def _shown(table: Table, otherwise: tuple[str, ...]) -> str:
    """Return the same for a row whose columns are at hand."""
    return _pairs(table.primary_key or otherwise, "")


def _pairs(columns: tuple[str, ...], row: str) -> str:
    names = literal("(" + ", ".join(columns) + ")=(")
    values = " || ', ' || ".join(f"coalesce({row}{identifier(column)}::text, 'NULL')" for column in columns)
    return f"{names} || {values} || ')'"
