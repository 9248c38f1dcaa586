"""What a relationship looks like on the map: its state, how it is written, and how hot its orphan rows are. Pure words and numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import ColumnSet, TableName, readable
from holdfastd.report.map.lettering import harmless

#: From how many orphan rows, and from which share of the referencing rows, a relationship is one degree hotter.
_BY_NUMBER = (1, 10, 1_000, 100_000)
_BY_SHARE = (0.0, 0.001, 0.01, 0.1)


class State(StrEnum):
    """How far PostgreSQL keeps a relationship; values are what the SVG's `data-state` says."""

    VALIDATED = "validated"
    NOT_VALIDATED = "not-validated"
    NOT_ENFORCED = "not-enforced"
    UNDECLARED = "undeclared"
    REVIEW = "review"

    @property
    def words(self) -> str:
        """The state as people say it."""
        return "for review" if self is State.REVIEW else self.value.replace("-", " ")


def state_of(relationship: Relationship) -> State:
    """Return the state of a relationship."""
    if not relationship.declared:
        return State.REVIEW if relationship.tier is Tier.REVIEW else State.UNDECLARED
    if not relationship.enforced:
        return State.NOT_ENFORCED
    return State.VALIDATED if relationship.validated else State.NOT_VALIDATED


def heat(relationship: Relationship, referencing_rows: float) -> int:
    """Return 0 without orphan rows, else 1 to 4: the hotter, the more there are, or the larger their share. Rows below 0 are unknown."""
    orphans = orphan_rows(relationship)
    if not orphans:
        return 0
    share = orphans / referencing_rows if referencing_rows > 0 else 0.0
    return max(sum(orphans >= limit for limit in _BY_NUMBER), sum(share >= limit for limit in _BY_SHARE))


def orphan_rows(relationship: Relationship) -> int:
    """Return how many orphan rows are known of; 0 when nobody counted."""
    return relationship.orphan_rows.value if relationship.orphan_rows.is_known else 0


def orphan_words(relationship: Relationship) -> str:
    """Return `8 orphan rows`, `no orphan rows` or `orphan rows not counted`."""
    if not relationship.orphan_rows.is_known:
        return "orphan rows not counted"
    number = relationship.orphan_rows.value
    return f"{number:,} orphan row{'s' * (number != 1)}" if number else "no orphan rows"


def shown(relationships: Iterable[Relationship], *, include_review: bool) -> tuple[Relationship, ...]:
    """Return the relationships that belong on the map, in a fixed order."""
    wanted = (each for each in relationships if include_review or state_of(each) is not State.REVIEW)
    return tuple(sorted(wanted, key=lambda each: (each.referencing, each.referenced, each.constraint_name)))


def usual_schema(tables: Sequence[TableOutline], relationships: Iterable[Relationship]) -> str:
    """Return the schema that most tables are in: it goes without saying."""
    names = [table.name for table in tables] or sorted({name for each in relationships for name in ends(each)})
    counts = Counter(name.schema for name in names)
    return min(counts, key=lambda schema: (-counts[schema], schema), default="")


def ends(relationship: Relationship) -> tuple[TableName, TableName]:
    """Return the referencing and the referenced table."""
    return relationship.referencing.table, relationship.referenced.table


def table_words(name: TableName, schema: str) -> str:
    """Return a table's name for people, with its schema unless that goes without saying."""
    return harmless(readable(name.name) if name.schema == schema else str(name))


def column_words(columns: ColumnSet) -> str:
    """Return `column`, or `(column, column)`, for people."""
    names = ", ".join(readable(column) for column in columns.columns)
    return harmless(names if len(columns.columns) == 1 else f"({names})")
