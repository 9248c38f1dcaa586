"""Names for new keys and indexes: what a DBA would type, unique within 63 bytes, never clashing with what exists. Pure."""

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
        """Return a name such as `fk_reports_station`, unique among the constraints of the table."""
        taken = self._constraints.setdefault(referencing.table, set(self.catalog.tables[referencing.table].constraint_names))
        name = unused(fit("fk", referencing.table.name, *_stems(referencing)), taken)
        taken.add(name)
        return name

    def index(self, referencing: ColumnSet) -> str:
        """Return a name such as `reports_station_idx`, unique among the relations of the schema."""
        schema = referencing.table.schema
        taken = self._relations.setdefault(schema, set(self.catalog.relation_names.get(schema, ())))
        name = unused(fit(referencing.table.name, *_stems(referencing), suffix="_idx"), taken)
        taken.add(name)
        return name


def _stems(referencing: ColumnSet) -> tuple[str, ...]:
    return tuple(_stem(column) for column in referencing.columns)


def _stem(column: str) -> str:
    for suffix in _KEY_SUFFIXES:
        if column.lower().endswith(suffix) and len(column) > len(suffix):
            return column[: -len(suffix)]
    return column
