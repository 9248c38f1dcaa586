"""Joins that people wrote: in comes a catalog with the SQL of its views and functions, out go the relationships that they join by.

A join counts when one side is a unique key: that is the referenced one. Parsing costs milliseconds per view, so there is a limit; what
does not parse is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import sqlglot
import sqlglot.parser
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from holdfastd.catalog.model import Catalog, Definition
from holdfastd.catalog.operators import is_referenceable
from holdfastd.inference.hints.equalities import equalities
from holdfastd.inference.hints.origins import Origin, Origins
from holdfastd.inference.hints.statements import queries_in
from holdfastd.names import ColumnSet, TableName, relationship_id

#: Texts that are parsed at most, and characters of one and of all: views come first, the shorter ones before.
_MOST_TEXTS = 2_000
_LONGEST = 200_000
_MOST_CHARACTERS = 1_000_000
_VIEWS = frozenset({"view", "materialized view"})
#: Ways to pair columns with those of a key: more of them say nothing.
_MOST_WAYS = 4
#: The columns of each table's keys that a foreign key may point at.
_Keys = Mapping[TableName, tuple[tuple[str, ...], ...]]

# It quotes the SQL that it stumbles over, and SQL may hold values.
sqlglot.parser.logger.disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A relationship by which views and functions join."""

    referencing: ColumnSet
    referenced: ColumnSet
    #: What joins so, views first: `view public.sales_by_film`, `function public.rewards`.
    used_by: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of the relationship."""
        return relationship_id(self.referencing, self.referenced)


def find_joins(catalog: Catalog) -> Mapping[str, Join]:
    """Return the joins by id of the relationship; where both sides are unique keys, one for each direction."""
    scopes = [(each, scope) for each in _chosen(catalog.definitions) for scope in _scopes(each)]
    origins = _origins(catalog, {TableName(each.schema, each.name): scope for each, scope in scopes if each.kind in _VIEWS})
    keys = _unique_keys(catalog)
    used: dict[tuple[ColumnSet, ColumnSet], set[Definition]] = defaultdict(set)
    for definition, root in scopes:
        for pair in _pairs_of(root, replace(origins, schema=definition.schema), keys):
            used[pair].add(definition)
    joins = (Join(referencing=pair[0], referenced=pair[1], used_by=_named(definitions)) for pair, definitions in sorted(used.items()))
    return {join.id: join for join in joins}


def _chosen(definitions: Iterable[Definition]) -> Iterator[Definition]:
    """Yield what is parsed."""
    left = _MOST_CHARACTERS
    for each in sorted(definitions, key=lambda each: (each.kind not in _VIEWS, len(each.sql)))[:_MOST_TEXTS]:
        left -= len(each.sql)
        if len(each.sql) <= _LONGEST and left >= 0:
            yield each


def _named(definitions: Iterable[Definition]) -> tuple[str, ...]:
    names = {(each.kind not in _VIEWS, each.kind, str(TableName(each.schema, each.name))) for each in definitions}
    return tuple(f"{kind} {name}" for _, kind, name in sorted(names))


def _origins(catalog: Catalog, views: Mapping[TableName, Scope]) -> Origins:
    bare: dict[str, tuple[TableName, ...]] = {}
    for name in (*catalog.tables, *views):
        bare[name.name] = (*bare.get(name.name, ()), name)
    return Origins(tables=catalog.tables, views=views, bare=bare)


def _unique_keys(catalog: Catalog) -> _Keys:
    return {
        table.name: tuple(dict.fromkeys(tuple(filter(None, index.columns)) for index in table.indexes if is_referenceable(index)))
        for table in catalog.tables.values()
    }


def _scopes(definition: Definition) -> Iterator[Scope]:
    texts = [definition.sql.rstrip().rstrip(";")] if definition.kind in _VIEWS else queries_in(definition.sql)
    for text in texts:
        scope = _scope(text)
        if scope is not None:
            yield scope


def _scope(text: str) -> Scope | None:
    """Parse one statement, as the query that it makes."""
    try:
        statement = sqlglot.parse_one(text, dialect="postgres")
        for identifier in statement.find_all(exp.Identifier):
            if not identifier.quoted:
                identifier.set("this", identifier.name.lower())
        query = _as_query(statement)
        scope = build_scope(query) if query is not None else None
        if scope is not None:
            _tie_recursion(scope)
    except Exception:  # noqa: BLE001 (a parser may stumble over other people's SQL in any way; a hint less is no harm)
        return None
    return scope


def _tie_recursion(root: Scope) -> None:
    """Give recursive queries what their name stands for: the parser's library leaves a copy of the first half, without its sources."""
    built = {id(scope.expression): scope for scope in root.traverse()}
    for scope in built.values():
        for alias, source in scope.sources.items():
            if isinstance(source, Scope):
                scope.sources[alias] = built.get(id(source.expression), source)


def _as_query(statement: exp.Expr) -> exp.Expr | None:
    """Return a query with the same sources and conditions."""
    if isinstance(statement, exp.Query):
        return statement
    if isinstance(statement, exp.Insert):
        return statement.expression if isinstance(statement.expression, exp.Query) else None
    if not isinstance(statement, exp.Update | exp.Delete | exp.Merge):
        return None
    using = statement.args.get("using") or getattr(statement.args.get("from_"), "this", None)
    others = using if isinstance(using, list) else [using] if using is not None else []
    # What an UPDATE sets may come from a subquery.
    assigned = [each.expression for each in statement.expressions if isinstance(each, exp.EQ)]
    query = exp.select("*", *assigned).from_(statement.this)
    for other in others:
        query = query.join(other)
    condition = statement.args.get("on") or getattr(statement.args.get("where"), "this", None)
    if statement.args.get("with_") is not None:
        query.set("with_", statement.args["with_"])
    return query.where(condition) if condition is not None else query


def _pairs_of(root: Scope, origins: Origins, keys: _Keys) -> tuple[tuple[ColumnSet, ColumnSet], ...]:
    try:
        return tuple(_joined(root, origins, keys))
    except Exception:  # noqa: BLE001 (as above: the tree may be of a shape that nobody thought of)
        return ()


def _joined(root: Scope, origins: Origins, keys: _Keys) -> Iterator[tuple[ColumnSet, ColumnSet]]:
    """Yield (referencing, referenced) for every join of a query and its subqueries."""
    for group in equalities(root, origins):
        between: dict[tuple[Origin, Origin], set[tuple[str, str]]] = defaultdict(set)
        for left, right in (sides for pair in group for one, other in product(*pair) for sides in ((one, other), (other, one))):
            between[replace(left, column=""), replace(right, column="")].add((left.column, right.column))
        for (one, other), pairs in between.items():
            for key in keys.get(other.table, ()):
                yield from _paired(one.table, ColumnSet(other.table, key), pairs)


def _paired(table: TableName, key: ColumnSet, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[ColumnSet, ColumnSet]]:
    """Yield the columns of a table that are compared with a whole key."""
    choices = [sorted(left for left, right in pairs if right == column) for column in key.columns]
    if prod(map(len, choices)) > _MOST_WAYS:
        return
    for columns in product(*choices):
        referencing = ColumnSet(table, columns)
        if len(set(columns)) == len(columns) and referencing != key:
            yield referencing, key
