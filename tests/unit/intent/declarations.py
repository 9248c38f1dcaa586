"""Relationships in one line each, as tests compare them."""

from collections.abc import Iterable
from pathlib import Path

from holdfast.v1.audit_service_pb2 import IntendedRelationship
from holdfast.v1.core_pb2 import OnDelete

ROOT = Path(__file__).resolve().parents[3]


def lines(relationships: Iterable[IntendedRelationship]) -> list[str]:
    """`orders(user_id) -> users(id) CASCADE @ schema.rb:11`; without the action where none is stated."""
    return [
        " ".join(
            filter(
                None,
                (
                    f"{_columns(each.referencing)} -> {_columns(each.referenced)}",
                    OnDelete.Name(each.on_delete).removeprefix("ON_DELETE_") if each.on_delete else "",
                    f"@ {each.origin}",
                ),
            )
        )
        for each in relationships
    ]


def _columns(message: object) -> str:
    schema = f"{message.schema}." if message.schema else ""
    return f"{schema}{message.table}({', '.join(message.columns)})"
