"""What all sentences of findings are made of: three of them per finding, numbers that agree with their verbs, and SQL to paste. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import OnDelete
from holdfastd.names import ColumnSet, identifiers, qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The three sentences of a finding."""

    message: str
    consequence: str
    cure: str


def plain(names: Sequence[str]) -> str:
    """Return columns as people list them."""
    return ", ".join(names)


def listed(things: Sequence[object], last: str = "and") -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    *firsts, end = [str(thing) for thing in things]
    return f"{', '.join(firsts)} {last} {end}" if firsts else end


def numbered(number: int, noun: str) -> str:
    """Return `1 row` or `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence(text: str) -> str:
    """Return text that starts with a capital, unless a name comes first, and ends with one full stop."""
    return text.rstrip(".") + "."


def add_key_sql(
    referencing: ColumnSet, referenced: ColumnSet, on_delete: OnDelete, on_update: OnDelete = OnDelete.NO_ACTION, *, not_valid: bool
) -> str:
    """Return the ALTER TABLE that declares a key."""
    actions = (("DELETE", on_delete), ("UPDATE", on_update))
    action = "".join(f" ON {event} {each}" for event, each in actions if each is not OnDelete.NO_ACTION)
    target = f"{qualified(referenced.table)} ({identifiers(referenced.columns)})"
    return (
        f"ALTER TABLE {qualified(referencing.table)} ADD FOREIGN KEY ({identifiers(referencing.columns)})"
        f" REFERENCES {target}{action}{' NOT VALID' if not_valid else ''}"
    )
