"""A shop: customers, and orders that reference them without a key."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Relationship, Risk, Tier
from support.builders import a_catalog, a_table, columns

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_relationship(catalog: Catalog, referencing: str, column: str, referenced: str, **changes: object) -> Relationship:
    """Return an undeclared relationship to the `id` of another table; orphans=N counts them."""
    orphans = int(str(changes.pop("orphans", 0)))
    source, target = columns(referencing, column), columns(referenced, "id")
    relationship = Relationship(
        referencing=source,
        referenced=target,
        declared=False,
        validated=False,
        enforced=True,
        constraint_name="",
        declared_on_delete=None,
        nullable=not catalog.tables[source.table].column(column).not_null,
        confidence=0.95,
        tier=Tier.PLAN,
        evidence=(),
        orphan_rows=RowCount(value=orphans, exactness=Exactness.EXACT, as_of=NOW),
        risk=Risk.MEDIUM,
        suggested_on_delete=OnDelete.CASCADE,
        rationale="Orders belong to their customer.",
        indexed=False,
        obstacle="",
        operators=resolve_operators(catalog, source, target) or (),
    )
    return replace(relationship, **changes)


@pytest.fixture
def shop() -> Catalog:
    return a_catalog(
        a_table("customers", "name text"),
        a_table("orders", "customer_id integer not null", "note text", row_estimate=1000),
    )
