"""Rails: in comes a schema.rb, out comes what its references and foreign keys declare. It is parsed, never run.

Names that Rails derives (`user` → `users`, `users` → `user_id`) are taken only when the file has such a table or column.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tree_sitter import Node

from holdfast.intent.files import Source
from holdfast.intent.inflection import plurals, singulars
from holdfast.intent.model import Columns, Draft, Intent, action, place, split_name
from holdfast.intent.trees import RUBY, arguments, line, parse, string, text, walk
from holdfast.v1.core_pb2 import ON_DELETE_SET_NULL, ON_DELETE_UNSPECIFIED, OnDelete

_REFERENCES = frozenset({"references", "belongs_to"})
_ADD_REFERENCE = frozenset({"add_reference", "add_belongs_to"})
#: Methods of a table that are no columns.
_NO_COLUMNS = frozenset({"index", "check_constraint", "exclusion_constraint", "unique_constraint", "foreign_key", "timestamps"})


class Statement(NamedTuple):
    """`t.references "user", foreign_key: { to_table: "people" }` of a table, or `add_foreign_key "orders", "users"`."""

    method: str
    table: str
    names: tuple[str, ...]
    options: Mapping[str, Node]
    origin: str


@dataclass(slots=True)
class Tables:
    """What a schema creates: tables, their columns, and every statement about keys."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)


def from_rails(sources: Sequence[Source], *, name: str = "rails") -> Intent:
    """Return what a schema.rb declares."""
    draft, tables = Draft(), Tables()
    for source in sources:
        for node in walk(parse(source.text, RUBY)):
            if node.type == "call":
                _note(tables, source.path, node)
    for each in tables.statements:
        if each.method == "add_foreign_key":
            _read_key(tables, each, draft)
        else:
            _read_reference(tables, each, draft)
    return draft.finish(name)


def _note(tables: Tables, path: str, call: Node) -> None:
    """Take a statement of the schema itself; what stands inside of create_table is taken with it."""
    method = text(call.child_by_field_name("method"))
    names, options = _given(call)
    if call.child_by_field_name("receiver") is not None or not names:
        return
    if method == "create_table":
        _note_table(tables, path, call, names[0], options)
    elif method == "add_foreign_key":
        tables.statements.append(Statement(method, names[0], names[1:], options, place(path, line(call))))
    elif method in _ADD_REFERENCE:
        tables.statements.append(Statement(method, names[0], names[1:], options, place(path, line(call))))
        tables.columns.setdefault(names[0], set()).update(f"{each}_id" for each in names[1:])


def _note_table(tables: Tables, path: str, call: Node, table: str, options: Mapping[str, Node]) -> None:
    columns = tables.columns.setdefault(table, set())
    if text(options.get("id")) != "false":
        columns.add(_word(options.get("primary_key")) or "id")
    block = call.child_by_field_name("block")
    body = block.child_by_field_name("body") if block is not None else None
    # What is nested deeper is no schema that Rails would dump.
    for inner in body.named_children if body is not None else ():
        if inner.type != "call" or inner.child_by_field_name("receiver") is None:
            continue
        method = text(inner.child_by_field_name("method"))
        names, stated = _given(inner)
        if method in _REFERENCES:
            columns.update(f"{each}_id" for each in names)
            tables.statements.append(Statement(method, table, names, stated, place(path, line(inner))))
        elif method not in _NO_COLUMNS:
            columns.update(names[-1:] if method == "column" and len(names) > 1 else names[:1])
            columns.update(names[:1])


def _given(call: Node) -> tuple[tuple[str, ...], dict[str, Node]]:
    """Return the names and the options of a call."""
    names: list[str] = []
    options: dict[str, Node] = {}
    for each in arguments(call):
        if each.type == "pair":
            options.update(_pair(each))
        elif each.type == "hash":
            options.update(_options(each))
        elif word := _word(each):
            names.append(word)
    return tuple(names), options


def _options(node: Node | None) -> Iterator[tuple[str, Node]]:
    for each in node.named_children if node is not None and node.type == "hash" else ():
        if each.type == "pair":
            yield from _pair(each)


def _pair(node: Node) -> Iterator[tuple[str, Node]]:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if key is not None and value is not None:
        yield (_word(key) or text(key)).strip(":"), value


def _word(node: Node | None) -> str:
    """Return what a string or a symbol says; empty for anything else."""
    if node is None:
        return ""
    if node.type in {"simple_symbol", "delimited_symbol"}:
        return text(node).lstrip(":").strip("\"'")
    return string(node) or ""


def _columns(table: str, *columns: str) -> Columns:
    schema, name = split_name(table)
    return Columns(schema, name, tuple(each for each in columns if each))


def _action(options: Mapping[str, Node]) -> OnDelete.ValueType:
    word = _word(options.get("on_delete"))
    return ON_DELETE_SET_NULL if word == "nullify" else action(word) if word else ON_DELETE_UNSPECIFIED


def _read_key(tables: Tables, statement: Statement, draft: Draft) -> None:
    """`add_foreign_key "orders", "users", column: "buyer_id", primary_key: "uuid", on_delete: :cascade`."""
    _, table, names, options, origin = statement
    if not names:
        draft.skip(origin, f"a foreign key of {table} does not say to which table")
        return
    columns, keys = _listed(options.get("column")), _listed(options.get("primary_key"))
    if not columns:
        last = split_name(names[0])[1]
        known = tables.columns.get(table, set())
        columns = tuple(f"{each}_id" for each in singulars(last) if f"{each}_id" in known)[:1]
    if not columns:
        draft.skip(origin, f"which column of {table} references {names[0]} is not said, and none is named after it")
        return
    draft.add(_columns(table, *columns), _columns(names[0], *keys), origin, _action(options))


def _listed(node: Node | None) -> tuple[str, ...]:
    """Return one name or a list of them."""
    if node is not None and node.type in {"array", "string_array", "symbol_array"}:
        return tuple(_word(each) or text(each) for each in node.named_children)
    word = _word(node)
    return (word,) if word else ()


def _read_reference(tables: Tables, statement: Statement, draft: Draft) -> None:
    """`t.references "user", foreign_key: { to_table: "people", on_delete: :cascade }`."""
    _, table, names, options, origin = statement
    polymorphic = options.get("polymorphic")
    if polymorphic is not None and text(polymorphic) not in {"false", "nil"}:
        return
    stated = dict(_options(options.get("foreign_key")))
    for name in names:
        goal = _word(stated.get("to_table")) or _table_of(tables, table, name)
        if not goal:
            draft.skip(origin, f"no table of this file is named after {name}_id of {table}; to_table would say which")
            continue
        column = _word(stated.get("column")) or f"{name}_id"
        draft.add(_columns(table, column), _columns(goal, *_listed(stated.get("primary_key"))), origin, _action(stated))


def _table_of(tables: Tables, table: str, name: str) -> str:
    """Return the table that a reference is named after, of the same schema first; empty when the file has none."""
    schema = split_name(table)[0]
    guesses = plurals(name)
    places = (*(f"{schema}.{each}" for each in guesses if schema), *guesses)
    return next((each for each in places if each in tables.columns), "")
