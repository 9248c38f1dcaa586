"""Which operator a foreign key would use between two columns, or that PostgreSQL would refuse one. Pure.

Mirrors ATAddForeignKeyConstraint (src/backend/commands/tablecmds.c): first the cross-type member of the referenced index's operator
family, then the family's own operator if the referencing type casts to it implicitly.
"""

from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Column, DataType, Index, IndexColumn, Operator, Table, TypeFacts
from holdfastd.names import ColumnSet

#: Since 18 a key whose columns are compared by unlike collations is refused; before, it was accepted and could not be trusted.
_COLLATIONS_CHECKED = 180_000

_ANY_ENUM = ("pg_catalog", "anyenum")
#: Input types of operator classes that stand for every type of a kind.
_POLYMORPHIC = frozenset({_ANY_ENUM, *(("pg_catalog", name) for name in ("anyarray", "anyrange", "anymultirange", "record"))})


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
        _resolve_pair(catalog, index_column, referencing_table.column(name), referenced_table.column(key_name))
        for index_column, name, key_name in zip(key.columns, referencing.columns, referenced.columns, strict=True)
    ]
    found = tuple(operator for operator in operators if operator is not None)
    return found if len(found) == len(operators) else None


def resolve_operator(types: TypeFacts, key: IndexColumn, referencing_type: int, *, referenced_type: int | None = None) -> Operator | None:
    """Return the operator between one index column and a referencing type (base type OIDs); None when there is none.

    The index column of an enum, array or range takes any type of its kind; only with the referenced type can it be told whether the
    two columns go together.
    """
    family, input_type = key.operator_family, key.operator_input
    own = types.equality.get((family, input_type, input_type))
    if types.names.get(input_type) in _POLYMORPHIC:
        return own if referencing_type == referenced_type else None
    cross_type = types.equality.get((family, input_type, referencing_type))
    if cross_type is not None and (family, referencing_type, referencing_type) in types.equality:
        return cross_type
    return own if (referencing_type, input_type) in types.implicit_casts else None


def _resolve_pair(catalog: Catalog, key: IndexColumn, referencing: Column, referenced: Column) -> Operator | None:
    """Return the operator of one column pair."""
    types = catalog.types
    if catalog.identity.version_number >= _COLLATIONS_CHECKED and not _do_collations_agree(referencing, referenced):
        return None
    if types.names.get(key.operator_input) == _ANY_ENUM and (_is_domain(referencing.type) or _is_domain(referenced.type)):
        # PostgreSQL looks through domains everywhere but here: a domain over an enum is no enum to it.
        return None
    return resolve_operator(types, key, referencing.type.base_oid, referenced_type=referenced.type.base_oid)


def _do_collations_agree(referencing: Column, referenced: Column) -> bool:
    """Tell whether two columns are compared by one collation, or by two that agree on what is equal."""
    if referencing.collation is None or referenced.collation is None:
        return referencing.collation == referenced.collation
    return referencing.collation == referenced.collation or (referencing.is_deterministic and referenced.is_deterministic)


def _is_domain(kind: DataType) -> bool:
    return kind.oid != kind.base_oid
