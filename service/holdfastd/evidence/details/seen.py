"""Which column of a table tells when a row was made: in comes a table, out goes the column. Pure."""

import re

from holdfastd.catalog.model import Column, Table
from holdfastd.inference.naming.words import words
from holdfastd.names import identifier

#: The most telling first.
_TYPES = ("timestamptz", "timestamp", "date")
_MADE = frozenset(
    {
        *("created", "create", "creation", "createdat", "createdon", "ctime"),
        *("inserted", "insert", "insertion", "added", "registered", "registration", "entered", "recorded", "logged", "submitted"),
    }
)
_CHANGED = frozenset({"updated", "update", "updatedat", "modified", "modification", "changed", "edited", "touched", "mtime"})
#: Times of something else, even where a default fills them in.
_OTHER = frozenset({"deleted", "expired", "expire", "expiry", "expiration", "archived", "due", "birth", "until", "end", "ended", "valid"})
_NOW = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp)\(|\bcurrent_(timestamp|date)\b|\blocaltimestamp\b|'now'"
)
#: `now() + '30 days'` is when something ends.
_LATER = re.compile(r"\)?\s[+-]\s")


def find_seen_column(table: Table) -> Column | None:
    """Return the column that tells best when a row was made, or else when it was last changed; None when none does."""
    rated = [column for column in table.columns if _rate(column)]
    return max(rated, key=lambda column: (_rate(column), -_TYPES.index(column.type.base_name), -column.number), default=None)


def seen_time(column: Column, alias: str) -> str:
    """Return the SQL that reads the column as a time; NULL for infinity and for years that no calendar of ours has."""
    value, kind = f"{alias}.{identifier(column.name)}", column.type.base_name
    zoned = value if kind == "timestamptz" else f"{value}::pg_catalog.timestamp AT TIME ZONE 'UTC'"
    # Asked in the column's own type: a cast that overflows would end the whole query.
    return f"CASE WHEN {value} BETWEEN pg_catalog.{kind} '0001-01-02' AND pg_catalog.{kind} '9999-12-30' THEN {zoned} END"


def _rate(column: Column) -> int:
    """Rate how well a column tells when a row was made; 0: not at all."""
    if column.type.base_schema != "pg_catalog" or column.type.base_name not in _TYPES:
        return 0
    found = frozenset(words(column.name))
    default = (column.default or "").lower()
    is_now = bool(_NOW.search(default)) and not _LATER.search(default)
    if found & _MADE and not found & _OTHER:
        return 5 if is_now else 4
    if found & _CHANGED:
        return 2
    return 3 if is_now and not found & _OTHER else 0
