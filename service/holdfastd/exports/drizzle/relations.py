"""The `relations()` of schema.ts: what db.query joins by. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.exports.drizzle.scope import Scope
from holdfastd.exports.drizzle.text import string
from holdfastd.exports.joins import Join
from holdfastd.names import ColumnSet, TableName


def render_relations(joins: Sequence[Join], scope: Scope) -> Iterator[str]:
    """Yield the lines of the relations of every table that has any: what it references first, then what references it."""
    forwards: dict[TableName, list[str]] = {name: [] for name in scope.tables}
    backwards: dict[TableName, list[str]] = {name: [] for name in scope.tables}
    for join in joins:
        referencing, referenced = join.key.referencing, join.key.referenced
        forward = _joined(referencing, referenced, join, scope)
        forwards[referencing.table].append(f"{join.forward}: one({scope.tables[referenced.table]}, {forward}),")
        helper = "one" if join.is_one else "many"
        backwards[referenced.table].append(f"{join.backward}: {helper}({scope.tables[referencing.table]}{_back(join, scope)}),")
    for table, constant in scope.tables.items():
        if found := [*forwards[table], *backwards[table]]:
            helpers = ", ".join(helper for helper in ("one", "many") if any(f": {helper}(" in line for line in found))
            name = scope.constants.take(f"{constant}Relations")
            yield ""
            yield f"export const {name} = {scope.builder_of_relations()}({constant}, ({{ {helpers} }}) => ({{"
            yield from (f"  {line}" for line in found)
            yield "}));"


def _back(join: Join, scope: Scope) -> str:
    if not join.name:
        return ""
    if join.is_one:
        # Here drizzle takes a name only together with the columns.
        return f", {_joined(join.key.referenced, join.key.referencing, join, scope)}"
    return f", {{ relationName: {string(join.name)} }}"


def _joined(own: ColumnSet, other: ColumnSet, join: Join, scope: Scope) -> str:
    named = f", relationName: {string(join.name)}" if join.name else ""
    return f"{{ fields: [{_columns(own, scope)}], references: [{_columns(other, scope)}]{named} }}"


def _columns(columns: ColumnSet, scope: Scope) -> str:
    return ", ".join(f"{scope.tables[columns.table]}.{scope.columns[columns.table][column]}" for column in columns.columns)
