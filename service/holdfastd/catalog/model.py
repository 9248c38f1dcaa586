"""What the database declares, as frozen values: one snapshot of pg_catalog, nothing inferred, nothing counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfastd.names import ColumnSet, TableName


class OnDelete(StrEnum):
    """What happens to referencing rows when their referenced row is deleted; values are PostgreSQL's words."""

    NO_ACTION = "NO ACTION"
    RESTRICT = "RESTRICT"
    CASCADE = "CASCADE"
    SET_NULL = "SET NULL"
    SET_DEFAULT = "SET DEFAULT"


class TableKind(StrEnum):
    """pg_class.relkind of the tables we look at."""

    TABLE = "r"
    PARTITIONED = "p"
    FOREIGN = "f"


class Match(StrEnum):
    """pg_constraint.confmatchtype."""

    SIMPLE = "s"
    FULL = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """A type, after resolving domains to what they are made of."""

    #: OID of the declared type (a domain's own).
    oid: int
    #: OID of the base type: equal to `oid` unless a domain.
    base_oid: int
    #: As format_type prints it, with modifiers: `character varying(20)`.
    formatted: str
    #: Base type, schema and name, unquoted: (`pg_catalog`, `varchar`).
    base_schema: str
    base_name: str
    #: pg_type.typcategory of the base type: N numeric, S string, U user-defined (uuid), D date, B boolean, A array, E enum …
    category: str
    #: Of an enum, or of an array of one, in their order; empty for all other types.
    enum_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `not_null` also counts a NOT NULL domain."""

    name: str
    #: pg_attribute.attnum.
    number: int
    type: DataType
    not_null: bool
    #: Default expression as SQL; None when there is none.
    default: str | None = None
    #: '' ordinary, 's' stored, 'v' virtual.
    generated: str = ""
    #: '' none, 'a' always, 'd' by default.
    identity: str = ""
    #: Collation (schema, name); None for types without one.
    collation: tuple[str, str] | None = None
    #: False for a collation under which unequal bytes may be equal text.
    is_deterministic: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceOptions:
    """How a sequence counts."""

    start: int = 1
    increment: int = 1
    minimum: int = 1
    maximum: int = 2**63 - 1
    cache: int = 1
    cycles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedSequence:
    """The sequence of a serial or identity column."""

    column: str
    schema: str
    name: str
    options: SequenceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexColumn:
    """A key column of an index: None as name means an expression."""

    name: str | None
    #: pg_opclass.opcfamily and opcintype of its operator class.
    operator_family: int
    operator_input: int
    #: False when the index compares text by another collation than its column: it is of no use where the column's own is asked for.
    has_own_collation: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index. `key_columns` are the first indnkeyatts; INCLUDE columns are apart."""

    oid: int
    name: str
    #: Access method: btree, hash, gist …
    method: str
    key_columns: tuple[IndexColumn, ...]
    included_columns: tuple[str, ...] = ()
    is_unique: bool = False
    is_primary: bool = False
    #: indisvalid and indisready and indislive.
    is_usable: bool = True
    #: Predicate of a partial index as SQL; None for a full one.
    predicate: str | None = None
    #: Checked at once, not at the end of the transaction (indimmediate).
    is_immediate: bool = True
    #: UNIQUE NULLS NOT DISTINCT.
    nulls_not_distinct: bool = False
    #: Name of the PRIMARY KEY or UNIQUE constraint it belongs to; empty for a plain index.
    constraint_name: str = ""
    definition: str = ""

    @property
    def columns(self) -> tuple[str | None, ...]:
        """Names of the key columns."""
        return tuple(column.name for column in self.key_columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An equality operator as a foreign key uses it: referenced value on the left, referencing value on the right."""

    schema: str
    name: str
    #: Operand types, schema and name, unquoted: operands of other types are cast to these.
    left: tuple[str, str]
    right: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A declared foreign key; partitions' copies (conparentid <> 0) are left out."""

    oid: int
    name: str
    referencing: ColumnSet
    referenced: ColumnSet
    on_delete: OnDelete
    on_update: OnDelete
    match: Match
    validated: bool
    enforced: bool
    deferrable: bool
    #: pg_constraint.conpfeqop, one per column pair.
    operators: tuple[Operator, ...]
    #: Columns of ON DELETE SET NULL (column, …); empty: all.
    set_null_columns: tuple[str, ...] = ()
    #: INITIALLY DEFERRED.
    deferred: bool = False
    #: False when one of its triggers is disabled.
    triggers_enabled: bool = True
    #: As pg_get_constraintdef prints it: of keys that are not validated, and of partitions' own; empty otherwise.
    definition: str = ""
    #: Of a key that is not validated: to declare it again as it was.
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A user trigger (internal ones left out)."""

    name: str
    enabled: bool
    #: pg_trigger.tgtype bits: 1 row, 2 before, 4 insert, 8 delete, 16 update, 64 instead.
    type_bits: int

    def fires_on(self, *, delete: bool = False, update: bool = False, insert: bool = False) -> bool:
        """Tell whether it fires on one of the given events."""
        wanted = (8 if delete else 0) | (16 if update else 0) | (4 if insert else 0)
        return self.enabled and bool(self.type_bits & wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A leaf partition, as far as it differs from its root."""

    name: TableName
    #: Keys declared on the partition itself, not inherited from its root.
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table stands in a partition tree."""

    #: The table it is a partition of; None for a root.
    parent: TableName | None
    #: As FOR VALUES … or DEFAULT; empty for a root.
    bound: str
    #: Columns by which a partitioned table is divided: changing one may move a row to another partition.
    key_columns: tuple[str, ...]
    #: Its own partitions among the tables of the catalog, by name.
    children: tuple[TableName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The SQL text of something that joins tables: a view, a materialised view, or an SQL or PL/pgSQL function."""

    schema: str
    name: str
    #: `view`, `materialized view` or `function`.
    kind: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with all that hangs on it. Partitions are listed with their root only."""

    oid: int
    name: TableName
    kind: TableKind
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    #: Names of all constraints, foreign keys included: new names must differ.
    constraint_names: tuple[str, ...] = ()
    #: CHECK constraints as SQL, and their names in the same order.
    checks: tuple[str, ...] = ()
    check_names: tuple[str, ...] = ()
    #: Exclusion constraints: name and SQL of each.
    exclusions: tuple[tuple[str, str], ...] = ()
    sequences: tuple[OwnedSequence, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    #: pg_class.reltuples; -1 when never analysed.
    row_estimate: float = -1
    size_bytes: int = 0
    comment: str = ""
    #: 'p' permanent, 'u' unlogged.
    persistence: str = "p"
    row_security: bool = False
    #: True when other tables inherit from it without partitioning, or it inherits.
    inherits: bool = False
    has_rules: bool = False
    owner: str = ""
    #: Leaf partitions of a partitioned table that have keys of their own, or lack one that a sibling has.
    partitions: tuple[Partition, ...] = ()
    #: A partition or an extension's table, here only because the key of another table points at it.
    only_referenced: bool = False
    #: Of a partition, or a partitioned table: its place in the tree. Partitions are tables of a catalog only when asked for.
    place: Place | None = None

    def column(self, name: str) -> Column:
        """Return a column by name. KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def has_columns(self, names: tuple[str, ...]) -> bool:
        """Tell whether all names are columns of this table."""
        return {column.name for column in self.columns}.issuperset(names)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key; empty when there is none."""
        for index in self.indexes:
            if index.is_primary:
                return tuple(name for name in index.columns if name is not None)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFacts:
    """What PostgreSQL knows about comparing types: enough to predict whether a foreign key can be made and by which operator."""

    #: (operator family, left type, right type) -> equality operator, btree and hash families of unique indexes.
    equality: Mapping[tuple[int, int, int], Operator]
    #: (from, to) pairs of implicit casts, binary-coercible ones included.
    implicit_casts: frozenset[tuple[int, int]]
    #: Type OID -> (schema, name).
    names: Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which database this is: two connections with equal identities lead to the same database."""

    #: Decimal, from pg_control_system().
    system_identifier: str
    database_oid: int
    database_name: str
    #: server_version_num, such as 180004.
    version_number: int
    #: server_version, such as `18.4`.
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One snapshot of everything above."""

    identity: Identity
    tables: Mapping[TableName, Table]
    types: TypeFacts
    #: Relation names per schema (tables, indexes, sequences, views …): new index names must differ.
    relation_names: Mapping[str, frozenset[str]]
    #: Views and functions, up to a bounded amount of text.
    definitions: tuple[Definition, ...] = ()

    @property
    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """All declared foreign keys."""
        return tuple(key for table in self.tables.values() for key in table.foreign_keys)

    def partitions_below(self, name: TableName) -> tuple[TableName, ...]:
        """Return all partitions below a table, parents before their partitions; none where partitions were not read."""
        place = self.tables[name].place
        children = place.children if place is not None else ()
        return tuple(each for child in children for each in (child, *self.partitions_below(child)))

    def leaves(self, name: TableName) -> tuple[TableName, ...]:
        """Return the tables that hold the rows of a table: itself, or its leaf partitions where partitions were read."""
        table = self.tables[name]
        if table.kind is not TableKind.PARTITIONED or table.place is None:
            return (name,)
        return tuple(each for each in self.partitions_below(name) if self.tables[each].kind is not TableKind.PARTITIONED)

    def tables_above(self, name: TableName) -> tuple[TableName, ...]:
        """Return the partitioned tables that a partition belongs to, the nearest first."""
        place = self.tables[name].place
        if place is None or place.parent is None:
            return ()
        return (place.parent, *self.tables_above(place.parent))
