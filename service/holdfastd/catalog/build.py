"""From rows of the catalog queries to frozen values. Pure: in come rows by query name, out goes a Catalog."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from holdfastd.catalog.build_types import Types
from holdfastd.catalog.model import (
    Catalog,
    Column,
    ForeignKey,
    Identity,
    Index,
    IndexColumn,
    Match,
    OnDelete,
    Table,
    TableKind,
    Trigger,
)
from holdfastd.names import ColumnSet, TableName

#: A row as the driver gives it; only this module and its sibling look inside.
Row = Mapping[str, Any]
#: Rows by the name of the query that returned them.
Rows = Mapping[str, Sequence[Row]]

T = TypeVar("T")

_ACTIONS = {
    "a": OnDelete.NO_ACTION,
    "r": OnDelete.RESTRICT,
    "c": OnDelete.CASCADE,
    "n": OnDelete.SET_NULL,
    "d": OnDelete.SET_DEFAULT,
}


def build_catalog(identity: Identity, rows: Rows) -> Catalog:
    """Return the catalog that the rows describe."""
    types = Types(rows)
    names = {row["oid"]: TableName(row["schema"], row["name"]) for row in rows["list_tables"]}
    columns = {oid: {row["number"]: _column(row, types) for row in group} for oid, group in _by_table(rows["list_columns"])}
    indexes = _grouped(rows["list_indexes"], lambda row: _index(row, columns[row["table_oid"]], types))
    foreign_keys = _grouped(rows["list_foreign_keys"], lambda row: _foreign_key(row, names, columns, types))
    triggers = _grouped(rows["list_triggers"], _trigger)
    constraints = dict(_by_table(rows["list_constraints"]))
    tables = {
        names[row["oid"]]: _table(
            row,
            columns=tuple(columns.get(row["oid"], {}).values()),
            indexes=indexes.get(row["oid"], ()),
            foreign_keys=foreign_keys.get(row["oid"], ()),
            triggers=triggers.get(row["oid"], ()),
            constraints=constraints.get(row["oid"], ()),
        )
        for row in rows["list_tables"]
    }
    relation_names = {row["schema"]: frozenset(row["names"]) for row in rows["list_relation_names"]}
    return Catalog(identity=identity, tables=tables, types=types.facts, relation_names=relation_names)


def _table(
    row: Row,
    *,
    columns: tuple[Column, ...],
    indexes: tuple[Index, ...],
    foreign_keys: tuple[ForeignKey, ...],
    triggers: tuple[Trigger, ...],
    constraints: Sequence[Row],
) -> Table:
    return Table(
        oid=row["oid"],
        name=TableName(row["schema"], row["name"]),
        kind=TableKind(row["kind"]),
        columns=columns,
        indexes=indexes,
        foreign_keys=foreign_keys,
        constraint_names=tuple(constraint["name"] for constraint in constraints),
        checks=tuple(constraint["check_sql"] for constraint in constraints if constraint["check_sql"] is not None),
        triggers=triggers,
        row_estimate=row["row_estimate"],
        size_bytes=row["size_bytes"],
        comment=row["comment"],
        persistence=row["persistence"],
        row_security=row["row_security"],
        inherits=row["inherits"],
        has_rules=row["has_rules"],
        owner=row["owner"],
    )


def _column(row: Row, types: Types) -> Column:
    return Column(
        name=row["name"],
        number=row["number"],
        type=types.data_type(row["type_oid"], row["formatted"]),
        not_null=row["not_null"] or types.is_not_null(row["type_oid"]),
        default=row["default_expression"],
        generated=row["generated"],
        identity=row["identity"],
        collation=(row["collation_schema"], row["collation_name"]) if row["collation_name"] is not None else None,
        is_deterministic=row["is_deterministic"],
        comment=row["comment"],
    )


def _index(row: Row, columns: Mapping[int, Column], types: Types) -> Index:
    names = [columns[number].name if number in columns else None for number in row["columns"]]
    key_count = row["key_count"]
    return Index(
        oid=row["oid"],
        name=row["name"],
        method=row["method"],
        key_columns=tuple(
            _index_column(name, operator_class, types)
            for name, operator_class in zip(names[:key_count], row["operator_classes"], strict=True)
        ),
        included_columns=tuple(name for name in names[key_count:] if name is not None),
        is_unique=row["is_unique"],
        is_primary=row["is_primary"],
        is_usable=row["is_usable"],
        predicate=row["predicate"],
        is_immediate=row["is_immediate"],
        nulls_not_distinct=row["nulls_not_distinct"],
        constraint_name=row["constraint_name"],
        definition=row["definition"] or "",
    )


def _index_column(name: str | None, operator_class: int, types: Types) -> IndexColumn:
    family, input_type = types.operator_class(operator_class)
    return IndexColumn(name=name, operator_family=family, operator_input=input_type)


def _foreign_key(row: Row, names: Mapping[int, TableName], columns: Mapping[int, Mapping[int, Column]], types: Types) -> ForeignKey:
    def column_set(table_oid: int, numbers: Iterable[int]) -> ColumnSet:
        return ColumnSet(names[table_oid], tuple(columns[table_oid][number].name for number in numbers))

    return ForeignKey(
        oid=row["oid"],
        name=row["name"],
        referencing=column_set(row["table_oid"], row["referencing_columns"]),
        referenced=column_set(row["referenced_oid"], row["referenced_columns"]),
        on_delete=_ACTIONS[row["on_delete"]],
        on_update=_ACTIONS[row["on_update"]],
        match=Match(row["match"]),
        validated=row["validated"],
        enforced=row["enforced"],
        deferrable=row["deferrable"],
        operators=tuple(types.operator(oid) for oid in row["operators"]),
        set_null_columns=column_set(row["table_oid"], row["set_null_columns"]).columns,
        triggers_enabled=row["triggers_enabled"],
    )


def _trigger(row: Row) -> Trigger:
    return Trigger(name=row["name"], enabled=row["enabled"], type_bits=row["type_bits"])


def _by_table(rows: Iterable[Row]) -> Iterable[tuple[int, list[Row]]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["table_oid"]].append(row)
    return groups.items()


def _grouped(rows: Iterable[Row], build: Callable[[Row], T]) -> dict[int, tuple[T, ...]]:
    return {oid: tuple(build(row) for row in group) for oid, group in _by_table(rows)}
