"""What the rows say, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


#: Orphan rows by relationship id.
OrphanCounts = Mapping[str, RowCount]
