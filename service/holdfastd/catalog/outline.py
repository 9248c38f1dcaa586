"""What people and other tools need to know of tables, kept with an audit: no OIDs, no operators. Pure.

In comes a catalog; out comes one outline per table, by name.
"""

from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Column, ForeignKey, Index, Match, OnDelete, OwnedSequence, Table, TableKind
from holdfastd.names import ColumnSet, TableName, identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOutline:
    """A column."""

    name: str
    #: With modifiers, as SQL writes it: `character varying(20)`.
    type: str
    #: What it is made of, domains and modifiers aside: (`pg_catalog`, `varchar`); an array's begins with `_`.
    base_schema: str
    base_name: str
    #: pg_type.typcategory of the base type.
    category: str
    #: Of an enum, or of an array of one; empty for all other types.
    enum_labels: tuple[str, ...] = ()
    not_null: bool = False
    #: As SQL; of a generated column its expression. None: there is none.
    default: str | None = None
    #: '' ordinary, 's' stored, 'v' virtual.
    generated: str = ""
    #: '' none, 'a' always, 'd' by default.
    identity: str = ""
    #: As SQL, where it is not the database's own; empty otherwise, and for types without one.
    collation: str = ""
    #: Of a serial or identity column; None: it owns none.
    sequence: OwnedSequence | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOutline:
    """An index."""

    name: str
    #: Names of its key columns; None for an expression.
    columns: tuple[str | None, ...]
    included_columns: tuple[str, ...] = ()
    method: str = "btree"
    is_unique: bool = False
    is_primary: bool = False
    is_usable: bool = True
    #: Predicate of a partial index as SQL; None for a full one.
    predicate: str | None = None
    nulls_not_distinct: bool = False
    #: Name of the PRIMARY KEY or UNIQUE constraint it belongs to; empty for a plain index.
    constraint_name: str = ""
    #: Of a constraint that is DEFERRABLE.
    is_deferrable: bool = False
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOutline:
    """A declared foreign key."""

    name: str
    referencing: ColumnSet
    referenced: ColumnSet
    on_delete: OnDelete
    on_update: OnDelete
    match: Match = Match.SIMPLE
    deferrable: bool = False
    #: INITIALLY DEFERRED.
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    set_null_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOutline:
    """A table."""

    name: TableName
    kind: TableKind
    columns: tuple[ColumnOutline, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[IndexOutline, ...] = ()
    foreign_keys: tuple[KeyOutline, ...] = ()
    #: CHECK constraints as SQL, and their names in the same order.
    checks: tuple[str, ...] = ()
    check_names: tuple[str, ...] = ()
    #: Exclusion constraints: name and SQL of each; the index of one has its name.
    exclusions: tuple[tuple[str, str], ...] = ()
    row_security: bool = False
    #: -1 when never analysed.
    row_estimate: float = -1
    size_bytes: int = 0
    comment: str = ""
    #: What it seems to be for, in a few words; empty when nothing tells.
    purpose: str = ""


def outline(catalog: Catalog) -> tuple[TableOutline, ...]:
    """Return an outline of every table, by name."""
    return tuple(_table(catalog.tables[name]) for name in sorted(catalog.tables))


def _table(table: Table) -> TableOutline:
    sequences = {sequence.column: sequence for sequence in table.sequences}
    return TableOutline(
        name=table.name,
        kind=table.kind,
        columns=tuple(_column(column, sequences.get(column.name)) for column in table.columns),
        primary_key=table.primary_key,
        indexes=tuple(_index(index) for index in sorted(table.indexes, key=lambda index: index.name)),
        foreign_keys=tuple(_key(key) for key in table.foreign_keys),
        checks=table.checks,
        check_names=table.check_names,
        exclusions=table.exclusions,
        row_security=table.row_security,
        row_estimate=table.row_estimate,
        size_bytes=table.size_bytes,
        comment=table.comment,
    )


def _column(column: Column, sequence: OwnedSequence | None) -> ColumnOutline:
    return ColumnOutline(
        name=column.name,
        type=column.type.formatted,
        base_schema=column.type.base_schema,
        base_name=column.type.base_name,
        category=column.type.category,
        enum_labels=column.type.enum_labels,
        not_null=column.not_null,
        default=column.default,
        generated=column.generated,
        identity=column.identity,
        collation=_collation(column),
        sequence=sequence,
        comment=column.comment,
    )


def _collation(column: Column) -> str:
    # The type `name` compares by "C" without being told.
    if column.collation in {None, ("pg_catalog", "default")} or column.type.base_name == "name":
        return ""
    return ".".join(identifier(part) for part in column.collation or ())


def _index(index: Index) -> IndexOutline:
    return IndexOutline(
        name=index.name,
        columns=index.columns,
        included_columns=index.included_columns,
        method=index.method,
        is_unique=index.is_unique,
        is_primary=index.is_primary,
        is_usable=index.is_usable,
        predicate=index.predicate,
        nulls_not_distinct=index.nulls_not_distinct,
        constraint_name=index.constraint_name,
        is_deferrable=not index.is_immediate,
        definition=index.definition,
    )


def _key(key: ForeignKey) -> KeyOutline:
    return KeyOutline(
        name=key.name,
        referencing=key.referencing,
        referenced=key.referenced,
        on_delete=key.on_delete,
        on_update=key.on_update,
        match=key.match,
        deferrable=key.deferrable,
        deferred=key.deferred,
        validated=key.validated,
        enforced=key.enforced,
        set_null_columns=key.set_null_columns,
    )
