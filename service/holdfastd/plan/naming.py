"""Names for new keys and indexes: what a DBA would type, unique within 63 bytes, never clashing with what exists. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from holdfastd.catalog.model import Catalog
from holdfastd.names import ColumnSet, TableName, fit, unused

_KEY_SUFFIXES = ("_id", "_uuid", "_fk", "_key")


@dataclass(slots=True)
class Names:
    """Hands out names for one plan and remembers them: two keys of one plan never share a name either."""

    catalog: Catalog
    _constraints: dict[TableName, set[str]] = field(default_factory=dict)
    _relations: dict[str, set[str]] = field(default_factory=dict)

    def foreign_key(self, referencing: ColumnSet) -> str:
        """Return a name such as `fk_reports_station`, unique among the constraints of the table and of its partitions."""
        taken = self._constraints.setdefault(referencing.table, set(self._constraint_names(referencing.table)))
        name = unused(fit("fk", referencing.table.name, *_stems(referencing)), taken)
        taken.add(name)
        return name

    def index(self, referencing: ColumnSet) -> str:
        """Return a name such as `reports_station_idx`, unique among the relations of the schema."""
        taken = self._relation_names(referencing.table.schema)
        name = unused(fit(referencing.table.name, *_stems(referencing), suffix="_idx"), taken)
        taken.add(name)
        return name

    def reserve_index(self, referencing: ColumnSet, name: str) -> None:
        """Remember a name that was handed out before."""
        self._relation_names(referencing.table.schema).add(name)

    def _constraint_names(self, table: TableName) -> Iterator[str]:
        for each in (table, *self.catalog.partitions_below(table)):
            yield from self.catalog.tables[each].constraint_names

    def _relation_names(self, schema: str) -> set[str]:
        return self._relations.setdefault(schema, set(self.catalog.relation_names.get(schema, ())))


def _stems(referencing: ColumnSet) -> tuple[str, ...]:
    return tuple(_stem(column) for column in referencing.columns)


def _stem(column: str) -> str:
    for suffix in _KEY_SUFFIXES:
        if column.lower().endswith(suffix) and len(column) > len(suffix):
            return column[: -len(suffix)]
    return column
