"""What a plan would do for a relationship, so that no cure promises a plan that would leave it out. Pure.

The plan decides for itself, later and with the caller's overrides; a test keeps the two of one mind.
"""

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.inference.model import Relationship

#: What a key by PERIOD is compared by.
_OVERLAPS = "&&"


def is_plannable(catalog: Catalog, relationship: Relationship) -> bool:
    """Tell whether a plan can make or validate the key, asked to if need be."""
    if hindrance(catalog, relationship):
        return False
    if not relationship.declared:
        return relationship.orphan_rows.is_known
    key = declared_key(catalog, relationship)
    return relationship.enforced and not relationship.validated and key is not None and _can_be_put_back(key)


def hindrance(catalog: Catalog, relationship: Relationship) -> str:
    """Return why a plan leaves the tables alone, as half a sentence; empty when it does not."""
    referencing, referenced = (catalog.tables[columns.table] for columns in (relationship.referencing, relationship.referenced))
    if relationship.obstacle:
        return relationship.obstacle
    if TableKind.FOREIGN in {referencing.kind, referenced.kind}:
        return "foreign tables have no foreign keys"
    if referencing.persistence == "p" and referenced.persistence != "p":
        return "a permanent table cannot reference an unlogged one"
    if any(referencing.column(name).generated == "v" for name in relationship.referencing.columns):
        return "a virtual generated column cannot carry a foreign key"
    return ""


def declared_key(catalog: Catalog, relationship: Relationship) -> ForeignKey | None:
    """Return the foreign key that declares a relationship; None when none does."""
    keys = catalog.tables[relationship.referencing.table].foreign_keys
    return next((key for key in keys if key.name == relationship.constraint_name), None)


def is_foreign(catalog: Catalog, relationship: Relationship) -> bool:
    """Tell whether one of the tables lives in another database."""
    tables = (catalog.tables[columns.table] for columns in (relationship.referencing, relationship.referenced))
    return any(table.kind is TableKind.FOREIGN for table in tables)


def _can_be_put_back(key: ForeignKey) -> bool:
    """Tell whether a plan can validate a key and a rollback declare it again as it was: its triggers on, compared by no period."""
    return key.triggers_enabled and not any(operator.name == _OVERLAPS for operator in key.operators)
