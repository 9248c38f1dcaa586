"""Which operator a foreign key would use between two columns, or that PostgreSQL would refuse one. Pure.

Mirrors ATAddForeignKeyConstraint (src/backend/commands/tablecmds.c): first the cross-type member of the referenced index's operator
family, then the family's own operator if the referencing type casts to it implicitly.
"""

from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Index, IndexColumn, Operator, Table, TypeFacts
from holdfastd.names import ColumnSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedKey:
    """A unique index that a foreign key can point at, its columns in the order of the relationship."""

    index: Index
    columns: tuple[IndexColumn, ...]


def referenced_key(table: Table, columns: tuple[str, ...]) -> ReferencedKey | None:
    """Return the unique index on exactly these columns, in any order, that a foreign key may use; None when there is none.

    Partial, deferrable, expression and invalid indexes do not count. The primary key is preferred.
    """
    candidates = [index for index in table.indexes if is_referenceable(index) and set(index.columns) == set(columns)]
    for index in sorted(candidates, key=lambda index: (not index.is_primary, index.oid)):
        by_name = {column.name: column for column in index.key_columns}
        return ReferencedKey(index=index, columns=tuple(by_name[name] for name in columns))
    return None


def is_referenceable(index: Index) -> bool:
    """Tell whether a foreign key may point at this index."""
    return (
        index.is_unique
        and index.is_usable
        and index.is_immediate
        and index.predicate is None
        and index.method == "btree"
        and None not in index.columns
    )


def resolve_operators(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet) -> tuple[Operator, ...] | None:
    """Return the operator per column pair, or None when PostgreSQL could not implement the foreign key."""
    referenced_table = catalog.tables[referenced.table]
    key = referenced_key(referenced_table, referenced.columns)
    if key is None or len(referencing.columns) != len(referenced.columns):
        return None
    referencing_table = catalog.tables[referencing.table]
    operators = [
        resolve_operator(catalog.types, index_column, referencing_table.column(column).type.base_oid)
        for index_column, column in zip(key.columns, referencing.columns, strict=True)
    ]
    found = tuple(operator for operator in operators if operator is not None)
    return found if len(found) == len(operators) else None


def resolve_operator(types: TypeFacts, key: IndexColumn, referencing_type: int) -> Operator | None:
    """Return the operator between one index column and a referencing type (base type OID); None when there is none."""
    family, input_type = key.operator_family, key.operator_input
    cross_type = types.equality.get((family, input_type, referencing_type))
    if cross_type is not None and (family, referencing_type, referencing_type) in types.equality:
        return cross_type
    if (referencing_type, input_type) in types.implicit_casts:
        return types.equality.get((family, input_type, input_type))
    return None
