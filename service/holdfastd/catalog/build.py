"""From rows of the catalog queries to frozen values. Pure: in come rows by query name, out goes a Catalog."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from holdfastd.catalog.build_types import Types, operators_of, type_facts
from holdfastd.catalog.model import (
    Catalog,
    Column,
    ForeignKey,
    Identity,
    Index,
    IndexColumn,
    Match,
    OnDelete,
    Operator,
    OwnedSequence,
    Partition,
    Place,
    SequenceOptions,
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


class Shared:
    """Keeps one of each equal value: thousands of tables have the same column names, and few kinds of index columns."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def __call__(self, value: T) -> T:
        """Return the value that was first given as this one."""
        known: T = self._known.setdefault(value, value)
        return known


def build_tables(rows: Rows, types: Types, shared: Shared) -> dict[int, Table]:
    """Return the tables that the rows describe, by OID; what depends on other tables is still to come."""
    columns = {oid: {row["number"]: _column(row, types, shared) for row in group} for oid, group in _by_table(rows["list_columns"])}
    indexes = _grouped(rows["list_indexes"], lambda row: _index(row, columns.get(row["table_oid"], {}), types, shared))
    triggers = _grouped(rows["list_triggers"], _trigger)
    sequences = _grouped(rows["list_sequences"], lambda row: _sequence(row, columns.get(row["table_oid"], {}), shared))
    constraints = dict(_by_table(rows["list_constraints"]))
    return {
        row["oid"]: _table(
            row,
            shared,
            columns=tuple(columns.get(row["oid"], {}).values()),
            indexes=indexes.get(row["oid"], ()),
            triggers=triggers.get(row["oid"], ()),
            sequences=sequences.get(row["oid"], ()),
            constraints=constraints.get(row["oid"], ()),
        )
        for row in rows["list_tables"]
    }


def build_catalog(identity: Identity, tables: Mapping[int, Table], rows: Rows) -> Catalog:
    """Return the catalog of these tables, given the rows about what is between them."""
    leaves = {row["oid"]: row for row in rows["list_partitions"]}
    names = {oid: table.name for oid, table in tables.items()} | {oid: TableName(row["schema"], row["name"]) for oid, row in leaves.items()}
    operators = operators_of(rows)
    foreign_keys = _grouped(rows["list_foreign_keys"], lambda row: _foreign_key(row, names, operators))
    partitions = _grouped(
        leaves.values(), lambda row: Partition(name=names[row["oid"]], foreign_keys=_own(foreign_keys.get(row["oid"], ()), row))
    )
    inherited = {row["oid"] for row in rows["list_foreign_keys"] if row["is_inherited"]}
    places = _places(tables, rows["list_partition_places"])
    finished = (
        replace(
            table,
            foreign_keys=tuple(key for key in foreign_keys.get(oid, ()) if key.oid not in inherited),
            partitions=partitions.get(oid, ()),
            place=places.get(oid),
        )
        if oid in foreign_keys or oid in partitions or oid in places
        else table
        for oid, table in tables.items()
    )
    return Catalog(
        identity=identity,
        tables={table.name: table for table in finished},
        types=type_facts(rows, operators),
        relation_names={row["schema"]: frozenset(row["names"]) for row in rows["list_relation_names"]},
    )


def _places(tables: Mapping[int, Table], rows: Iterable[Row]) -> dict[int, Place]:
    """Return the places of tables in their partition trees, as far as the tables are known."""
    known = {row["oid"]: row for row in rows}
    children: dict[int, list[TableName]] = defaultdict(list)
    for oid, row in known.items():
        children[row["parent_oid"] or 0].append(tables[oid].name)
    return {
        oid: Place(
            parent=tables[row["parent_oid"]].name if row["parent_oid"] in tables else None,
            bound=row["bound"],
            key_columns=tuple(row["key_columns"]),
            children=tuple(sorted(children[oid])),
        )
        for oid, row in known.items()
    }


def _own(foreign_keys: Iterable[ForeignKey], leaf: Row) -> tuple[ForeignKey, ...]:
    return tuple(key for key in foreign_keys if key.oid in leaf["key_oids"])


