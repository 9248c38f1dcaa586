"""One column as a field of a Prisma model: its type and its default. Pure."""

import json
from dataclasses import dataclass

from holdfastd.catalog.outline import ColumnOutline, TableOutline
from holdfastd.exports.prisma.text import string
from holdfastd.exports.sql_literals import is_next_of_own, is_serial, number_of, string_of
from holdfastd.exports.sql_types import SqlType

UNSUPPORTED = "Unsupported"
_NOW = {"now()", "CURRENT_TIMESTAMP", "transaction_timestamp()"}
#: SQL type -> Prisma's type and native type; no native type where it is the one that Prisma takes unasked.
_TYPES = {
    "smallint": ("Int", "SmallInt"),
    "integer": ("Int", ""),
    "bigint": ("BigInt", ""),
    "oid": ("Int", "Oid"),
    "numeric": ("Decimal", "Decimal"),
    "money": ("Decimal", "Money"),
    "real": ("Float", "Real"),
    "double precision": ("Float", ""),
    "boolean": ("Boolean", ""),
    "text": ("String", ""),
    "character varying": ("String", "VarChar"),
    "character": ("String", "Char"),
    "bit": ("String", "Bit"),
    "bit varying": ("String", "VarBit"),
    "uuid": ("String", "Uuid"),
    "xml": ("String", "Xml"),
    "inet": ("String", "Inet"),
    "json": ("Json", "Json"),
    "jsonb": ("Json", ""),
    "bytea": ("Bytes", ""),
    "date": ("DateTime", "Date"),
    "timestamp without time zone": ("DateTime", "Timestamp"),
    "timestamp with time zone": ("DateTime", "Timestamptz"),
    "time without time zone": ("DateTime", "Time"),
    "time with time zone": ("DateTime", "Timetz"),
}
#: Microseconds: what PostgreSQL keeps unasked, and Prisma only when told.
_PRECISION = "6"
_TIMES = {"Timestamp", "Timestamptz", "Time", "Timetz"}
_INTEGERS = {"Int", "BigInt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """The type of a field."""

    #: `String`, the name of an enum, or `Unsupported("…")`.
    name: str
    #: `@db.Uuid`; empty for none.
    native: str = ""
    #: Labels of an enum as they are spelled in the schema.
    labels: dict[str, str] | None = None

    @property
    def is_supported(self) -> bool:
        """Tell whether Prisma knows the type."""
        return not self.name.startswith(UNSUPPORTED)


def built_in(type_: SqlType) -> FieldType:
    """Return the type of a field for any SQL type but enums."""
    if type_.name == "citext" and type_.schema:
        return FieldType(name="String", native="@db.Citext")
    name, native = ("", "") if type_.schema or "-" in type_.text else _TYPES.get(type_.name, ("", ""))
    if not name:
        return FieldType(name=f"{UNSUPPORTED}({string(type_.text)})")
    arguments = ", ".join(map(str, type_.arguments)) or (_PRECISION if native in _TIMES else "")
    return FieldType(name=name, native=f"@db.{native}{f'({arguments})' if arguments else ''}" if native else "")


def default_of(table: TableOutline, column: ColumnOutline, type_: FieldType, *, is_array: bool) -> str:
    """Return the @default of a field; empty when it has none."""
    if column.generated:
        return "@default(dbgenerated())"
    if type_.name in _INTEGERS and (column.identity or is_serial(table.name, column) or is_next_of_own(column)):
        return "@default(autoincrement())"
    if column.default is None or column.default.startswith("NULL::"):
        return ""
    is_empty_array = is_array and column.default.partition("::")[0] == "'{}'"
    value = "[]" if is_empty_array else None if is_array else _literal(column.default, type_)
    return f"@default({value if value is not None else f'dbgenerated({string(column.default)})'})"


def _literal(default: str, type_: FieldType) -> str | None:
    value: str | None = None
    if type_.labels is not None:
        value = type_.labels.get(string_of(default) or "")
    elif type_.name == "DateTime" and default in _NOW:
        value = "now()"
    elif type_.name == "Boolean" and default in {"true", "false"}:
        value = default
    elif type_.name in {*_INTEGERS, "Decimal", "Float"} and type_.native != "@db.Money":
        number = number_of(default)
        value = number if number is not None and ("." not in number or type_.name not in _INTEGERS) else None
    elif type_.native in {"", "@db.Citext"} or type_.native.startswith(("@db.VarChar", "@db.Char")):
        text = string_of(default) if type_.name in {"String", "Json"} else None
        value = string(text) if text is not None and (type_.name == "String" or _is_json(text)) else None
    return value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
