"""What findings promise of plans is what plans do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, Match, OnDelete, TableKind
from holdfastd.evidence.model import Exactness
from holdfastd.findings.plannable import hindrance, is_plannable
from holdfastd.inference.model import Candidate, Relationship
from holdfastd.inference.relationships import derive_relationships
from holdfastd.plan.decide import decide, impossibilities
from holdfastd.plan.model import Override
from support.builders import a_catalog, a_foreign_key, a_table, columns

ORDERS, USERS = columns("orders", "user_id"), columns("users", "id")
KEY = a_foreign_key(ORDERS, USERS, validated=False)
DECLARED = {
    "not valid": {},
    "valid": {"validated": True},
    "not enforced": {"enforced": False},
    "deferrable": {"deferrable": True},
    "full": {"match": Match.FULL},
    "on update": {"on_update": OnDelete.CASCADE},
    "some columns": {"set_null_columns": ("user_id",)},
}
TABLES = {
    "plain": ({}, {}),
    "partitioned": ({"kind": TableKind.PARTITIONED}, {}),
    "partitioned, referenced": ({}, {"kind": TableKind.PARTITIONED}),
    "foreign": ({"kind": TableKind.FOREIGN}, {}),
    "foreign, referenced": ({}, {"kind": TableKind.FOREIGN}),
    "unlogged": ({"persistence": "u"}, {"persistence": "u"}),
    "unlogged, referenced": ({}, {"persistence": "u"}),
    "not unique": ({}, {"indexes": ()}),
}


def a_shop(*keys: object, changes: tuple[dict[str, object], dict[str, object]] = ({}, {})) -> Catalog:
    orders = a_table("orders", "user_id integer", foreign_keys=keys)
    return a_catalog(replace(orders, **changes[0]), replace(a_table("users"), **changes[1]))


def catalogs() -> Iterator[tuple[str, Catalog]]:
    yield from ((name, a_shop(changes=changes)) for name, changes in TABLES.items())
    yield from ((f"key {name}", a_shop(replace(KEY, **changes))) for name, changes in DECLARED.items())
    yield from ((f"key, {name}", a_shop(KEY, changes=changes)) for name, changes in TABLES.items())
    orders = a_table("orders", "user_id integer")
    virtual = tuple(replace(column, generated="v" if column.name == "user_id" else "") for column in orders.columns)
    yield "virtual", a_catalog(replace(orders, columns=virtual), a_table("users"))


CATALOGS = dict(catalogs())


def between(catalog: Catalog, exactness: Exactness) -> Relationship:
    candidates = [] if catalog.foreign_keys else [Candidate(referencing=ORDERS, referenced=USERS, confidence=0.95, evidence=())]
    (relationship,) = derive_relationships(catalog, candidates, {})
    return replace(relationship, orphan_rows=replace(relationship.orphan_rows, exactness=exactness, reason="a reason"))


@pytest.mark.parametrize("exactness", [Exactness.EXACT, Exactness.NOT_COUNTED])
@pytest.mark.parametrize("name", CATALOGS)
def test_what_is_called_plannable_is_planned(name: str, exactness: Exactness) -> None:
    """And what is not, is not, even when a caller asks for it."""
    catalog = CATALOGS[name]
    relationship = between(catalog, exactness)
    overrides = [] if next(impossibilities(catalog, relationship), "") else [Override(relationship_id=relationship.id, include=True)]
    (decision,) = decide(catalog, [relationship], overrides)

    assert is_plannable(catalog, relationship) == decision.included, decision.reason


@pytest.mark.parametrize("name", CATALOGS)
def test_a_hindrance_is_half_a_sentence(name: str) -> None:
    catalog = CATALOGS[name]
    reason = hindrance(catalog, between(catalog, Exactness.EXACT))

    assert not reason or between(catalog, Exactness.EXACT).obstacle == reason or not reason.endswith(".")
