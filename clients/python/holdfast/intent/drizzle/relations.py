"""Relations of Drizzle's query builder: in come calls of relations() and defineRelations(), out comes which columns reference which key.

A relation may be written on either side: the side that is a key is the one pointed at.
"""

from collections.abc import Iterable, Sequence

from tree_sitter import Node

from holdfast.intent.drizzle.modules import Module
from holdfast.intent.drizzle.schema import Place, Schema
from holdfast.intent.model import Draft, place
from holdfast.intent.trees import arguments, callee, chain, dotted, line, pairs, returned


def read_relations(schema: Schema, module: Module, call: Node, draft: Draft) -> None:
    """`relations(orders, ({ one }) => ({ driver: one(drivers, { fields: [orders.driverId], references: [drivers.id] }) }))`."""
    given = arguments(call)
    for name, value in pairs(returned(given[1])) if len(given) > 1 else ():
        one = value if value.type == "call_expression" else None
        stated = dict(pairs(arguments(one)[1])) if one is not None and len(arguments(one)) > 1 else {}
        if one is None or "fields" not in stated:
            continue
        origin = place(module.path, line(one))
        ours = [schema.column(module, dotted(each)) for each in _items(stated["fields"])]
        theirs = [schema.column(module, dotted(each)) for each in _items(stated.get("references"))]
        _add(schema, ours, theirs, origin, f"relation {name} of {'.'.join(dotted(given[0]))}", draft)


def _items(node: Node | None) -> Iterable[Node]:
    if node is None:
        return ()
    return node.named_children if node.type == "array" else (node,)


def _add(schema: Schema, ours: Sequence[Place | None], theirs: Sequence[Place | None], origin: str, what: str, draft: Draft) -> None:
    if _is_turned(ours, theirs):
        ours, theirs = theirs, ours
    referencing, referenced = schema.together(ours), schema.together(theirs)
    if referencing is None or referenced is None:
        draft.skip(origin, f"{what} names columns that are not in these files")
    else:
        draft.add(referencing, referenced, origin)


def _is_turned(ours: Sequence[Place | None], theirs: Sequence[Place | None]) -> bool:
    """Tell whether a relation is written on the side that is pointed at."""
    mine, other = [each for each in ours if each is not None], [each for each in theirs if each is not None]
    if not mine or not other:
        return False
    own, goal = mine[0][0], other[0][0]
    our_names, their_names = [each[1] for each in mine], [each[1] for each in other]
    if set(their_names) == set(goal.key):
        return False
    return set(our_names) == set(own.key) or (own.is_key(our_names) and not goal.is_key(their_names))


def read_defined(schema: Schema, module: Module, call: Node, draft: Draft) -> None:
    """`defineRelations(schema, (r) => ({ orders: { driver: r.one.drivers({ from: r.orders.driverId, to: r.drivers.id }) } }))`."""
    given = arguments(call)
    for table, relations in pairs(returned(given[1])) if len(given) > 1 else ():
        for name, value in pairs(relations):
            names = dotted(value.child_by_field_name("function")) if value.type == "call_expression" else ()
            if len(names) > 2 and names[-2] in {"one", "many"}:  # noqa: PLR2004 (r.one.table)
                stated = dict(pairs(next(iter(arguments(value)), None)))
                _read_defined(schema, module, value, stated, f"relation {name} of {table}", draft)


def _read_defined(schema: Schema, module: Module, call: Node, stated: dict[str, Node], what: str, draft: Draft) -> None:
    origin = place(module.path, line(call))
    if "from" not in stated or "to" not in stated:
        return
    if "where" in stated:
        draft.skip(origin, f"{what} holds for some rows only")
        return
    ours, ours_through = _ends(schema, module, stated["from"])
    theirs, theirs_through = _ends(schema, module, stated["to"])
    if ours_through or theirs_through:
        for through, goal in ((ours_through, ours), (theirs_through, theirs)):
            _add(schema, through, goal, origin, what, draft)
    else:
        _add(schema, ours, theirs, origin, what, draft)


def _ends(schema: Schema, module: Module, node: Node) -> tuple[list[Place | None], list[Place | None]]:
    """Return the columns of `r.orders.driverId` or a list of them, and those of the table in between: `r.tags.id.through(r.x.tagId)`."""
    direct: list[Place | None] = []
    between: list[Place | None] = []
    for each in _items(node):
        calls = chain(each)
        if calls and callee(calls[-1]) == "through":
            function = calls[-1].child_by_field_name("function")
            direct.append(_place(schema, module, dotted(function)[:-1]))
            between += [_place(schema, module, dotted(given)) for given in arguments(calls[-1])[:1]]
        else:
            direct.append(_place(schema, module, dotted(each)))
    return direct, between


def _place(schema: Schema, module: Module, names: Sequence[str]) -> Place | None:
    """Return the column of `r.orders.driverId`: the first name is the parameter."""
    return schema.column(module, names[-2:]) if len(names) > 2 else None  # noqa: PLR2004