def _table(
    row: Row,
    shared: Shared,
    *,
    columns: tuple[Column, ...],
    indexes: tuple[Index, ...],
    triggers: tuple[Trigger, ...],
    sequences: tuple[OwnedSequence, ...],
    constraints: Sequence[Row],
) -> Table:
    return Table(
        oid=row["oid"],
        name=TableName(shared(row["schema"]), row["name"]),
        kind=TableKind(row["kind"]),
        columns=columns,
        indexes=indexes,
        constraint_names=tuple(constraint["name"] for constraint in constraints),
        checks=tuple(constraint["check_sql"] for constraint in constraints if constraint["check_sql"] is not None),
        check_names=tuple(constraint["name"] for constraint in constraints if constraint["check_sql"] is not None),
        exclusions=tuple(
            (constraint["name"], constraint["exclusion_sql"]) for constraint in constraints if constraint["exclusion_sql"] is not None
        ),
        sequences=sequences,
        triggers=triggers,
        row_estimate=row["row_estimate"],
        size_bytes=row["size_bytes"],
        comment=row["comment"],
        persistence=row["persistence"],
        row_security=row["row_security"],
        inherits=row["inherits"],
        has_rules=row["has_rules"],
        owner=shared(row["owner"]),
        only_referenced=row["only_referenced"],
    )


def _column(row: Row, types: Types, shared: Shared) -> Column:
    return Column(
        name=shared(row["name"]),
        number=row["number"],
        type=types.data_type(row["type_oid"], row["formatted"]),
        not_null=row["not_null"] or types.is_not_null(row["type_oid"]),
        default=shared(row["default_expression"]),
        generated=shared(row["generated"]),
        identity=shared(row["identity"]),
        collation=shared((row["collation_schema"], row["collation_name"])) if row["collation_name"] is not None else None,
        is_deterministic=row["is_deterministic"],
        comment=row["comment"],
    )


def _index(row: Row, columns: Mapping[int, Column], types: Types, shared: Shared) -> Index:
    names = [columns[number].name if number in columns else None for number in row["columns"]]
    key_count = row["key_count"]
    parts = zip(names[:key_count], row["operator_classes"], row["own_collations"], strict=True)
    return Index(
        oid=row["oid"],
        name=row["name"],
        method=shared(row["method"]),
        key_columns=shared(tuple(shared(_index_column(*part, types)) for part in parts)),
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


def _index_column(name: str | None, operator_class: int, has_own_collation: bool, types: Types) -> IndexColumn:  # noqa: FBT001 (a row's part)
    family, input_type = types.operator_class(operator_class)
    return IndexColumn(name=name, operator_family=family, operator_input=input_type, has_own_collation=has_own_collation)


def _foreign_key(row: Row, names: Mapping[int, TableName], operators: Mapping[int, Operator]) -> ForeignKey:
    return ForeignKey(
        oid=row["oid"],
        name=row["name"],
        referencing=ColumnSet(names[row["table_oid"]], tuple(row["referencing_columns"])),
        referenced=ColumnSet(names[row["referenced_oid"]], tuple(row["referenced_columns"])),
        on_delete=_ACTIONS[row["on_delete"]],
        on_update=_ACTIONS[row["on_update"]],
        match=Match(row["match"]),
        validated=row["validated"],
        enforced=row["enforced"],
        deferrable=row["deferrable"],
        deferred=row["deferred"],
        operators=tuple(operators[oid] for oid in row["operators"]),
        set_null_columns=tuple(row["set_null_columns"]),
        triggers_enabled=row["triggers_enabled"],
        definition=row["definition"],
        comment=row["comment"],
    )


def _sequence(row: Row, columns: Mapping[int, Column], shared: Shared) -> OwnedSequence:
    return OwnedSequence(
        column=columns[row["number"]].name,
        schema=shared(row["schema"]),
        name=row["name"],
        options=shared(
            SequenceOptions(
                start=row["start"],
                increment=row["increment"],
                minimum=row["minimum"],
                maximum=row["maximum"],
                cache=row["cache"],
                cycles=row["cycles"],
            )
        ),
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
