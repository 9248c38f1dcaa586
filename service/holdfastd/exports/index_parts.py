"""The definition of an index, taken apart. Pure: in comes what pg_get_indexdef prints, out go its keys with order and operator class."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfastd.catalog.outline import IndexOutline
from holdfastd.names import identifier, readable

_ORDER = re.compile(r"(?: (?P<operators>[a-z_][a-z0-9_]*))?(?P<descending> DESC)?(?: NULLS (?P<nulls>FIRST|LAST))?\Z")
_METHOD = re.compile(r" USING [a-z_][a-z0-9_]* \(")
_OPTIONS = re.compile(r"\) WITH \((?P<options>[^()]*)\)(?: TABLESPACE | WHERE |\Z)")
_OPTION = re.compile(r"([a-z_]+)='?([a-z0-9.]+)'?")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPart:
    """One key of an index."""

    #: None for an expression, and for a column with a collation or with options of its operator class: then the SQL says all.
    column: str | None
    sql: str
    descending: bool = False
    nulls_first: bool = False
    #: Operator class where it is not the type's own.
    operators: str = ""


def parse_index(index: IndexOutline) -> tuple[IndexPart, ...]:
    """Return the keys of an index; what cannot be read is taken for plain columns."""
    start = _METHOD.search(_outside_quotes(index.definition))
    written = list(_split(index.definition, start.end())) if start else []
    if len(written) != len(index.columns):
        return tuple(IndexPart(column=column, sql=identifier(column or "")) for column in index.columns)
    return tuple(_part(column, sql) for column, sql in zip(index.columns, written, strict=True))


def storage_options(index: IndexOutline) -> dict[str, str]:
    """Return the storage parameters of an index."""
    match = _OPTIONS.search(_outside_quotes(index.definition, quote='"'))
    return dict(_OPTION.findall(match["options"])) if match else {}


def _part(column: str | None, sql: str) -> IndexPart:
    if column is None:
        return IndexPart(column=None, sql=sql)
    name = next((name for name in (identifier(column), column) if sql.startswith(name)), readable(column))
    match = _ORDER.match(sql.removeprefix(name))
    if match is None:
        return IndexPart(column=None, sql=sql)
    descending = match["descending"] is not None
    nulls_first = match["nulls"] == "FIRST" if match["nulls"] else descending
    return IndexPart(column=column, sql=sql, descending=descending, nulls_first=nulls_first, operators=match["operators"] or "")


def _outside_quotes(text: str, quote: str = "\"'") -> str:
    """Return text of the same length without what stands in quotes."""
    return re.sub(rf"([{quote}])(?:(?!\1).)*\1", lambda match: "_" * len(match[0]), text, flags=re.DOTALL)


def _split(text: str, start: int) -> Iterator[str]:
    """Yield what stands between commas on one level of parentheses, up to the one that closes it."""
    depth, begin = 0, start
    plain = _outside_quotes(text)
    for place in range(start, len(plain)):
        letter = plain[place]
        if letter == "," and depth == 0:
            yield text[begin:place].strip()
            begin = place + 1
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            if depth == 0:
                yield text[begin:place].strip()
                return
            depth -= 1
