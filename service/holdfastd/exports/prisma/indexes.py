"""Keys and indexes of a table as attributes of a Prisma model or its fields. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfastd.catalog.outline import IndexOutline, TableOutline
from holdfastd.exports.index_parts import IndexPart, parse_index
from holdfastd.exports.prisma.scope import Scope
from holdfastd.exports.prisma.text import listed, string
from holdfastd.names import MAX_NAME_BYTES

_METHODS = {"hash": "Hash", "gin": "Gin", "gist": "Gist", "spgist": "SpGist", "brin": "Brin"}
#: Operator classes that Prisma has its own words for.
_OPERATORS = {"jsonb_path_ops": "JsonbPathOps"}
#: Prisma asks for an operator class unless it knows that the field's type has one.
_CHOOSY = {"gin", "gist", "spgist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expressed:
    """What of a table's indexes Prisma can say."""

    #: Field's column -> attribute.
    fields: dict[str, list[str]]
    #: Attributes of the model, and comments.
    lines: list[str]
    #: Columns of each unique key, in its order: what a relation may reference.
    unique: list[tuple[str, ...]]


def express(table: TableOutline, scope: Scope) -> Expressed:
    """Return the attributes of keys and indexes."""
    found = Expressed(fields={}, lines=[], unique=[])
    exclusions = {name for name, _ in table.exclusions}
    for index in sorted(table.indexes, key=lambda index: (not index.is_primary, not index.is_unique, index.name)):
        if index.name in exclusions:
            continue
        hindrance = _hindrance(table, index, scope)
        if hindrance:
            found.lines.append(scope.note(f"{table.name}, {index.name}", f"{hindrance}: {index.definition}"))
            continue
        found.lines.extend(scope.note(table.name, f"{what} of {index.name}") for what in _lost(index))
        _add(table, index, scope, found)
    return found


def _add(table: TableOutline, index: IndexOutline, scope: Scope, found: Expressed) -> None:
    columns = tuple(column for column in index.columns if column is not None)
    parts = parse_index(index)
    kind = "id" if index.is_primary else "unique" if index.is_unique else "index"
    named = "" if index.name == _usual_name(table, columns, kind) else f"map: {string(index.name)}"
    if index.is_unique:
        found.unique.append(columns)
    if kind != "index" and len(columns) == 1 and not parts[0].descending:
        found.fields.setdefault(columns[0], []).append(f"@{kind}{f'({named})' if named else ''}")
        return
    method = f"type: {_METHODS[index.method]}" if index.method in _METHODS else ""
    given = [listed(_part(table, part, scope) for part in parts), *filter(None, (method, named))]
    found.lines.append(f"@@{kind}({', '.join(given)})")


def _part(table: TableOutline, part: IndexPart, scope: Scope) -> str:
    options = [f"ops: {_OPERATORS.get(part.operators) or f'raw({string(part.operators)})'}"] if part.operators else []
    options += ["sort: Desc"] if part.descending else []
    name = scope.fields[table.name][part.column or ""]
    return f"{name}({', '.join(options)})" if options else name


def _usual_name(table: TableOutline, columns: tuple[str, ...], kind: str) -> str:
    name = "_".join((table.name.name, *columns, {"unique": "key", "index": "idx"}.get(kind, "")))
    name = f"{table.name.name}_pkey" if kind == "id" else name
    # Longer ones Prisma cuts by rules of its own.
    return name if len(name.encode()) <= MAX_NAME_BYTES else ""


def _hindrance(table: TableOutline, index: IndexOutline, scope: Scope) -> str:
    """Return why Prisma cannot say an index at all; empty when it can."""
    types = [scope.types[table.name][column] for column in index.columns if column is not None]
    parts = parse_index(index)
    is_expression = any(part.column is None for part in parts)
    is_plain = not is_expression and any(type_.is_supported and not part.operators for type_, part in zip(types, parts, strict=True))
    hindrances = {
        "an invalid index": not index.is_usable,
        "a partial index": index.predicate is not None,
        "an index on an expression": is_expression,
        f"an index of method {index.method}": index.method not in {"btree", *_METHODS},
        f"a {index.method} index on such a type": index.method in _CHOOSY and is_plain and not _has_own_operators(table, index, scope),
        "a key with a type that Prisma does not know": index.is_unique and not all(type_.is_supported for type_ in types),
    }
    return next((hindrance for hindrance, is_so in hindrances.items() if is_so), "")


def _has_own_operators(table: TableOutline, index: IndexOutline, scope: Scope) -> bool:
    arrays = {column.name for column in table.columns if column.type.endswith("[]")}
    return index.method == "gin" and all(
        column in arrays or scope.types[table.name][column or ""].name == "Json" for column in index.columns
    )


def _lost(index: IndexOutline) -> Iterator[str]:
    """Yield what an attribute leaves out."""
    if index.included_columns:
        yield f"INCLUDE ({', '.join(index.included_columns)})"
    if index.nulls_not_distinct:
        yield "NULLS NOT DISTINCT"
    if index.is_deferrable:
        yield "DEFERRABLE"
    if any(part.nulls_first != part.descending for part in parse_index(index)):
        yield "the order of NULLS"
