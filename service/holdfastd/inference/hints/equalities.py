"""What a query requires to be equal: in comes a query's scope, out come groups of pairs of columns, traced to their tables.

The pairs of a group hold together: (a.x = b.x AND a.y = b.y) is one join by two columns. What stands under OR holds by itself.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from holdfastd.inference.hints.origins import Origin, Origins, bare

#: The origins of both sides: a column of a UNION has several.
Equality = tuple[tuple[Origin, ...], tuple[Origin, ...]]
_Sides = tuple[exp.Expr, exp.Expr]


def equalities(root: Scope, origins: Origins) -> Iterator[tuple[Equality, ...]]:
    """Yield the groups of a query and of its subqueries."""
    for scope in root.traverse():
        if not isinstance(scope.expression, exp.Select):
            continue
        conditions = [join.args["on"] for join in scope.find_all(exp.Join) if join.args.get("on") is not None]
        where = scope.expression.args.get("where")
        conditions += [where.this] if where is not None else []
        for group in _groups(conditions):
            yield tuple(_traced(group, scope, origins))
        for join in scope.find_all(exp.Join):
            if join.args.get("using"):
                yield from _by_name(join, scope, origins)


def _groups(conditions: Iterable[exp.Expr]) -> Iterator[list[_Sides]]:
    """Yield what holds together, then what holds alternatively."""
    together: list[_Sides] = []
    for condition in conditions:
        for each in _conjuncts(condition):
            if isinstance(each, exp.Or):
                yield from _groups([each.left])
                yield from _groups([each.right])
            else:
                together += _compared(each)
    if together:
        yield together


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    pending = [condition]
    while pending:
        each = pending.pop()
        if isinstance(each, exp.Paren):
            pending.append(each.this)
        elif isinstance(each, exp.And):
            pending += [each.right, each.left]
        elif isinstance(each, exp.Not) and isinstance(bare(each.this), exp.In):
            # Looking for rows without a match compares the same columns.
            pending.append(each.this)
        else:
            yield each


def _compared(condition: exp.Expr) -> Iterator[_Sides]:
    """Yield the two sides of each equality in a condition."""
    if isinstance(condition, exp.In) and condition.args.get("query") is not None:
        yield from _pairs(condition.this, condition.args["query"])
    elif isinstance(condition, exp.EQ | exp.NullSafeEQ):
        yield from _pairs(condition.left, condition.right)
    elif isinstance(condition, exp.Not) and isinstance(denied := bare(condition.this), exp.NullSafeNEQ):
        # PostgreSQL prints IS NOT DISTINCT FROM so.
        yield from _pairs(denied.left, denied.right)


def _pairs(left: exp.Expr, right: exp.Expr) -> Iterator[_Sides]:
    ones, others = _parts(left), _parts(right)
    if len(ones) == len(others):
        yield from zip(ones, others, strict=True)


def _parts(side: exp.Expr) -> Sequence[exp.Expr]:
    """Return the columns of a row, or of what a subquery selects."""
    while isinstance(side, exp.Any | exp.Subquery):
        side = side.this
    if isinstance(side, exp.Tuple):
        return [bare(each) for each in side.expressions]
    if isinstance(side, exp.Select):
        return [bare(each) for each in side.selects]
    return [bare(side)]


def _traced(group: Iterable[_Sides], scope: Scope, origins: Origins) -> Iterator[Equality]:
    for left, right in group:
        if isinstance(left, exp.Column) and isinstance(right, exp.Column):
            one, other = (origins.of(_scope_of(each, scope), each) for each in (left, right))
            if one and other:
                yield one, other


def _scope_of(column: exp.Column, scope: Scope) -> Scope:
    """Return the scope that a column stands in: this one, or a subquery compared with."""
    select = column.find_ancestor(exp.Select)
    return next((inner for inner in scope.subquery_scopes if inner.expression is select), scope)


def _by_name(join: exp.Join, scope: Scope, origins: Origins) -> Iterator[tuple[Equality, ...]]:
    """Yield what JOIN … USING compares: each source before it that has all the columns, with the one joined."""
    names = [each.name for each in join.args["using"]]
    right = join.alias_or_name
    for left in scope.selected_sources:
        if left == right:
            break
        columns = [(exp.column(name, table=left), exp.column(name, table=right)) for name in names]
        pairs = tuple((origins.of(scope, one), origins.of(scope, other)) for one, other in columns)
        if all(one and other for one, other in pairs):
            yield pairs
