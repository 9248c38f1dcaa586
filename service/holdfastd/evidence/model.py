"""What the rows say, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfastd.catalog.model import OnDelete, Operator
from holdfastd.names import ColumnSet, TableName


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
