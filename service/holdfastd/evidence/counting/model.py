"""What choosing a way to count needs to know, and what it comes to, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from holdfastd.catalog.model import Catalog, Column, Operator, Table, TableKind
from holdfastd.names import ColumnSet


class Strategy(StrEnum):
    """How orphan rows are counted. All are exact."""

    HASH = "hash anti-join"
    MERGE = "merge anti-join of two indexes"
    GAP_WALK = "gap walk"
    LOOSE_SCAN = "loose scan"
    RANGES = "ranges"
    PROBES = "index probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """What the server last noted about a column and its table. It decides how long a count takes, never what it says."""

    #: Rows and pages of the table, and the share of pages that an index-only scan need not visit; rows are -1 when never noted.
    rows: float = -1
    pages: int = 0
    visible: float = 0
    #: Of the column; 0 distinct: not known, or not for this role to see.
    null_share: float = 0
    distinct: float = 0
    #: Lowest and highest value of an integer column's histogram; None when there is none.
    lowest: int | None = None
    highest: int | None = None
    #: Buckets of the column's histogram.
    buckets: int = 0
    #: OIDs of whole btree indexes that begin with the column in its own order and collation.
    ordered_indexes: frozenset[int] = frozenset()

    @property
    def values(self) -> float:
        """Rows in which the column is not null."""
        return max(self.rows, 0) * (1 - self.null_share)


#: By table OID and column number.
Statistics = Mapping[tuple[int, int], ColumnStatistics]

UNKNOWN = ColumnStatistics()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A relationship whose orphan rows are to be counted, with what helps to choose how."""

    catalog: Catalog
    referencing: ColumnSet
    referenced: ColumnSet
    operators: tuple[Operator, ...]
    statistics: Statistics = field(default_factory=dict)

    @cached_property
    def referencing_table(self) -> Table:
        """The table that holds the rows to count."""
        return self.catalog.tables[self.referencing.table]

    @cached_property
    def referenced_table(self) -> Table:
        """The table that holds the key."""
        return self.catalog.tables[self.referenced.table]

    @property
    def is_plain(self) -> bool:
        """Tell whether one column of an ordinary table is compared with one of another: what every strategy but one asks for."""
        kinds = {self.referencing_table.kind, self.referenced_table.kind}
        return len(self.operators) == 1 and kinds == {TableKind.TABLE}

    @cached_property
    def column(self) -> Column:
        """The first referencing column."""
        return self.referencing_table.column(self.referencing.columns[0])

    @cached_property
    def key(self) -> Column:
        """The first referenced column."""
        return self.referenced_table.column(self.referenced.columns[0])

    @cached_property
    def referencing_statistics(self) -> ColumnStatistics:
        """What is known about the referencing side."""
        return self.statistics.get((self.referencing_table.oid, self.column.number), UNKNOWN)

    @cached_property
    def referenced_statistics(self) -> ColumnStatistics:
        """What is known about the referenced side."""
        return self.statistics.get((self.referenced_table.oid, self.key.number), UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A SELECT that counts, how it is to run, and what speaks for it."""

    strategy: Strategy
    #: One row: one number of orphan rows per subject, in order. A NULL says that the strategy gave up, because statistics misled it.
    sql: str
    #: SET LOCAL, values as SHOW prints them.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Estimated milliseconds, and how many of them every part of a count in parts would spend again.
    cost: float
    repeated: float = 0
    #: The same over the blocks from $1 to below $2 of the referencing table, as text of a tid; empty when it cannot be had in parts.
    part_sql: str = ""
    #: Or in parts by value: SELECTs whose numbers add up.
    part_sqls: tuple[str, ...] = ()
    #: Why this strategy fits, as half a sentence.
    why: str
