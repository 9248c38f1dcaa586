"""Catalog values in one line each, so that a pure test states a rule and nothing else.

Columns are written as in DDL: `"user_id uuid not null"`. Only what decides a foreign key is filled in: types, operators, keys, nullability.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

from holdfastd.catalog.model import (
    Catalog,
    Column,
    DataType,
    Definition,
    ForeignKey,
    Identity,
    Index,
    IndexColumn,
    Match,
    OnDelete,
    Operator,
    Table,
    TableKind,
    TypeFacts,
)
from holdfastd.catalog.operators import resolve_operators
from holdfastd.names import ColumnSet, TableName

#: Built-in types: spelling -> (OID, category, btree family, input type of its default operator class). Values from pg_type and pg_opclass.
BUILT_IN = {
    "bigint": (20, "N", 1976, 20),
    "smallint": (21, "N", 1976, 21),
    "integer": (23, "N", 1976, 23),
    "numeric": (1700, "N", 1988, 1700),
    "real": (700, "N", 1970, 700),
    "double precision": (701, "N", 1970, 701),
    "text": (25, "S", 1994, 25),
    "character varying": (1043, "S", 1994, 25),
    "character": (1042, "S", 426, 1042),
    "uuid": (2950, "U", 2968, 2950),
    "boolean": (16, "B", 424, 16),
    "bytea": (17, "U", 428, 17),
    "date": (1082, "D", 434, 1082),
    "timestamp without time zone": (1114, "D", 434, 1114),
    "timestamp with time zone": (1184, "D", 434, 1184),
    "time without time zone": (1083, "D", 1996, 1083),
    "jsonb": (3802, "U", 4033, 3802),
    "json": (114, "U", 0, 0),
    "inet": (869, "I", 1974, 869),
    "interval": (1186, "T", 1982, 1186),
}
_SPELLINGS = {"int": "integer", "varchar": "character varying", "char": "character", "timestamptz": "timestamp with time zone"}
_CROSS_TYPE_FAMILIES = {1976: (20, 21, 23), 1970: (700, 701), 434: (1082, 1114, 1184)}
_IMPLICIT_CASTS = frozenset(
    {(21, 23), (21, 20), (23, 20), (21, 1700), (23, 1700), (20, 1700), (21, 701), (23, 701), (20, 701), (1700, 701), (700, 701)}
    | {(1043, 25), (25, 1043), (1042, 25), (1042, 1043), (25, 1042), (1043, 1042), (1082, 1114), (1082, 1184), (1114, 1184)}
)
_numbers = itertools.count(16_384)


def table_name(text: str) -> TableName:
    """Return `schema.name`, or `name` in schema public, as a table name."""
    schema, _, name = text.rpartition(".")
    return TableName(schema or "public", name)


def columns(table: str, *names: str) -> ColumnSet:
    """Return columns of a table."""
    return ColumnSet(table_name(table), names)


def a_type(formatted: str) -> DataType:
    """Return a built-in type as format_type prints it, an array of one, or (any other name) an enum."""
    bare = re.sub(r"\([^)]*\)", "", formatted).strip()
    bare = _SPELLINGS.get(bare, bare)
    if bare.endswith("[]"):
        return DataType(oid=1, base_oid=1, formatted=formatted, base_schema="pg_catalog", base_name="_" + bare[:-2], category="A")
    if bare in BUILT_IN:
        oid, category, _, _ = BUILT_IN[bare]
        return DataType(oid=oid, base_oid=oid, formatted=formatted, base_schema="pg_catalog", base_name=bare, category=category)
    oid = 1_000_000 + sum(ord(letter) * 31**place for place, letter in enumerate(bare)) % 1_000_000_007
    return DataType(oid=oid, base_oid=oid, formatted=formatted, base_schema="public", base_name=bare, category="E")


def a_column(definition: str, number: int = 1) -> Column:
    """Return a column from `name type [not null] [default …]`; a name with spaces is double-quoted."""
    match = re.match(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>\S+))\s+(?P<rest>.+)\Z', definition)
    assert match, definition
    rest, _, default = match["rest"].partition(" default ")
    not_null = rest.endswith(" not null")
    return Column(
        name=match["quoted"] or match["plain"],
        number=number,
        type=a_type(rest.removesuffix(" not null")),
        not_null=not_null,
        default=default or None,
    )


def an_index(
    *names: str,
    name: str = "",
    types: Iterable[DataType] = (),
    unique: bool = False,
    primary: bool = False,
    predicate: str | None = None,
    method: str = "btree",
) -> Index:
    """Return an index on columns; without types its operator classes are those of integer."""
    kinds = list(types) or [a_type("integer")] * len(names)
    return Index(
        oid=next(_numbers),
        name=name or "_".join(names) + "_idx",
        method=method,
        key_columns=tuple(
            IndexColumn(name=column, operator_family=_family(kind)[0], operator_input=_family(kind)[1])
            for column, kind in zip(names, kinds, strict=True)
        ),
        is_unique=unique or primary,
        is_primary=primary,
        predicate=predicate,
    )


def a_table(
    name: str,
    *definitions: str,
    key: str | tuple[str, ...] = "id",
    unique: Iterable[tuple[str, ...]] = (),
    indexes: Iterable[tuple[str, ...]] = (),
    foreign_keys: Iterable[ForeignKey] = (),
    checks: tuple[str, ...] = (),
    row_estimate: float = -1,
) -> Table:
    """Return a table; key columns are NOT NULL, and `id` is the primary key (an integer unless defined) when nothing else is said."""
    key_columns = (key,) if isinstance(key, str) and key else tuple(key)
    written = [a_column(definition, number) for number, definition in enumerate(definitions, start=2)]
    names = {column.name for column in written}
    if key_columns == ("id",) and "id" not in names:
        written.insert(0, a_column("id integer not null"))
    finished = tuple(_not_null(column) if column.name in key_columns else column for column in written)
    types = {column.name: column.type for column in finished}

    def index(columns: tuple[str, ...], *, unique: bool = False, primary: bool = False) -> Index:
        title = f"{table_name(name).name}_{'_'.join(columns)}_{'pkey' if primary else 'key' if unique else 'idx'}"
        return an_index(*columns, name=title, types=[types[column] for column in columns], unique=unique, primary=primary)

    made = [index(key_columns, primary=True)] if key_columns else []
    made += [index(columns, unique=True) for columns in unique]
    made += [index(columns) for columns in indexes]
    return Table(
        oid=next(_numbers),
        name=table_name(name),
        kind=TableKind.TABLE,
        columns=finished,
        indexes=tuple(made),
        foreign_keys=tuple(foreign_keys),
        checks=checks,
        row_estimate=row_estimate,
    )


def a_foreign_key(
    referencing: ColumnSet,
    referenced: ColumnSet,
    on_delete: OnDelete = OnDelete.NO_ACTION,
    *,
    validated: bool = True,
    enforced: bool = True,
    of: str = "integer",
) -> ForeignKey:
    """Return a declared foreign key on columns of one type; a catalog gives it the operators of its columns."""
    equal = Operator(schema="pg_catalog", name="=", left=("pg_catalog", of), right=("pg_catalog", of))
    return ForeignKey(
        oid=next(_numbers),
        name=f"{referencing.table.name}_{'_'.join(referencing.columns)}_fkey",
        referencing=referencing,
        referenced=referenced,
        on_delete=on_delete,
        on_update=OnDelete.NO_ACTION,
        match=Match.SIMPLE,
        validated=validated,
        enforced=enforced,
        deferrable=False,
        operators=(equal,) * len(referencing.columns),
    )


def a_catalog(*tables: Table) -> Catalog:
    """Return a catalog of these tables with the comparisons of the built-in types."""
    names: dict[str, set[str]] = {}
    for table in tables:
        names.setdefault(table.name.schema, set()).update({table.name.name, *(index.name for index in table.indexes)})
    catalog = Catalog(
        identity=Identity(system_identifier="7", database_oid=5, database_name="sample", version_number=180_004, version="18.4"),
        tables={table.name: table for table in tables},
        types=_type_facts(tables),
        relation_names={schema: frozenset(relations) for schema, relations in names.items()},
    )
    return replace(catalog, tables={table.name: _with_operators(catalog, table) for table in tables})


def _with_operators(catalog: Catalog, table: Table) -> Table:
    """Give declared keys the operators that the server would have chosen."""
    keys = table.foreign_keys
    known = [key.referenced.table in catalog.tables and resolve_operators(catalog, key.referencing, key.referenced) for key in keys]
    return replace(table, foreign_keys=tuple(replace(key, operators=ops or key.operators) for key, ops in zip(keys, known, strict=True)))


def a_view(name: str, sql: str) -> Definition:
    """Return a view with the SQL that PostgreSQL would print for it."""
    return Definition(schema=table_name(name).schema, name=table_name(name).name, kind="view", sql=sql)


def a_function(name: str, body: str) -> Definition:
    """Return a function in SQL or PL/pgSQL."""
    return Definition(schema=table_name(name).schema, name=table_name(name).name, kind="function", sql=body)


def with_definitions(catalog: Catalog, *definitions: Definition) -> Catalog:
    """Return a catalog with these views and functions."""
    return replace(catalog, definitions=definitions)


def _not_null(column: Column) -> Column:
    return Column(name=column.name, number=column.number, type=column.type, not_null=True, default=column.default)


def _family(kind: DataType) -> tuple[int, int]:
    """Operator family and input type; every enum gets a family of its own, which is all that comparing needs."""
    known = BUILT_IN.get(kind.base_name)
    return (known[2], known[3]) if known else (kind.base_oid, kind.base_oid)


def _type_facts(tables: Iterable[Table]) -> TypeFacts:
    names = {oid: ("pg_catalog", name) for name, (oid, _, _, _) in BUILT_IN.items()}
    inputs = {(family, entry) for _, _, family, entry in BUILT_IN.values() if family}
    for column in (column for table in tables for column in table.columns if column.type.category == "E"):
        inputs.add((column.type.base_oid, column.type.base_oid))
        names[column.type.base_oid] = (column.type.base_schema, column.type.base_name)
    pairs = {(family, entry, entry) for family, entry in inputs}
    for family, members in _CROSS_TYPE_FAMILIES.items():
        pairs |= {(family, left, right) for left in members for right in members}
    equality = {
        (family, left, right): Operator(schema="pg_catalog", name="=", left=names[left], right=names[right])
        for family, left, right in pairs
    }
    return TypeFacts(equality=equality, implicit_casts=_IMPLICIT_CASTS, names=names)
