"""A finding: one problem, with a stable key, and what to do about it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from holdfastd.names import TableName


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem: what is wrong, what happens if nothing is done, what to do."""

    kind: FindingKind
    severity: Severity
    message: str
    consequence: str
    cure: str
    table: TableName
    #: Empty for findings about a table.
    relationship_id: str = ""

    @property
    def id(self) -> str:
        """Stable across audits: kind and object."""
        return f"{self.kind.lower()}:{self.relationship_id or self.table}"
