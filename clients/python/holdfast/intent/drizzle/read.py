"""A Drizzle schema: in come its files, out comes what references(), foreignKey(), relations() and defineRelations() declare."""

import re
from collections.abc import Iterable, Sequence

from tree_sitter import Node

from holdfast.intent.drizzle.modules import read_modules
from holdfast.intent.drizzle.relations import read_defined, read_relations
from holdfast.intent.drizzle.schema import Schema
from holdfast.intent.drizzle.tables import CASINGS, Table, calls_of, find_tables
from holdfast.intent.files import Source
from holdfast.intent.model import Draft, Intent, action, place
from holdfast.intent.trees import arguments, callee, chain, dotted, line, pairs, returned, string, unwrapped, walk
from holdfast.v1.core_pb2 import OnDelete

#: Files without any of these say nothing about tables: most of an application's.
_TELLING = re.compile(r"drizzle-orm|able\(|elations\w*\(")
_CASING = re.compile(r"""\bcasing\s*:\s*["'](snake_case|camelCase)["']""")


def from_drizzle(sources: Sequence[Source], *, casing: str | None = None, name: str = "drizzle") -> Intent:
    """Return what a Drizzle schema of one or more files declares.

    `casing` is "snake_case", "camelCase" or "" for columns whose names are not written; None: as one of the files says.
    """
    draft = Draft()
    stated = casing if casing is not None else next((found[1] for each in sources if (found := _CASING.search(each.text))), "")
    modules = read_modules([each for each in sources if _TELLING.search(each.text)])
    tables = [table for module in modules.values() for table in find_tables(module, modules, CASINGS[stated], draft)]
    schema = Schema(tables, modules)
    for table in tables:
        _read_columns(schema, table, draft)
        _read_keys(schema, table, draft)
    for module in modules.values():
        for node in walk(module.root):
            if node.type == "call_expression":
                called = module.original(callee(node))
                if called == "relations":
                    read_relations(schema, module, node, draft)
                elif called in {"defineRelations", "defineRelationsPart"}:
                    read_defined(schema, module, node, draft)
    return draft.finish(name)


def _read_columns(schema: Schema, table: Table, draft: Draft) -> None:
    """`uuid().references(() => users.id, { onDelete: "cascade" })`."""
    for key, definition in table.definitions.items():
        for call in chain(definition)[1:]:
            if callee(call) == "references":
                origin, given = place(table.module.path, _line_of(call)), arguments(call)
                goal = schema.column(table.module, dotted(returned(given[0]))) if given else None
                ours, theirs = table.named((key,)), goal[0].named((goal[1],)) if goal else None
                if ours is None or theirs is None:
                    draft.skip(origin, f"{table.variable}.{key} references what is not in these files")
                else:
                    draft.add(ours, theirs, origin, _on_delete(given[1:]))


def _line_of(call: Node) -> int:
    """Return the line of the method's name: a chain begins many lines above."""
    function = unwrapped(call.child_by_field_name("function"))
    name = function.child_by_field_name("property") if function is not None else None
    return line(name or call)


def _read_keys(schema: Schema, table: Table, draft: Draft) -> None:
    """`foreignKey({ columns: [t.a, t.b], foreignColumns: [u.a, u.b] }).onDelete("cascade")` among the constraints of a table."""
    for call in calls_of(table.extra, "foreignKey"):
        origin = place(table.module.path, line(call))
        given = arguments(call)
        stated = dict(pairs(given[0])) if given else {}
        ours = _properties(table, stated.get("columns"))
        goals = [schema.column(table.module, dotted(each), own=table) for each in _items(stated.get("foreignColumns"))]
        referenced = schema.together(goals)
        referencing = table.named(ours) if ours else None
        if referencing is None or referenced is None:
            draft.skip(origin, f"a foreign key of {table.variable} names columns that are not in these files")
        else:
            draft.add(referencing, referenced, origin, _chained_action(call))


def _items(node: Node | None) -> Iterable[Node]:
    return node.named_children if node is not None and node.type == "array" else ()


def _properties(table: Table, node: Node | None) -> tuple[str, ...]:
    names = [dotted(each) for each in _items(node)]
    return tuple(each[-1] for each in names) if all(len(each) > 1 and each[-1] in table.columns for each in names) else ()


def _chained_action(call: Node) -> OnDelete.ValueType:
    """Return the action of `.onDelete("cascade")` after a call."""
    node = call
    while (member := node.parent) is not None and member.type == "member_expression" and (outer := member.parent) is not None:
        if callee(outer) == "onDelete" and (given := arguments(outer)):
            return action(string(given[0]) or "")
        if callee(outer) != "onUpdate":
            break
        node = outer
    return action("")


def _on_delete(given: Sequence[Node]) -> OnDelete.ValueType:
    return action(string(dict(pairs(given[0])).get("onDelete")) or "") if given else action("")
