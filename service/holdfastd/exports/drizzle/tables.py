"""One table as a constant of schema.ts: its columns, keys, indexes and checks. Pure."""

from collections.abc import Iterator

from holdfastd.catalog.model import OnDelete, TableKind
from holdfastd.catalog.outline import IndexOutline, KeyOutline, TableOutline
from holdfastd.exports.corrected import Corrected
from holdfastd.exports.drizzle.columns import render_column, unique_at_column
from holdfastd.exports.drizzle.scope import Scope
from holdfastd.exports.drizzle.text import comment, options, string
from holdfastd.exports.index_parts import IndexPart, parse_index, storage_options
from holdfastd.exports.sql_checks import condition_of, rest_of
from holdfastd.exports.sql_literals import key_name
from holdfastd.exports.unexpressed import unexpressed
from holdfastd.names import TableName

_INDENT = "  "


def render_table(table: TableOutline, corrected: Corrected, scope: Scope, declared: set[TableName]) -> Iterator[str]:
    """Yield the lines of a table. `declared`: the tables above it in the file."""
    yield from (comment(line) for line in table.comment.splitlines()[:1] if line.strip())
    if table.kind is TableKind.PARTITIONED:
        yield scope.note(table.name, "it is partitioned; drizzle-kit would make a plain table")
    if table.row_security:
        yield scope.note(table.name, "the policies of its row security")
    builder = f"{scope.schemas[table.name.schema]}.table" if table.name.schema in scope.schemas else scope.builder("pgTable")
    extras = list(_extras(table, corrected, scope))
    if all(line.startswith("//") for line in extras):
        yield from extras
        extras = []
    columns = [line for column in table.columns for line in render_column(table, column, scope)]
    name = scope.tables[table.name]
    yield f"export const {name} = {builder}({string(table.name.name)}, {{"
    yield from (_INDENT + line for line in columns)
    end = ").enableRLS();" if table.row_security else ");"
    if not extras:
        yield "}" + end
        return
    # What points at a table further down needs its type told, or TypeScript goes in circles.
    forward = any(key.referenced.table not in declared and key.referenced.table in scope.tables for key in table.foreign_keys)
    returned = f": {scope.builder('type PgTableExtraConfigValue').removeprefix('type ')}[]" if forward else ""
    # A parameter that nothing reads would fail a strict compilation.
    parameter = "table" if any("table." in line for line in extras if not line.startswith("//")) else ""
    yield f"}}, ({parameter}){returned} => ["
    yield from (_INDENT + line for line in extras)
    yield "]" + end


def _extras(table: TableOutline, corrected: Corrected, scope: Scope) -> Iterator[str]:
    for index in sorted(table.indexes, key=lambda index: (not index.is_primary, not index.constraint_name, index.name)):
        yield from _index(table, index, corrected, scope)
    for key in table.foreign_keys:
        yield from _foreign_key(table, key, corrected, scope)
    names = table.check_names or ("",) * len(table.checks)
    for number, (name, definition) in enumerate(zip(names, table.checks, strict=True), start=1):
        if rest := rest_of(definition):
            yield scope.note(f"{table.name}, {name}", rest)
        yield f"{scope.builder('check')}({string(name or f'{table.name.name}_check{number}')}, {scope.sql(condition_of(definition))}),"
    for name, definition in table.exclusions:
        yield scope.note(f"{table.name}, {name}", definition)


def _index(table: TableOutline, index: IndexOutline, corrected: Corrected, scope: Scope) -> Iterator[str]:
    if any(index.name == name for name, _ in table.exclusions):
        return
    place = f"{table.name}, {index.name}"
    if not index.is_usable:
        yield scope.note(place, "the index is invalid, so it is left out")
        return
    if index.is_deferrable:
        yield scope.note(place, "DEFERRABLE")
    if index.included_columns:
        yield scope.note(place, f"INCLUDE ({', '.join(index.included_columns)})")
    if index.constraint_name:
        yield from _constraint(table, index, scope)
        return
    if index.nulls_not_distinct:
        yield scope.note(place, "NULLS NOT DISTINCT")
    mark = " // new" if (table.name, index.name) in corrected.new_indexes else ""
    yield f"{_plain_index(table, index, scope)},{mark}"


def _constraint(table: TableOutline, index: IndexOutline, scope: Scope) -> Iterator[str]:
    columns = ", ".join(_column(table, column, scope) for column in index.columns if column is not None)
    if index.is_primary:
        if len(index.columns) > 1:
            yield f"{scope.builder('primaryKey')}({{ name: {string(index.name)}, columns: [{columns}] }}),"
        elif index.name != key_name(table.name.name):
            # Drizzle has a name for it, but drizzle-kit does not see it in a database, and would drop the key to make it again.
            yield scope.note(table.name, f"its primary key is called {index.name}")
        return
    if len(index.columns) == 1 and unique_at_column(table, index.columns[0] or "") == index:
        return
    nulls = ".nullsNotDistinct()" if index.nulls_not_distinct else ""
    yield f"{scope.builder('unique')}({string(index.name)}).on({columns}){nulls},"


def _plain_index(table: TableOutline, index: IndexOutline, scope: Scope) -> str:
    parts = ", ".join(_part(table, part, scope) for part in parse_index(index))
    builder = scope.builder("uniqueIndex" if index.is_unique else "index")
    on = f".on({parts})" if index.method == "btree" else f".using({string(index.method)}, {parts})"
    stored = options({name: value if value.isdigit() else string(value) for name, value in storage_options(index).items()})
    where = f".where({scope.sql(index.predicate)})" if index.predicate is not None else ""
    return f"{builder}({string(index.name)}){on}{f'.with({stored})' if stored else ''}{where}"


def _part(table: TableOutline, part: IndexPart, scope: Scope) -> str:
    if part.column is None:
        return scope.sql(part.sql)
    made = _column(table, part.column, scope)
    if part.descending:
        # Drizzle's own default is NULLS LAST in either order, PostgreSQL's is not.
        made += ".desc()" + (".nullsFirst()" if part.nulls_first else ".nullsLast()")
    elif part.nulls_first:
        made += ".asc().nullsFirst()"
    return made + (f".op({string(part.operators)})" if part.operators else "")


def _foreign_key(table: TableOutline, key: KeyOutline, corrected: Corrected, scope: Scope) -> Iterator[str]:
    place = f"{table.name}, {key.name}"
    if key.referenced.table not in scope.tables:
        yield scope.note(place, f"it references {key.referenced}, which is not in this file")
        return
    yield from (scope.note(place, what) for what in unexpressed(key))
    other = "table" if key.referenced.table == table.name else scope.tables[key.referenced.table]
    names = scope.columns[key.referenced.table]
    columns = ", ".join(_column(table, column, scope) for column in key.referencing.columns)
    foreign = ", ".join(f"{other}.{names[column]}" for column in key.referenced.columns)
    actions = f".onDelete({string(key.on_delete.lower())})"
    if key.on_update is not OnDelete.NO_ACTION:
        actions += f".onUpdate({string(key.on_update.lower())})"
    mark = " // new" if (table.name, key.name) in corrected.new_keys else ""
    given = f"{{ name: {string(key.name)}, columns: [{columns}], foreignColumns: [{foreign}] }}"
    yield f"{scope.builder('foreignKey')}({given}){actions},{mark}"


def _column(table: TableOutline, column: str, scope: Scope) -> str:
    return f"table.{scope.columns[table.name][column]}"
