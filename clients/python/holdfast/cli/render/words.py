"""Enums, times, numbers and names as people read them: in come values of messages, out comes short text."""

import re
from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from holdfast.v1.core_pb2 import (
    EXACTNESS_ESTIMATED,
    EXACTNESS_EXACT,
    RELATIONSHIP_STATE_UNDECLARED,
    TIER_REVIEW,
    ColumnSet,
    Relationship,
    RelationshipState,
    RowCount,
)

_HALF = r"(?:public\.)?(?P<{0}_table>[\w$.]+)\((?P<{0}_columns>[\w$]+)\)"
_PLAIN_ID = re.compile(_HALF.format("referencing") + "->" + _HALF.format("referenced"))
_ARROW = re.compile(r'(?P<name>"(?:[^"]|"")*")|->')
_COLOURS = {
    "HIGH": "bold red",
    "ERROR": "bold red",
    "FAILED": "bold red",
    "UNREACHABLE": "bold red",
    "BLOCKS AUDIT": "bold red",
    "BLOCKS APPLICATION": "bold red",
    "NOT ENFORCED": "red",
    "MEDIUM": "yellow",
    "WARN": "yellow",
    "WARNING": "yellow",
    "CANCELLED": "yellow",
    "REJECTED": "yellow",
    "NOT VALIDATED": "yellow",
    "UNDECLARED": "yellow",
    "RUNNING": "cyan",
    "QUEUED": "cyan",
    "PROPOSED": "cyan",
    "APPROVED": "green",
    "APPLIED": "green",
    "SUCCEEDED": "green",
    "VALIDATED": "green",
    "REACHABLE": "green",
    "PASSED": "green",
}
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PUBLIC = re.compile(r'(?<![\w".$])public\.(?=[\w"])')
NOTHING = "–"
_LITTLE = 0.01
_ALMOST_ALL = 99


def word(enum: Any, value: int) -> str:
    """Return an enum value without the enum's name: `AUDIT_STATE_RUNNING` is RUNNING, `ON_DELETE_SET_NULL` is SET NULL."""
    name: str = enum.Name(value) if value in enum.values() else str(value)
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.DESCRIPTOR.name).upper() + "_"
    short = name.removeprefix(prefix).replace("_", " ")
    return NOTHING if short == "UNSPECIFIED" else short


def state(enum: Any, value: int) -> Text:
    """Return an enum value in its colour."""
    text = word(enum, value)
    return Text(text, style=_COLOURS.get(text, ""))


def moment(value: Timestamp) -> str:
    """Return a time to the second, in UTC."""
    if not value.seconds:
        return NOTHING
    return value.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S")


def minute(value: Timestamp) -> str:
    """Return a time to the minute, in UTC: lists have little room."""
    return moment(value)[:16]


def lasted(start: Timestamp, end: Timestamp) -> str:
    """Return how long something took."""
    if not start.seconds or not end.seconds:
        return NOTHING
    return f"{max(0.0, (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9):.1f} s"


def chance(probability: float) -> str:
    """Return a probability with two digits; only what is declared is certain."""
    return f"{probability if probability == 1 else min(probability, 0.99):.2f}"


def number(value: int) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}"


def rows(count: RowCount) -> Text:
    """Return a number of rows: `≈` before an estimate, `?` for not counted."""
    if count.exactness == EXACTNESS_EXACT:
        return Text(number(count.value), style="bold red" if count.value else "")
    if count.exactness == EXACTNESS_ESTIMATED:
        return Text("≈" + number(count.value), style="red" if count.value else "")
    return Text("?", style="yellow")


def share(value: float) -> str:
    """Return a share in percent: two digits that count, never 0 for something nor 100 for less than all."""
    percent = value * 100
    if 0 < percent < _LITTLE:
        return f"<{_LITTLE:g} %"
    if _ALMOST_ALL < percent < 100:  # noqa: PLR2004 (percent)
        return f">{_ALMOST_ALL:g} %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"  # noqa: PLR2004 (two digits)


def standing(item: Relationship) -> Text:
    """Return what the database enforces, or for undeclared relationships whether they would be planned."""
    if item.state == RELATIONSHIP_STATE_UNDECLARED and item.tier == TIER_REVIEW:
        return Text("REVIEW", style="cyan")
    return state(RelationshipState, item.state)


def relationship(identity: str) -> str:
    """Return the id of a relationship as people read it; schema public goes without saying."""
    plain = _PLAIN_ID.fullmatch(identity)
    if plain:
        return "{referencing_table}.{referencing_columns} → {referenced_table}.{referenced_columns}".format(**plain.groupdict())
    # Between the tables, not inside a name.
    return prose(_ARROW.sub(lambda found: found["name"] or " → ", identity))


def columns(of: ColumnSet) -> str:
    """Return columns of a table as people read them: names quoted where SQL would need it, schema public goes without saying."""
    return prose(f"{table(of)}({', '.join(readable(name) for name in of.columns)})")


def table(of: ColumnSet) -> str:
    """Return the table that columns are of."""
    return prose(f"{readable(of.schema)}.{readable(of.table)}")


def readable(name: str) -> str:
    """Return a name bare when it is plain lower case, else as a quoted identifier."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def prose(text: str) -> str:
    """Return a sentence about tables; schema public goes without saying."""
    return _PUBLIC.sub("", clean(text))


def clean(text: str) -> str:
    """Return text from elsewhere without what a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)
