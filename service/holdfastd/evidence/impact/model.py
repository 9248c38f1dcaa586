"""The impact of a deletion, as frozen values. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from holdfastd.catalog.model import OnDelete, Operator
from holdfastd.names import ColumnSet, TableName


class ImpactAction(StrEnum):
    """What would happen to rows."""

    DELETE = "DELETE"
    SET_NULL = "SET_NULL"
    SET_DEFAULT = "SET_DEFAULT"
    BLOCK = "BLOCK"
    #: No key protects them: they would reference nothing.
    ORPHAN = "ORPHAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A relationship that a deletion reaches along, between tables that hold their rows themselves."""

    relationship_id: str
    #: Empty for a relationship that no key declares.
    constraint_name: str
    referencing: ColumnSet
    referenced: ColumnSet
    operators: tuple[Operator, ...]
    #: None: no key declares it, and none acts.
    on_delete: OnDelete | None
    #: Columns that SET NULL and SET DEFAULT change.
    changed: tuple[str, ...] = ()
    #: A usable index finds its rows.
    indexed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What would happen to the rows of one table by one relationship."""

    #: As its owner knows it: not the partition.
    table: TableName
    action: ImpactAction
    relationship_id: str = ""
    constraint_name: str = ""
    rows: int = 0
    #: False: there are more, which were not followed.
    is_complete: bool = True
    #: Relationships between the rows deleted first and these.
    depth: int = 0
    sample_columns: tuple[str, ...] = ()
    samples: tuple[tuple[str | None, ...], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impacts:
    """All that a deletion would do."""

    impacts: tuple[Impact, ...]
    #: What could not be told, and why.
    unknown: tuple[str, ...] = ()

    @property
    def is_blocked(self) -> bool:
        """Tell whether the deletion would fail."""
        return any(impact.action is ImpactAction.BLOCK and impact.rows for impact in self.impacts)
