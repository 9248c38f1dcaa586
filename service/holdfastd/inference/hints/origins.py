"""Where a column of a query comes from: in come a parsed query and one of its columns, out go columns of tables.

Aliases, subqueries, common table expressions and views are looked through.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from holdfastd.catalog.model import Table
from holdfastd.names import TableName

#: Subqueries in subqueries, views on views: deeper than this nobody looks.
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Origin:
    """A column of a table, by way of one source of a query: an alias in a FROM clause."""

    #: Tells sources apart: the scope, and the alias in it.
    source: tuple[int, str]
    table: TableName
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Finds columns of a catalog's tables. `schema` is where names without one are looked for first."""

    tables: Mapping[TableName, Table]
    #: The query of each view, its scope built.
    views: Mapping[TableName, Scope]
    #: Tables by bare name, for names without a schema.
    bare: Mapping[str, tuple[TableName, ...]]
    schema: str = "public"

    def of(self, scope: Scope, column: exp.Column) -> tuple[Origin, ...]:
        """Return the table columns that a column of a query is, the same value each; none when it is computed or not known."""
        around: Scope | None = scope
        while around is not None:
            aliases = [column.table] if column.table else list(around.selected_sources)
            for alias in aliases:
                if alias in around.sources:
                    found = {(table, name) for table, name in self._in_source(around.sources[alias], column.name, 0)}
                    if found:
                        return tuple(Origin((id(around), alias), table, name) for table, name in sorted(found))
            around = around.parent
        return ()

    def _in_source(self, source: exp.Expr | Scope, name: str, depth: int) -> Iterator[tuple[TableName, str]]:
        if depth > _DEEPEST:
            return
        if isinstance(source, Scope):
            yield from self._projected(source, name, depth + 1)
            return
        if not isinstance(source, exp.Table):
            return
        table, renamed = self._named(source), source.alias_column_names
        if table in self.tables:
            columns = [column.name for column in self.tables[table].columns]
            place = _place(name, renamed, columns)
            if place is not None:
                yield table, columns[place]
        elif table in self.views and not renamed:
            yield from self._projected(self.views[table], name, depth + 1)

    def _named(self, source: exp.Table) -> TableName:
        if source.db:
            return TableName(source.db, source.name)
        own = TableName(self.schema, source.name)
        if own in self.tables or own in self.views:
            return own
        others = self.bare.get(source.name, ())
        return others[0] if len(others) == 1 else own

    def _projected(self, scope: Scope, name: str, depth: int) -> Iterator[tuple[TableName, str]]:
        """Follow an output column of a query; of a UNION, through its branches by position."""
        branches = list(_branches(scope))
        named = [each.alias_or_name for each in branches[0][1]] if branches else []
        place = _place(name, scope.outer_columns, named)
        for branch, selected in branches:
            if place is not None and place < len(selected) and not selected[place].is_star:
                inner = bare(selected[place])
                if isinstance(inner, exp.Column):
                    yield from self._column(branch, inner, depth)
            elif any(each.is_star for each in selected):
                yield from self._column(branch, exp.column(name), depth)

    def _column(self, scope: Scope, column: exp.Column, depth: int) -> Iterator[tuple[TableName, str]]:
        aliases = [column.table] if column.table else list(scope.selected_sources)
        for alias in aliases:
            found = list(self._in_source(scope.sources[alias], column.name, depth)) if alias in scope.sources else []
            if found:
                yield from found
                return


def bare(expression: exp.Expr) -> exp.Expr:
    """Return what is inside parentheses, casts, an alias and a default for NULL."""
    while isinstance(expression, exp.Paren | exp.Cast | exp.Alias) or _is_default(expression):
        expression = expression.this
    return expression


def _is_default(expression: exp.Expr) -> bool:
    return isinstance(expression, exp.Coalesce) and all(isinstance(bare(each), exp.Literal) for each in expression.expressions)


def _place(name: str, renamed: Sequence[str], columns: Sequence[str]) -> int | None:
    """Return which column goes by a name, given the names that an alias gives to the first of them."""
    names = [*renamed, *columns[len(renamed) :]]
    return names.index(name) if name in names else None


def _branches(scope: Scope) -> Iterator[tuple[Scope, list[exp.Expr]]]:
    """Yield the queries that a UNION is made of, or the one query, with what each selects."""
    for each in scope.set_operation_scopes:
        yield from _branches(each)
    if isinstance(scope.expression, exp.Select):
        yield scope, scope.expression.selects
