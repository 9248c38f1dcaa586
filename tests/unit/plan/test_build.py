"""The order of steps, their locks and hazards, and what counts as drift."""

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import Reason, Refused
from holdfastd.evidence.model import Closure
from holdfastd.names import TableName
from holdfastd.plan.build import build_plan, names_made, tables_of
from holdfastd.plan.decide import decide, settle
from holdfastd.plan.facts import drift, read_facts
from holdfastd.plan.model import HazardKind, LockLevel, LockPolicy, StepKind
from support.builders import a_catalog, a_table
from unit.plan.conftest import a_relationship

ORDERS = TableName("public", "orders")


def a_plan(catalog, *relationships, closures=None):
    decisions = settle(decide(catalog, relationships, ()), closures or {}, ())
    return build_plan(catalog, relationships, decisions, closures or {})


def test_enforcement_starts_before_the_cleanup(shop):
    """Indexes, keys NOT VALID, cleanup, validation, verification: in this order no orphan row slips in between."""
    plan = a_plan(shop, a_relationship(shop, "orders", "customer_id", "customers", orphans=3))

    assert [step.kind for step in plan.steps] == [
        StepKind.PREPARE,
        StepKind.CREATE_INDEX,
        StepKind.ADD_FOREIGN_KEY,
        StepKind.CLEAN_UP,
        StepKind.VALIDATE_FOREIGN_KEY,
        StepKind.VERIFY,
    ]
    assert [step.number for step in plan.steps] == [1, 2, 3, 4, 5, 6]


def test_orphans_that_stay_keep_the_key_not_valid(shop):
    """RESTRICT with orphan rows: the key is added, the rows are left and reported, nothing is validated."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers", suggested_on_delete=OnDelete.RESTRICT, orphans=3)
    plan = a_plan(shop, relationship)
    added = next(step for step in plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY)

    assert not {StepKind.CLEAN_UP, StepKind.VALIDATE_FOREIGN_KEY}.intersection(step.kind for step in plan.steps)
    assert HazardKind.ORPHANS_REMAIN in {hazard.kind for hazard in added.hazards}


@pytest.mark.parametrize(
    ("kind", "level", "policy"),
    [
        (StepKind.CREATE_INDEX, LockLevel.SHARE_UPDATE_EXCLUSIVE, LockPolicy.BUILD),
        (StepKind.ADD_FOREIGN_KEY, LockLevel.SHARE_ROW_EXCLUSIVE, LockPolicy.SHORT),
        (StepKind.CLEAN_UP, LockLevel.SHARE, LockPolicy.SHORT),
        (StepKind.VALIDATE_FOREIGN_KEY, LockLevel.SHARE_UPDATE_EXCLUSIVE, LockPolicy.LONG),
    ],
)
def test_the_plan_tells_the_locks(shop, kind, level, policy):
    """Lock levels are PostgreSQL's, measured; what blocks others while it waits has the short policy."""
    plan = a_plan(shop, a_relationship(shop, "orders", "customer_id", "customers", orphans=3))
    statement = next(step for step in plan.steps if step.kind is kind).statements[0]

    assert (statement.locks[0].level, statement.lock_policy) == (level, policy)


def test_undoing_a_key_tells_its_access_exclusive_locks(shop):
    """DROP CONSTRAINT takes ACCESS EXCLUSIVE on both tables: the risky direction says so."""
    plan = a_plan(shop, a_relationship(shop, "orders", "customer_id", "customers"))
    [undo] = next(step for step in plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY).undo

    assert {(str(lock.table), lock.level) for lock in undo.locks} == {
        ("public.orders", LockLevel.ACCESS_EXCLUSIVE),
        ("public.customers", LockLevel.ACCESS_EXCLUSIVE),
    }


@pytest.mark.parametrize(("rows", "large"), [(50, False), (51, True)])
def test_large_closures_are_a_hazard(shop, rows, large):
    """More than 5 % of a table (of 1000 rows) is worth a second look."""
    relationship = a_relationship(shop, "orders", "customer_id", "customers", orphans=rows)
    plan = a_plan(shop, relationship, closures={relationship.id: Closure(rows={ORDERS: rows})})
    hazards = {hazard.kind for step in plan.steps for hazard in step.hazards}

    assert (HazardKind.LARGE_CLOSURE in hazards) is large


def test_nothing_to_do_is_said(shop):
    """A plan without a relationship is refused."""
    with pytest.raises(Refused) as refusal:
        a_plan(shop)

    assert refusal.value.reason is Reason.PLAN_EMPTY


def test_drift_names_what_changed(shop):
    """A column of another type is told as gone and new; what the plan makes itself is none."""
    plan = a_plan(shop, a_relationship(shop, "orders", "customer_id", "customers"))
    changed = a_catalog(
        a_table("customers", "name text"),
        a_table("orders", "customer_id bigint not null", "note text", indexes=[("customer_id",)]),
    )
    tables = tables_of(plan.steps, plan.decisions)
    lines = drift(plan.facts, read_facts(changed, tables, ours=names_made(plan.steps) | {"orders_customer_id_idx"}))

    assert [line.split(",")[0] for line in lines] == ["gone: column public.orders.customer_id", "new: column public.orders.customer_id"]


def test_statements_are_what_a_dba_expects(shop):
    """The SQL of index, key and validation, to the letter."""
    plan = a_plan(shop, a_relationship(shop, "orders", "customer_id", "customers"))
    sql = [step.statements[0].sql for step in plan.steps if step.object_name]

    assert sql == [
        'CREATE INDEX CONCURRENTLY "orders_customer_idx" ON "public"."orders" ("customer_id")',
        'ALTER TABLE "public"."orders" ADD CONSTRAINT "fk_orders_customer" FOREIGN KEY ("customer_id")'
        ' REFERENCES "public"."customers" ("id") ON DELETE CASCADE NOT VALID',
        'ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "fk_orders_customer"',
    ]
