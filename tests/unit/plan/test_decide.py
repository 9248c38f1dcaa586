"""What is planned, what is not, and what is refused."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import NotFound, Reason, Refused
from holdfastd.evidence.model import Closure, Exactness
from holdfastd.inference.model import Tier
from holdfastd.names import TableName
from holdfastd.plan.decide import decide, settle
from holdfastd.plan.model import OrphanAction, Override
from support.builders import a_catalog, a_table
from unit.plan.conftest import a_relationship


def one(catalog, relationship, *overrides):
    [decision] = decide(catalog, [relationship], overrides)
    return decision


@pytest.mark.parametrize(
    ("on_delete", "action"),
    [
        (OnDelete.CASCADE, OrphanAction.DELETE),
        (OnDelete.SET_NULL, OrphanAction.SET_NULL),
        (OnDelete.RESTRICT, OrphanAction.LEAVE),
        (OnDelete.NO_ACTION, OrphanAction.LEAVE),
    ],
)
def test_orphans_go_the_way_of_on_delete(on_delete, action):
    """CASCADE deletes, SET NULL sets NULL, the blocking ones leave."""
    catalog = a_catalog(a_table("customers"), a_table("orders", "customer_id integer"))
    relationship = a_relationship(catalog, "orders", "customer_id", "customers", suggested_on_delete=on_delete, orphans=3)

    assert one(catalog, relationship).orphan_action is action


def test_low_confidence_is_listed_not_planned(shop):
    """A relationship to review is left out with its reason, and included when the policy says so."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers", tier=Tier.REVIEW, confidence=0.5)
    asked = Override(relationship_id=relationship.id, include=True)

    assert (one(shop, relationship).included, one(shop, relationship, asked).included) == (False, True)
    assert "0.50" in one(shop, relationship).reason


def test_uncounted_rows_are_not_planned(shop):
    """Nobody approves a cleanup of an unknown number of rows."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers")
    uncounted = replace(relationship.orphan_rows, exactness=Exactness.NOT_COUNTED, reason="no SELECT")

    assert not one(shop, replace(relationship, orphan_rows=uncounted)).included


def test_set_null_needs_a_primary_key_to_restore_by():
    """Without one the rows could not be found again: they are left, and asking for it is refused."""
    catalog = a_catalog(a_table("customers"), a_table("visits", "customer_id integer", key=""))
    relationship = a_relationship(catalog, "visits", "customer_id", "customers", suggested_on_delete=OnDelete.SET_NULL, orphans=1)
    asked = Override(relationship_id=relationship.id, orphan_action=OrphanAction.SET_NULL)

    assert one(catalog, relationship).orphan_action is OrphanAction.LEAVE
    with pytest.raises(Refused):
        one(catalog, relationship, asked)


@pytest.mark.parametrize(
    "override",
    [
        {"on_delete": OnDelete.SET_NULL},
        {"on_delete": OnDelete.SET_DEFAULT},
        {"orphan_action": OrphanAction.SET_NULL},
        {"orphan_action": OrphanAction.REPOINT, "repoint_to": ("1", "2")},
    ],
)
def test_what_postgresql_cannot_do_is_refused(shop, override):
    """SET NULL on NOT NULL columns, SET DEFAULT, and values that do not fit the key."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers")
    with pytest.raises(Refused) as refusal:
        one(shop, relationship, Override(relationship_id=relationship.id, **override))

    assert refusal.value.reason is Reason.PLAN_INFEASIBLE


def test_unknown_relationship_is_not_found(shop):
    """An override must name a relationship of the audit."""
    with pytest.raises(NotFound):
        decide(shop, [], [Override(relationship_id="public.a(b)->public.c(d)")])


def test_names_differ_from_what_exists_and_from_each_other():
    """Constraint names are unique per table, index names per schema, 63 bytes at most."""
    long = "x" * 60 + "_id"
    catalog = a_catalog(
        a_table("customers"), replace(a_table("orders", f"{long} integer", "customer_id integer"), constraint_names=("fk_orders_customer",))
    )
    first = one(catalog, a_relationship(catalog, "orders", "customer_id", "customers"))
    second = one(catalog, a_relationship(catalog, "orders", long, "customers"))

    assert (first.constraint_name, first.index_name) == ("fk_orders_customer_2", "orders_customer_idx")
    assert len(second.constraint_name.encode()) <= 63
    assert len(second.index_name.encode()) <= 63


def test_blocked_cleanup_is_left_and_says_why(shop):
    """What a RESTRICT key protects is not deleted; asked for, it is refused."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers", orphans=3)
    closures = {relationship.id: Closure(rows={TableName("public", "orders"): 3}, blocked="2 rows of refunds reference them")}
    asked = Override(relationship_id=relationship.id, orphan_action=OrphanAction.DELETE)
    [left] = settle(decide(shop, [relationship], ()), closures, ())

    assert left.orphan_action is OrphanAction.LEAVE
    assert "refunds" in left.reason
    with pytest.raises(Refused):
        settle(decide(shop, [relationship], [asked]), closures, [asked])
