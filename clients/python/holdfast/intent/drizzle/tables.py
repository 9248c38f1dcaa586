"""The tables of a Drizzle schema: in comes what files define, out come tables with their columns' names in the database."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from holdfast.intent.drizzle.modules import Module
from holdfast.intent.model import Columns, Draft, place
from holdfast.intent.trees import (
    arguments,
    callee,
    chain,
    dotted,
    line,
    pairs,
    parameters,
    returned,
    spreads,
    string,
    text,
    unwrapped,
    walk,
)

_WORD = re.compile(r"[\da-z]+|[A-Z]+(?![a-z])|[A-Z][\da-z]+")
_OTHERS = frozenset({"mysqlTable", "sqliteTable", "singlestoreTable", "mssqlTable", "mysqlTableCreator", "sqliteTableCreator"})

Casing = Callable[[str], str]


@dataclass(slots=True, kw_only=True)
class Table:
    """A table as the code knows it."""

    module: Module
    #: The name of the constant.
    variable: str
    schema: str
    name: str
    line: int
    #: Property -> name in the database, and the expression that defines it.
    columns: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, Node] = field(default_factory=dict)
    #: Properties of the primary key.
    key: tuple[str, ...] = ()
    #: Properties that alone identify a row.
    unique: set[str] = field(default_factory=set)
    #: The function or object of constraints and indexes.
    extra: Node | None = None

    def named(self, properties: Sequence[str]) -> Columns | None:
        """Return columns by their properties; None when one is unknown."""
        if not all(each in self.columns for each in properties):
            return None
        return Columns(self.schema, self.name, tuple(self.columns[each] for each in properties))

    def is_key(self, properties: Sequence[str]) -> bool:
        """Tell whether the properties are the primary key, or one that is unique."""
        return set(properties) == set(self.key) or (len(properties) == 1 and properties[0] in self.unique)


def snake_case(name: str) -> str:
    """Return a property's name as Drizzle's casing "snake_case" does."""
    return "_".join(_WORD.findall(name.replace("'", "").replace("\u2019", ""))).lower()


def camel_case(name: str) -> str:
    """Return a property's name as Drizzle's casing "camelCase" does."""
    words = _WORD.findall(name.replace("'", "").replace("\u2019", ""))
    return "".join(word.lower() if not place else word[0].upper() + word[1:] for place, word in enumerate(words))


CASINGS: Mapping[str, Casing] = {"": lambda name: name, "snake_case": snake_case, "camelCase": camel_case}


def find_tables(module: Module, modules: Mapping[str, Module], casing: Casing, draft: Draft) -> Iterator[Table]:
    """Yield the tables that a file defines; those whose name cannot be told are noted."""
    for name, value in module.constants.items():
        # `pgTable(…).enableRLS()` is still that table.
        for call in chain(value)[:1]:
            origin, called = place(module.path, line(call)), module.original(callee(call))
            if called in _OTHERS:
                draft.skip(origin, f"{name} is not of PostgreSQL ({called})")
                continue
            title = _title(module, call, called)
            if title is None:
                continue
            schema, table_name = title
            if not table_name:
                draft.skip(origin, f"the name of table {name} is computed")
                continue
            yield _table(module, modules, name, schema, table_name, call, casing)


def _title(module: Module, call: Node, called: str) -> tuple[str, str] | None:
    """Return schema and name of the table that a call makes, an empty name when it is computed; None when it makes none."""
    given = arguments(call)
    named = string(given[0]) if given else None
    names = dotted(call.child_by_field_name("function"))
    if called == "pgTable":
        return "", named or ""
    if len(names) > 1 and called == "table":
        owner = module.constants.get(names[-2]) or module.imported_constant(names[-2])
        made = chain(owner)[:1]
        if made and module.original(callee(made[0])) in {"pgSchema", "pgTableCreator"}:
            return string(next(iter(arguments(made[0])), None)) or "", named or ""
        return ("", named or "") if names[-2] in {"snakeCase", "camelCase"} else None
    if len(names) != 1:
        return None
    maker = module.constants.get(names[0]) or module.imported_constant(names[0])
    made = chain(maker)[:1]
    if made and callee(made[0]).endswith("pgTableCreator"):
        return "", _with_prefix(next(iter(arguments(made[0])), None), named or "")
    return None


def _with_prefix(function: Node | None, name: str) -> str:
    """Return what `(name) => `shop_${name}`` makes of a name; empty when that cannot be told."""
    body, own = returned(function), parameters(function) if function is not None else []
    if body is None or len(own) != 1 or not name:
        return ""
    parameter = text(own[0])
    parts: list[str | None]
    if body.type == "template_string":
        parts = [_part(each, parameter, name) for each in body.named_children]
    elif body.type == "binary_expression":
        sides = [unwrapped(body.child_by_field_name(side)) for side in ("left", "right")]
        parts = [name if text(each) == parameter else string(each) for each in sides]
    else:
        return name if text(body) == parameter else ""
    known = [each for each in parts if each is not None]
    return "".join(known) if len(known) == len(parts) else ""


def _part(node: Node, parameter: str, name: str) -> str | None:
    """Return what a part of a template says when the parameter is the name; None when that cannot be told."""
    if node.type in {"string_fragment", "escape_sequence"}:
        return text(node)
    return name if [text(inner) for inner in node.named_children] == [parameter] else None


def _table(module: Module, modules: Mapping[str, Module], variable: str, schema: str, name: str, call: Node, casing: Casing) -> Table:
    given = arguments(call)
    table = Table(module=module, variable=variable, schema=schema, name=name, line=line(call))
    for key, value in _columns(module, modules, given[1] if len(given) > 1 else None):
        calls = chain(value)
        if not calls:
            continue
        first = next(iter(arguments(calls[0])), None)
        table.columns[key] = string(first) or casing(key)
        table.definitions[key] = value
        traits = {callee(each) for each in calls[1:]}
        if "primaryKey" in traits:
            table.key = (*table.key, key)
        if "unique" in traits:
            table.unique.add(key)
    table.extra = given[2] if len(given) > 2 else None  # noqa: PLR2004 (name, columns, constraints)
    table.key = _composite_key(table.extra) or table.key
    return table


def _columns(module: Module, modules: Mapping[str, Module], node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the columns of an object, of the function that returns it, and of what is spread into it, each object once."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node.type in {"identifier", "member_expression"}:
            node = module.value_of(dotted(node), modules)
        if node is not None and node.type != "object":
            node = returned(node)
        if node is None or node.type != "object" or node.id in seen:
            continue
        seen.add(node.id)
        yield from pairs(node)
        waiting.extend(spreads(node))


def _composite_key(extra: Node | None) -> tuple[str, ...]:
    """Return the properties in `primaryKey({ columns: [t.a, t.b] })`."""
    for call in calls_of(extra, "primaryKey"):
        given = arguments(call)
        listed = dict(pairs(given[0])).get("columns") if given and given[0].type == "object" else None
        found = [names[-1] for each in (listed.named_children if listed is not None else given) if len(names := dotted(each)) > 1]
        if found:
            return tuple(found)
    return ()


def calls_of(node: Node | None, name: str) -> list[Node]:
    """Return the calls of a function below a node, those in constants of their own left out."""
    below = walk(node, without="variable_declarator") if node is not None else ()
    return [each for each in below if each.type == "call_expression" and callee(each) == name]
