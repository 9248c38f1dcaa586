"""Plans for partitioned tables: which steps, in which order, on which version, and what they say."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, OnDelete, Place, TableKind
from holdfastd.errors import Reason, Refused
from holdfastd.evidence.model import Closure
from holdfastd.names import TableName
from holdfastd.plan.build import build_plan
from holdfastd.plan.decide import decide, settle
from holdfastd.plan.edges import enforced_edges
from holdfastd.plan.model import HazardKind, LockLevel, OrphanAction, Override, Plan, StepKind
from holdfastd.plan.withdraw import withdraw
from support.builders import a_catalog, a_foreign_key, a_table, an_index, columns
from unit.plan.conftest import a_relationship

KEY = "public.events(customer_id)->public.customers(id)"
LOW, HIGH = (TableName("public", name) for name in ("events_low", "events_high"))


def a_tree(version: int, **changes: dict[str, object]) -> Catalog:
    """Return customers, and events with two partitions; changes by table name."""
    tables = [a_table("customers")]
    for name in ("events", "events_low", "events_high"):
        is_root = name == "events"
        place = Place(
            parent=None if is_root else TableName("public", "events"),
            bound="" if is_root else "FOR VALUES …",
            key_columns=("id",) if is_root else (),
            children=(HIGH, LOW) if is_root else (),
        )
        table = replace(a_table(name, "customer_id integer"), kind=TableKind.PARTITIONED if is_root else TableKind.TABLE, place=place)
        tables.append(replace(table, **changes.get(name, {})))
    catalog = a_catalog(*tables)
    return replace(catalog, identity=replace(catalog.identity, version_number=version * 10_000))


def a_plan(catalog: Catalog, orphans: int = 3, **changes: object) -> Plan:
    relationship = a_relationship(catalog, "events", "customer_id", "customers", orphans=orphans, **changes)
    decisions = settle(decide(catalog, [relationship], ()), {KEY: Closure(rows={LOW: orphans})}, ())
    return build_plan(catalog, [relationship], decisions, {KEY: Closure(rows={LOW: orphans})})


def kinds(plan: Plan, table: TableName) -> list[StepKind]:
    return [step.kind for step in plan.steps if step.table == table]


@pytest.mark.parametrize(("version", "root_last"), [(15, True), (17, True), (18, False)])
def test_key_is_made_of_parts_before_18(version: int, *, root_last: bool) -> None:
    """Before 18 the root's key cannot be NOT VALID: it comes last, over valid parts, and keeps readers of the referenced table out."""
    plan = a_plan(a_tree(version), indexed=True)
    adds = [step for step in plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY]
    root = next(step for step in adds if step.table == TableName("public", "events"))
    validates = [step.number for step in plan.steps if step.kind is StepKind.VALIDATE_FOREIGN_KEY]

    assert ("NOT VALID" in root.statements[0].sql) is not root_last
    assert (root.number > max(validates)) is root_last
    assert len(adds) == (3 if root_last else 1)
    assert any(hazard.kind is HazardKind.BLOCKS_READS for hazard in root.hazards) is root_last
    referenced = next(lock for lock in root.statements[0].locks if lock.table == TableName("public", "customers"))
    assert referenced.level is (LockLevel.ACCESS_EXCLUSIVE if root_last else LockLevel.SHARE_ROW_EXCLUSIVE)


def test_every_leaf_is_cleaned_up_and_validated() -> None:
    """Rows are saved where they are; the title of the step says where."""
    plan = a_plan(a_tree(18), indexed=True)

    for leaf in (LOW, HIGH):
        assert kinds(plan, leaf) == [StepKind.CLEAN_UP, StepKind.VALIDATE_FOREIGN_KEY]
    assert {step.relationship_id for step in plan.steps[1:-1]} == {KEY}
    assert [step.number for step in plan.steps] == list(range(1, len(plan.steps) + 1))


def test_index_is_built_leaf_by_leaf() -> None:
    plan = a_plan(a_tree(18))
    indexing = [step for step in plan.steps if step.kind in (StepKind.CREATE_INDEX, StepKind.ATTACH_INDEX)]

    assert [step.statements[0].transactional for step in indexing] == [True, False, False, True, True]
    assert "ON ONLY" in indexing[0].statements[0].sql
    assert [step.kind for step in indexing[3:]] == [StepKind.ATTACH_INDEX, StepKind.ATTACH_INDEX]


def test_index_that_was_there_is_never_attached() -> None:
    """It could not be let go again: then only the other leaves get one, and the plan says why."""
    plan = a_plan(a_tree(18, events_low={"indexes": (an_index("customer_id", name="mine"),)}))
    indexing = [step for step in plan.steps if step.kind in (StepKind.CREATE_INDEX, StepKind.ATTACH_INDEX)]

    assert [step.table for step in indexing] == [HIGH]
    assert "could not be let go again" in indexing[0].hazards[-1].message


def test_key_of_a_partition_is_taken_over_and_comes_back() -> None:
    mine = a_foreign_key(columns("events_low", "customer_id"), columns("customers", "id"), on_delete=OnDelete.CASCADE)
    definition = "FOREIGN KEY (customer_id) REFERENCES public.customers(id) ON DELETE CASCADE"
    mine = replace(mine, name="mine", definition=definition, comment="by hand")
    for version in (15, 18):
        plan = a_plan(a_tree(version, events_low={"foreign_keys": (mine,)}), indexed=True)
        root = next(step for step in plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY and step.table == TableName("public", "events"))

        assert [step.object_name for step in plan.steps if step.table == LOW and step.object_name] == ["mine"]
        assert "mine" in root.undo[1].sql
        assert "by hand" in root.undo[1].sql


@pytest.mark.parametrize(("version", "included"), [(15, False), (18, True)])
def test_orphan_rows_that_stay(version: int, *, included: bool) -> None:
    """Before 18 there is no key that is NOT VALID on a partitioned table, so none is planned, and asking for one is refused."""
    catalog = a_tree(version)
    relationship = a_relationship(catalog, "events", "customer_id", "customers", orphans=3)
    leave = Override(relationship_id=KEY, orphan_action=OrphanAction.LEAVE)
    (decision,) = withdraw(catalog, decide(catalog, [relationship], [leave]), [leave])
    assert decision.included is included

    if not included:
        asked = replace(leave, include=True)
        with pytest.raises(Refused) as refusal:
            withdraw(catalog, decide(catalog, [relationship], [asked]), [asked])
        assert refusal.value.reason is Reason.PLAN_INFEASIBLE


def test_foreign_partition_forbids_a_key() -> None:
    catalog = a_tree(18, events_low={"kind": TableKind.FOREIGN})
    (decision,) = decide(catalog, [a_relationship(catalog, "events", "customer_id", "customers")], ())

    assert not decision.included
    assert "events_low is a foreign table" in decision.reason


def test_keys_lead_from_leaf_to_leaf() -> None:
    catalog = a_tree(18)
    relationship = a_relationship(catalog, "events", "customer_id", "customers")
    edges = enforced_edges(catalog, [relationship], decide(catalog, [relationship], ()))

    assert {edge.referencing.table for edge in edges} == {LOW, HIGH}


def test_new_partition_is_another_fingerprint() -> None:
    one, other = a_tree(18), a_tree(18, events_low={"place": None})
    assert a_plan(one).facts != a_plan(other).facts
