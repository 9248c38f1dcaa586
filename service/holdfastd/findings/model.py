"""A finding: one problem, with a stable key, and what to do about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from holdfastd.names import TableName, identifier


class Severity(IntEnum):
    """How bad; larger is worse."""

    INFO = 1
    WARN = 2
    ERROR = 3


class FindingKind(StrEnum):
    """The kinds of problems, one derivation each."""

    UNDECLARED_KEY = "UNDECLARED_KEY"
    ORPHAN_ROWS = "ORPHAN_ROWS"
    UNINDEXED_KEY = "UNINDEXED_KEY"
    NOT_VALIDATED_KEY = "NOT_VALIDATED_KEY"
    NOT_ENFORCED_KEY = "NOT_ENFORCED_KEY"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    REFERENCED_NOT_UNIQUE = "REFERENCED_NOT_UNIQUE"
    NO_PRIMARY_KEY = "NO_PRIMARY_KEY"
    NOT_AUDITABLE = "NOT_AUDITABLE"
    DISABLED_KEY = "DISABLED_KEY"
    ORPHANS_UNDER_VALID_KEY = "ORPHANS_UNDER_VALID_KEY"
    REDUNDANT_INDEX = "REDUNDANT_INDEX"
    INVALID_INDEX = "INVALID_INDEX"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    SET_NULL_ON_NOT_NULL = "SET_NULL_ON_NOT_NULL"
    PARTITION_WITHOUT_KEY = "PARTITION_WITHOUT_KEY"
    ROWS_HIDDEN = "ROWS_HIDDEN"
    POLYMORPHIC_REFERENCE = "POLYMORPHIC_REFERENCE"
    UNKNOWN_INTENT = "UNKNOWN_INTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem: what is wrong, what happens if nothing is done, what to do."""

    kind: FindingKind
    severity: Severity
    message: str
    consequence: str
    cure: str
    table: TableName
    #: Empty for findings about a table or a part of it.
    relationship_id: str = ""
    #: Name of the index, constraint, column or partition of the table; empty for findings about a relationship or the whole table.
    part: str = ""

    @property
    def id(self) -> str:
        """Stable across audits: kind and object."""
        thing = f"{self.table}.{identifier(self.part)}" if self.part else str(self.table)
        return f"{self.kind.lower()}:{self.relationship_id or thing}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A finding that somebody decided to live with."""

    finding_id: str
    #: Why, in the words of whoever decided.
    reason: str
    principal: str
    create_time: datetime
    #: From when on the finding is open again; None: never.
    expire_time: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether the finding is still ignored."""
        return self.expire_time is None or moment < self.expire_time
