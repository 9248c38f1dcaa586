"""What the rows say, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfastd.catalog.model import OnDelete, Operator
from holdfastd.names import ColumnSet, TableName

#: A count that row security prevents gives a reason that begins so, the table's name following.
HIDDEN_ROWS = "row security hides rows of"


class Exactness(StrEnum):
    """How a number was obtained."""

    EXACT = "EXACT"
    ESTIMATED = "ESTIMATED"
    NOT_COUNTED = "NOT_COUNTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """A number of rows and what it is worth."""

    value: int
    exactness: Exactness
    as_of: datetime
    #: Why the rows were not counted; empty otherwise.
    reason: str = ""
    #: Where an estimate lies with 95 % confidence; both equal the value of an exact count.
    low: int | None = None
    high: int | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether the value means anything."""
        return self.exactness is not Exactness.NOT_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A key as it will be enforced when orphan rows are cleaned up."""

    referencing: ColumnSet
    referenced: ColumnSet
    on_delete: OnDelete
    operators: tuple[Operator, ...]
    #: Columns that SET NULL changes.
    nulled: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What cleaning up the orphan rows of one relationship would take or change."""

    rows: Mapping[TableName, int]
    #: Why deleting cannot work; empty when it can.
    blocked: str = ""
    #: What was not followed, because the partitions of a table were not read; `blocked` then says the same.
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How the values of referencing columns meet those of a key: a bounded sample of distinct values, looked up in the key's index."""

    #: Distinct non-null values sampled, and how many of them the key holds. 0 sampled: there is nothing to look at.
    sampled: int
    found: int
    #: Whether the sample is all distinct values there are.
    is_whole: bool = False
    #: Rows of the referenced table, as far as known; -1: unknown.
    referenced_rows: float = -1
    #: Share of the key's own range of whole numbers that it fills, 0 to 1; None for keys that are no whole numbers. Ids 1, 2, 3 … fill
    #: all of it: small numbers of any meaning are found there.
    density: float | None = None
    #: Share of the sample that lies inside the key's range; None for values without a range.
    inside: float | None = None
    #: Chance that a value of no relation to the key is found in it, 0 to 1: 1 for 1, 2, 3 … among ids, next to 0 for uuids.
    chance: float = 1.0
    #: Share of the key's range of whole numbers that the sample spans, 0 to 1; None for keys that are no whole numbers.
    spread: float | None = None
    #: Share of the rows that have the sampled values whose value is found, 0 to 1; None when unknown. Many a wrong value is rare.
    found_rows: float | None = None
    #: How many values there would be if each had as many rows: about 1 when nearly all rows have the same. None when unknown.
    varied: float | None = None
    #: Why nobody looked; empty when somebody did.
    unseen: str = ""


class OrphanCause(StrEnum):
    """Why rows reference nothing, as far as the values tell."""

    #: The referenced row was there: its value lies below the highest one the key ever gave out.
    DELETED = "DELETED"
    #: The value lies above all that the key ever gave out.
    NEVER_EXISTED = "NEVER_EXISTED"
    #: A value that means "none": 0, -1, an empty string, a uuid of zeros.
    SENTINEL = "SENTINEL"
    #: The value is an id of another kind: it is written differently from every value of the key.
    WRONG_TYPE = "WRONG_TYPE"
    #: The values do not tell.
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedRows:
    """Orphan rows with one cause."""

    cause: OrphanCause
    rows: int
    distinct_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenRows:
    """Rows of one table that deleting orphan rows, to the fixpoint, would delete or change."""

    table: TableName
    rows: int
    #: Of the table's rows, 0 to 1; None when their number is unknown.
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanDetails:
    """What is known about the orphan rows of one relationship beyond their number. No value of a row, times aside."""

    #: Distinct values of the referencing columns among them.
    distinct_values: int
    #: Of the referencing table's rows, 0 to 1; None when their number is unknown.
    share: float | None = None
    causes: tuple[CausedRows, ...] = ()
    #: Column that tells when a row was made, and its lowest and highest value among orphan rows; empty and None without one.
    seen_column: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    #: What deleting them would take along under the keys declared and planned, the orphan rows included; the most first.
    taken: tuple[TakenRows, ...] = ()
    #: Why deleting cannot work; empty when it can.
    blocked: str = ""
    #: What could not be told, and why; empty otherwise.
    unknown: str = ""
