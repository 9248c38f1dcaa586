"""Dividing a count that walks an index into parts of about the same size, so that its progress can be told. Pure.

A part is a range of the referencing column. Between which values it lies stays on the server: SQL picks them from the column's
histogram by their number. Were that shorter than it was when the audit began, the part would say NULL, and the plain count takes over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfastd.evidence.counting.model import Subject
from holdfastd.names import identifier, literal

#: A part of that many milliseconds is worth an event.
PART_MS = 10_000.0
_MOST_PARTS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A range of values as SQL: from `lower` on, to below `upper`; empty where it has no such end."""

    lower: str = ""
    upper: str = ""

    def holds(self, *columns: str) -> str:
        """Return the conditions that columns lie within, each after AND."""
        ends = ((">=", self.lower), ("<", self.upper))
        return "".join(f" AND {column} {sign} {end}" for column in columns for sign, end in ends if end)

    def guard(self, number: str) -> str:
        """Return the number, or NULL when an end is not known."""
        known = " AND ".join(f"{end} IS NOT NULL" for end in (self.lower, self.upper) if end)
        return f"CASE WHEN {known} THEN {number} END" if known else number


WHOLE = Part()


def parts_by_histogram(subject: Subject, cost: float) -> tuple[Part, ...]:
    """Return parts of about equal numbers of rows; none when the count is too short, or the histogram."""
    number = _parts(cost, subject.referencing_statistics.buckets)
    if number < 2:  # noqa: PLR2004 (one part is the whole)
        return ()
    positions = [1 + subject.referencing_statistics.buckets * each // number for each in range(1, number)]
    return _between([_bound(subject, position) for position in positions])


def parts_by_numbers(lowest: int, highest: int, cost: float) -> tuple[Part, ...]:
    """Return parts of equal ranges of integers; none when the count is too short."""
    number = _parts(cost, highest - lowest)
    return _between([f"({lowest + (highest - lowest) * each // number})::pg_catalog.int8" for each in range(1, number)])


def _parts(cost: float, most: int) -> int:
    return int(min(cost / PART_MS, most, _MOST_PARTS))


def _between(ends: Sequence[str]) -> tuple[Part, ...]:
    return tuple(Part(lower, upper) for lower, upper in zip(("", *ends), (*ends, ""), strict=True)) if ends else ()


def _bound(subject: Subject, position: int) -> str:
    """Return the SELECT of one end: a value of the histogram, in the column's own type and collation."""
    kind, collation = subject.column.type, subject.column.collation
    value = f"bounds.list[{position}]::{identifier(kind.base_schema)}.{identifier(kind.base_name)}"
    if collation is not None:
        value += f" COLLATE {identifier(collation[0])}.{identifier(collation[1])}"
    names = (
        f"statistic.{label} = {literal(name)}"
        for label, name in (
            ("schemaname", subject.referencing.table.schema),
            ("tablename", subject.referencing.table.name),
            ("attname", subject.column.name),
        )
    )
    return (
        f"(SELECT {value} FROM pg_catalog.pg_stats AS statistic"
        " CROSS JOIN LATERAL (SELECT statistic.histogram_bounds::pg_catalog.text::pg_catalog.text[] AS list) AS bounds"
        f" WHERE {' AND '.join(names)} AND NOT statistic.inherited)"
    )
