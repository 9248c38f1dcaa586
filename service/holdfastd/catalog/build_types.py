"""From rows about types and operators to values. Pure; sibling of build.py."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfastd.catalog.model import DataType, Operator, TypeFacts

_Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class Types:
    """Looks up types and operator classes by OID while tables are built."""

    def __init__(self, rows: _Rows) -> None:
        self._types = {row["oid"]: row for row in rows["list_types"]}
        self._classes = {row["oid"]: (row["family"], row["input_type"]) for row in rows["list_operator_classes"]}
        # Most columns share few types; one value for all of them keeps large catalogs small.
        self._made: dict[tuple[int, str], DataType] = {}

    def data_type(self, oid: int, formatted: str) -> DataType:
        """Return a column's type, domains resolved."""
        made = self._made.get((oid, formatted))
        if made is None:
            row = self._types[oid]
            made = self._made[oid, formatted] = DataType(
                oid=oid,
                base_oid=row["base_oid"],
                formatted=formatted,
                base_schema=row["base_schema"],
                base_name=row["base_name"],
                category=row["category"],
                enum_labels=tuple(row["enum_labels"]),
            )
        return made

    def is_not_null(self, oid: int) -> bool:
        """Tell whether a type is a domain that admits no NULL."""
        return bool(self._types[oid]["not_null"])

    def operator_class(self, oid: int) -> tuple[int, int]:
        """Return the operator family and input type of an operator class."""
        return self._classes[oid]


def operators_of(rows: _Rows) -> dict[int, Operator]:
    """Return the operators by OID."""
    names = _type_names(rows)
    return {
        row["oid"]: Operator(schema=row["schema"], name=row["name"], left=names[row["left_type"]], right=names[row["right_type"]])
        for row in rows["list_operators"]
    }


def type_facts(rows: _Rows, operators: Mapping[int, Operator]) -> TypeFacts:
    """Return how types compare."""
    names = _type_names(rows)
    return TypeFacts(
        equality={
            (row["family"], row["left_type"], row["right_type"]): operators[row["operator"]] for row in rows["list_equality_members"]
        },
        # The casts of pg_cast, and every type is itself.
        implicit_casts=frozenset((row["source"], row["target"]) for row in rows["list_implicit_casts"]) | {(oid, oid) for oid in names},
        names=names,
    )


def _type_names(rows: _Rows) -> dict[int, tuple[str, str]]:
    return {row["oid"]: (row["schema"], row["name"]) for row in rows["list_type_names"]}
