"""Tables as they are once a plan is applied."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.outline import outline
from holdfastd.errors import Reason, Refused
from holdfastd.exports.corrected import correct
from holdfastd.exports.drizzle.schema import render_drizzle
from holdfastd.exports.prisma.schema import render_prisma
from holdfastd.plan.model import Decision, OrphanAction, Plan, PlanState, Step, StepKind
from holdfastd.report.facts import Facts, PlanFacts, Subject
from support.builders import a_catalog, a_foreign_key, a_table, columns, table_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECT = Subject(name="shop", host="db", port=5432, database_name="shop", role="app", server_version="18")
DECISION = Decision(
    relationship_id="orders",
    referencing=columns("orders", "customer_id"),
    referenced=columns("customers", "id"),
    included=True,
    reason="",
    on_delete=OnDelete.SET_NULL,
    orphan_action=OrphanAction.SET_NULL,
    orphan_rows=0,
    closure_rows=0,
    constraint_name="fk_orders_customer",
    index_name="orders_customer_id_idx",
)
VALIDATE = Step(number=1, kind=StepKind.VALIDATE_FOREIGN_KEY, title="", statements=(), relationship_id="orders")
BUILD = Step(
    number=2, kind=StepKind.CREATE_INDEX, title="", statements=(), object_name="orders_customer_id_idx", table=table_name("orders")
)


def facts(*steps: Step, decision: Decision = DECISION, **changes: object) -> Facts:
    catalog = a_catalog(a_table("customers"), a_table("orders", "customer_id integer"))
    plan = PlanFacts(
        id="plan-1",
        state=PlanState.PROPOSED,
        author="a",
        reviewer="",
        create_time=NOW,
        plan=Plan(steps=steps, decisions=(decision,), fingerprint="", facts=()),
    )
    whole = Facts(
        subject=SUBJECT,
        audit_id="audit-1",
        create_time=NOW,
        end_time=NOW,
        tables=outline(catalog),
        relationships=(),
        findings=(),
        plan=plan,
    )
    return replace(whole, **changes)


def test_keys_and_indexes_of_the_plan_are_added():
    """The key with its action, the index that is built for it, and both are called new."""
    corrected = correct(facts(VALIDATE, BUILD))
    orders = corrected.tables[1]
    name = table_name("orders")

    assert [(key.name, key.on_delete, key.validated) for key in orders.foreign_keys] == [("fk_orders_customer", OnDelete.SET_NULL, True)]
    assert corrected.new_keys == {(name, "fk_orders_customer")}
    assert corrected.new_indexes == {(name, "orders_customer_id_idx")}


def test_a_key_that_orphan_rows_stay_behind_is_not_valid():
    """Without a step that validates it, the file must not claim more than the database holds."""
    (key,) = correct(facts()).tables[1].foreign_keys

    assert not key.validated
    assert "NOT VALID: orphan rows remain" in render_drizzle(facts())["schema.ts"]
    assert "NOT VALID: orphan rows remain" in render_prisma(facts())["schema.prisma"]


def test_an_index_that_is_built_on_partitions_only_is_none_of_the_table():
    """Only what a step makes on the table itself is in its schema."""
    assert correct(facts(VALIDATE)).new_indexes == frozenset()


def test_what_is_not_included_is_left_as_it_is():
    """A relationship that the plan leaves out stays undeclared."""
    corrected = correct(facts(VALIDATE, decision=replace(DECISION, included=False)))

    assert (corrected.tables[1].foreign_keys, corrected.new_keys) == ((), frozenset())


def test_a_declared_key_is_validated_and_keeps_its_name():
    """A key that was there is not new, and its own action stands."""
    declared = a_foreign_key(columns("orders", "customer_id"), columns("customers", "id"))
    catalog = a_catalog(a_table("customers"), a_table("orders", "customer_id integer", foreign_keys=(replace(declared, validated=False),)))
    corrected = correct(facts(VALIDATE, tables=outline(catalog), decision=replace(DECISION, constraint_name=declared.name)))
    (key,) = corrected.tables[1].foreign_keys

    assert (key.name, key.on_delete, key.validated) == (declared.name, declared.on_delete, True)
    assert corrected.new_keys == frozenset()


def test_an_audit_without_tables_says_what_to_do():
    """Audits made before tables were kept have none: nobody wants an empty schema to push."""
    with pytest.raises(Refused, match="audit shop again") as refused:
        render_drizzle(facts(tables=()))

    assert refused.value.reason is Reason.NO_AUDIT


def test_without_a_plan_the_schema_is_the_databases():
    """The same file, and it says so."""
    text = render_prisma(facts(plan=None))["schema.prisma"]

    assert "there is no plan" in text
    assert "@relation" not in text
