"""Why PostgreSQL would refuse a foreign key, in words that end with what to do. Pure."""

from holdfastd.catalog.model import Catalog, Column, Index
from holdfastd.catalog.operators import is_referenceable, referenced_key
from holdfastd.names import ColumnSet, readable

#: Since then a key whose columns are compared by unlike collations is refused.
_COLLATIONS_CHECKED = 180_000


def explain_obstacle(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet) -> str:
    """Say why PostgreSQL would refuse the foreign key."""
    table = catalog.tables[referenced.table]
    if referenced_key(table, referenced.columns) is None:
        why = next((why for index in table.indexes if (why := _why_no_key(index, referenced.columns))), "")
        return f"{referenced} is not unique: a foreign key needs a primary key or a unique index on exactly these columns{why}."
    ours = [catalog.tables[referencing.table].column(name) for name in referencing.columns]
    theirs = [table.column(name) for name in referenced.columns]
    if catalog.identity.version_number >= _COLLATIONS_CHECKED and any(map(_are_collations_unlike, ours, theirs)):
        return f"{referencing} and {referenced} differ in collation, one of them not deterministic: give both columns one collation."
    left, right = (", ".join(column.type.formatted for column in columns) for columns in (ours, theirs))
    return f"{referencing} is {left}, {referenced} is {right}: no operator compares them as a foreign key would."


def _why_no_key(index: Index, columns: tuple[str, ...]) -> str:
    """Say why a unique index on such columns is no key that can be pointed at; empty for one on others."""
    name = readable(index.name)
    if not index.is_unique or is_referenceable(index) or len(index.columns) != len(columns):
        return ""
    if None in index.columns:
        return f", not on an expression as {name} is"
    if set(index.columns) != set(columns):
        return ""
    if not index.is_usable:
        return f", and {name} is not valid: drop it and make it again"
    if index.predicate is not None:
        return f", for all rows, and {name} is partial"
    return f", checked at once, and {name} is DEFERRABLE" if not index.is_immediate else ""


def _are_collations_unlike(ours: Column, theirs: Column) -> bool:
    return ours.collation != theirs.collation and not (ours.is_deterministic and theirs.is_deterministic)
