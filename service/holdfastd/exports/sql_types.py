"""Types as PostgreSQL prints them, taken apart. Pure: in comes `timestamp(3) with time zone[]`, out go its parts."""

import re
from dataclasses import dataclass

from holdfastd.catalog.outline import ColumnOutline

_BUILT_IN = re.compile(r"(?P<name>[a-z][a-z0-9_]*(?: [a-z]+)*)(?:\((?P<arguments>-?\d+(?:,-?\d+)?)\))?(?P<zone> with(?:out)? time zone)?\Z")
_QUALIFIED = re.compile(r'(?P<schema>"(?:[^"]|"")+"|[^".]+)\.(?P<name>"(?:[^"]|"")+"|[^".()]+)(?:\((?P<arguments>[^()]*)\))?\Z')
_ARRAY = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlType:
    """A column's type."""

    #: Empty for types of PostgreSQL itself.
    schema: str
    #: Unquoted, without modifiers: `character varying`, `timestamp with time zone`.
    name: str
    arguments: tuple[int, ...] = ()
    is_array: bool = False
    #: Of an enum or an array of one.
    enum_labels: tuple[str, ...] = ()
    #: As PostgreSQL prints it, without the array's brackets.
    text: str = ""


def parse_type(column: ColumnOutline) -> SqlType:
    """Return the parts of a column's type."""
    is_array = column.type.endswith(_ARRAY)
    text = column.type.removesuffix(_ARRAY)
    if match := _QUALIFIED.match(text):
        schema, name = _bare(match["schema"]), _bare(match["name"])
        # The labels of a domain over an enum are the enum's: only its own type declares them.
        is_enum = (schema, f"_{name}" if is_array else name) == (column.base_schema, column.base_name) or (
            is_array and column.category == "A"
        )
        labels = column.enum_labels if is_enum else ()
        return SqlType(schema=schema, name=name, arguments=_numbers(match["arguments"]), is_array=is_array, enum_labels=labels, text=text)
    match = _BUILT_IN.match(text)
    if match is None:
        return SqlType(schema="", name=text, is_array=is_array, text=text)
    return SqlType(
        schema="", name=match["name"] + (match["zone"] or ""), arguments=_numbers(match["arguments"]), is_array=is_array, text=text
    )


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _numbers(arguments: str | None) -> tuple[int, ...]:
    parts = (arguments or "").split(",")
    return tuple(int(part) for part in parts) if all(re.fullmatch(r"-?\d+", part) for part in parts) else ()
