"""One column as a line of schema.ts. Pure."""

from collections.abc import Iterator

from holdfastd.catalog.model import OwnedSequence
from holdfastd.catalog.outline import ColumnOutline, IndexOutline, TableOutline
from holdfastd.exports.drizzle.scope import Scope
from holdfastd.exports.drizzle.text import comment, options, string
from holdfastd.exports.sql_literals import (
    SAFE_INTEGER,
    changed_options,
    is_next_of_own,
    is_serial,
    number_of,
    sequence_name,
    string_of,
)
from holdfastd.exports.sql_types import SqlType, parse_type

#: SQL type -> builder without options.
_PLAIN = {
    **{name: name for name in ("smallint", "integer", "boolean", "text", "real", "json", "jsonb", "uuid", "date")},
    **{name: name for name in ("inet", "cidr", "macaddr", "macaddr8", "point", "line")},
    "double precision": "doublePrecision",
}
_LENGTH = {"character varying": "varchar", "character": "char"}
_SERIAL = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
#: What drizzle takes as text unless told otherwise.
_AS_TEXT = ("date", "time ", "interval")
_TEXTS = {"text", "character varying", "character", "bpchar"}
_SEQUENCE_OPTIONS = {
    "start": "startWith",
    "increment": "increment",
    "minimum": "minValue",
    "maximum": "maxValue",
    "cache": "cache",
    "cycles": "cycle",
}


def render_column(table: TableOutline, column: ColumnOutline, scope: Scope) -> Iterator[str]:
    """Yield the lines of a column, comments first."""
    yield from (comment(line) for line in column.comment.splitlines()[:1] if line.strip())
    type_ = parse_type(column)
    place = f"{table.name}.{column.name}"
    if column.collation:
        yield scope.note(place, f"COLLATE {column.collation}")
    if column.generated == "v":
        yield scope.note(place, "it is VIRTUAL; drizzle-kit makes STORED ones")
    if type_.schema not in {"", "public"} and not type_.enum_labels:
        yield scope.note(place, f"drizzle-kit writes the type {type_.text} without its schema")
    if type_.text == '"char"':
        yield scope.note(place, 'drizzle-kit writes the type "char" as character(1)')
    yield f"{scope.columns[table.name][column.name]}: {_expression(table, column, type_, scope)},"


def _expression(table: TableOutline, column: ColumnOutline, type_: SqlType, scope: Scope) -> str:
    serial = is_serial(table.name, column)
    made = _builder(column, type_, scope, serial=serial) + (".array()" if type_.is_array else "")
    is_key = table.primary_key == (column.name,)
    made += ".primaryKey()" if is_key else ".notNull()" if column.not_null and not column.identity else ""
    if column.identity:
        # Identity columns are NOT NULL by themselves.
        kind = "generatedAlwaysAsIdentity" if column.identity == "a" else "generatedByDefaultAsIdentity"
        owned = column.sequence.name if column.sequence is not None else ""
        name = "" if owned == sequence_name(table.name, column.name) else owned
        made += f".{kind}({sequence_options(column.sequence, column.type, name=name)})"
    elif column.generated:
        made += f".generatedAlwaysAs({scope.sql(column.default or '')})"
    elif column.default is not None and not serial:
        made += _default(column.default, type_, scope)
    return made + _unique(table, column)


def _builder(column: ColumnOutline, type_: SqlType, scope: Scope, *, serial: bool) -> str:
    name = string(column.name)
    if type_.enum_labels:
        return f"{scope.enums[type_.schema, type_.name]}({name})"
    if type_.schema:
        if type_.name == "vector" and type_.arguments:
            return f"{scope.builder('vector')}({name}, {{ dimensions: {type_.arguments[0]} }})"
        return f"{scope.custom_type(type_)}({name})"
    if serial:
        mode = ', { mode: "number" }' if type_.name == "bigint" else ""
        return f"{scope.builder(_SERIAL[type_.name])}({name}{mode})"
    builder, configured = _built_in(type_)
    if not builder:
        return f"{scope.custom_type(type_)}({name})"
    return f"{scope.builder(builder)}({name}{', ' + configured if configured else ''})"


