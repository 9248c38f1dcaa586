"""Foreign keys as relation fields on both models. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.outline import KeyOutline, TableOutline
from holdfastd.exports.joins import Join
from holdfastd.exports.prisma.indexes import Expressed
from holdfastd.exports.prisma.scope import Scope
from holdfastd.exports.prisma.text import Line, listed, string
from holdfastd.exports.unexpressed import unexpressed
from holdfastd.names import MAX_NAME_BYTES, TableName

_ACTIONS = {
    OnDelete.NO_ACTION: "NoAction",
    OnDelete.RESTRICT: "Restrict",
    OnDelete.CASCADE: "Cascade",
    OnDelete.SET_NULL: "SetNull",
    OnDelete.SET_DEFAULT: "SetDefault",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationFields:
    """Lines that a relation adds to one of its models."""

    lines: tuple[Line, ...]


def relate(
    tables: Sequence[TableOutline],
    joins: Sequence[Join],
    indexes: Mapping[TableName, Expressed],
    ignored: Collection[TableName],
    scope: Scope,
) -> dict[TableName, list[RelationFields]]:
    """Return the relation fields of every table: what it references first, then what references it."""
    known = {table.name: table for table in tables}
    found: dict[TableName, list[RelationFields]] = defaultdict(list)
    backwards: dict[TableName, list[RelationFields]] = defaultdict(list)
    for join in joins:
        key = join.key
        hindrance = _hindrance(key, indexes, scope)
        if hindrance:
            note = scope.note(f"{key.referencing.table}, {key.name}", f"{hindrance}: ON DELETE {key.on_delete}")
            found[key.referencing.table].append(RelationFields(lines=(note,)))
            continue
        notes = tuple(scope.note(f"{key.referencing.table}, {key.name}", what) for what in unexpressed(key))
        forward = _forward(join, known[key.referencing.table], indexes, scope, is_ignored=key.referenced.table in ignored)
        found[key.referencing.table].append(RelationFields(lines=(*notes, forward)))
        backward = _backward(join, scope, is_ignored=key.referencing.table in ignored)
        backwards[key.referenced.table].append(RelationFields(lines=(backward,)))
    return {table.name: [*found[table.name], *backwards[table.name]] for table in tables}


def _forward(join: Join, table: TableOutline, indexes: Mapping[TableName, Expressed], scope: Scope, *, is_ignored: bool) -> Line:
    key = join.key
    pairs = dict(zip(key.referenced.columns, key.referencing.columns, strict=True))
    # Prisma asks for the order of the key that is referenced: our own where a key has it.
    keys = [columns for columns in indexes[key.referenced.table].unique if set(columns) == set(pairs)]
    ordered = key.referenced.columns if key.referenced.columns in keys else keys[0]
    fields = listed(scope.fields[table.name][pairs[column]] for column in ordered)
    references = listed(scope.fields[key.referenced.table][column] for column in ordered)
    usual = "_".join((table.name.name, *(pairs[column] for column in ordered), "fkey"))
    given = [
        string(join.name) if join.name else "",
        f"fields: {fields}",
        f"references: {references}",
        f"onDelete: {_ACTIONS[key.on_delete]}",
        f"onUpdate: {_ACTIONS[key.on_update]}",
        f"map: {string(key.name)}" if key.name != usual or len(usual.encode()) > MAX_NAME_BYTES else "",
    ]
    nullable = any(not column.not_null for column in table.columns if column.name in key.referencing.columns)
    attributes = f"@relation({', '.join(filter(None, given))}){' @ignore' if is_ignored else ''}"
    return (join.forward, scope.models[key.referenced.table] + ("?" if nullable else ""), attributes)


def _backward(join: Join, scope: Scope, *, is_ignored: bool) -> Line:
    named = f"@relation({string(join.name)})" if join.name else ""
    model = scope.models[join.key.referencing.table]
    return (join.backward, model + ("?" if join.is_one else "[]"), " ".join(filter(None, (named, "@ignore" if is_ignored else ""))))


def _hindrance(key: KeyOutline, indexes: Mapping[TableName, Expressed], scope: Scope) -> str:
    """Return why Prisma cannot say a key; empty when it can."""
    sides = [
        (scope.types[key.referencing.table][one].name, scope.types[key.referenced.table][other].name)
        for one, other in zip(key.referencing.columns, key.referenced.columns, strict=True)
    ]
    if any(one != other for one, other in sides):
        return f"a key to {key.referenced} between types that Prisma keeps apart"
    if not any(set(columns) == set(key.referenced.columns) for columns in indexes[key.referenced.table].unique):
        return f"a key to {key.referenced}, which is no unique key in Prisma's words"
    return ""