def _built_in(type_: SqlType) -> tuple[str, str]:
    """Return drizzle's builder of a type of PostgreSQL's own, and its options; an empty builder when it has none."""
    arguments = [str(argument) for argument in type_.arguments]
    first = arguments[0] if arguments else ""
    base, _, zone = type_.name.partition(" with")
    precision = {"precision": first} if first else {}
    if type_.name in _LENGTH:
        return _LENGTH[type_.name], options({"length": first} if first else {})
    if base in {"timestamp", "time"}:
        return base, options(precision | ({"withTimezone": "true"} if zone == " time zone" else {}))
    if base.partition(" ")[0] == "interval":
        fields = base.removeprefix("interval").strip()
        return "interval", options(({"fields": string(fields)} if fields else {}) | precision)
    return {
        "bigint": ("bigint", '{ mode: "number" }'),
        "bit": ("bit", options({"dimensions": first or "1"})),
        # A negative scale has no words in drizzle.
        "numeric": ("" if "-" in "".join(arguments) else "numeric", options(dict(zip(("precision", "scale"), arguments, strict=False)))),
    }.get(type_.name, (_PLAIN.get(type_.name, ""), ""))


def _default(default: str, type_: SqlType, scope: Scope) -> str:
    is_empty_array = type_.is_array and default.partition("::")[0] == "'{}'"
    literal = ".default([])" if is_empty_array else None if type_.is_array else _literal(default, type_)
    if literal is not None:
        return literal
    return f".default({scope.sql(default)})"


def _literal(default: str, type_: SqlType) -> str | None:
    """Return the call for a default that is a plain value of its type; None for other expressions."""
    value: str | None = None
    if (type_.name, default) == ("uuid", "gen_random_uuid()"):
        return ".defaultRandom()"
    if default == "now()" and type_.name in {"timestamp with time zone", "timestamp without time zone"}:
        return ".defaultNow()"
    if type_.name == "boolean" and default in {"true", "false"}:
        value = default
    elif type_.name in {"smallint", "integer", "bigint"}:
        number = number_of(default)
        value = str(int(number)) if number is not None and "." not in number and abs(int(number)) <= SAFE_INTEGER else None
    elif type_.name == "numeric":
        number = number_of(default)
        value = string(number) if number is not None else None
    elif type_.name in {"real", "double precision"}:
        value = number_of(default)
    elif type_.enum_labels or type_.name in _TEXTS or (not type_.schema and type_.name.startswith(_AS_TEXT)):
        written = string_of(default)
        value = string(written) if written is not None and written in (type_.enum_labels or (written,)) else None
    return None if value is None else f".default({value})"


def sequence_options(sequence: OwnedSequence | None, type_name: str, *, name: str = "") -> str:
    """Return what is unusual about a sequence for a type, as an object literal; empty for nothing. `name`: where it is to be told."""
    found = {_SEQUENCE_OPTIONS[option]: _number(value) for option, value in changed_options(sequence, type_name).items()}
    return options(({"name": string(name)} if name else {}) | found)


def _number(value: int) -> str:
    return str(value).lower() if abs(value) <= SAFE_INTEGER else string(str(value))


def own_sequence(table: TableOutline, column: ColumnOutline) -> bool:
    """Tell whether a column takes its numbers from a sequence of its own that `serial` would not make."""
    return is_next_of_own(column) and not column.identity and not is_serial(table.name, column)


def unique_at_column(table: TableOutline, column: str) -> IndexOutline | None:
    """Return the UNIQUE constraint that stands at a column; drizzle has room for one."""
    found = (index for index in table.indexes if index.columns == (column,) and index.constraint_name and not index.is_primary)
    return next(found, None)


def _unique(table: TableOutline, column: ColumnOutline) -> str:
    index = unique_at_column(table, column.name)
    if index is None:
        return ""
    return f".unique({string(index.name)}{', { nulls: ' + string('not distinct') + ' }' if index.nulls_not_distinct else ''})"
