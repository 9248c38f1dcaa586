"""Which columns are set NULL: as many as accept it, and none where the key or the server does not let them."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, Match, OnDelete
from holdfastd.errors import Reason, Refused
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet
from holdfastd.plan.decide import decide
from holdfastd.plan.model import Decision, OrphanAction, Override
from holdfastd.plan.steps.foreign_key import add_foreign_key, revalidated, validate_foreign_key
from support.builders import a_catalog, a_foreign_key, a_table, columns
from unit.plan.conftest import a_relationship

SITES, MACHINES = columns("sites", "company_id", "id"), columns("machines", "company_id", "site_id")


def a_shop(company: str = "company_id integer not null", version: int = 180_004) -> Catalog:
    catalog = a_catalog(
        a_table("sites", "company_id integer not null", "id integer not null", key=("company_id", "id")),
        a_table("machines", company, "site_id integer"),
    )
    return replace(catalog, identity=replace(catalog.identity, version_number=version, version=str(version // 10_000)))


def between(catalog: Catalog, **changes: object) -> Relationship:
    relationship = a_relationship(catalog, "machines", "site_id", "sites", orphans=3)
    operators = relationship.operators * 2 or a_foreign_key(MACHINES, SITES).operators
    return replace(relationship, referencing=MACHINES, referenced=SITES, operators=operators, **changes)


def asked(catalog: Catalog, relationship: Relationship, **wishes: object) -> Decision:
    (decision,) = decide(catalog, [relationship], [Override(relationship_id=relationship.id, include=True, **wishes)])
    return decision


def test_shared_column_that_accepts_no_null_is_spared():
    """SET NULL of a composite key names the columns that can be NULL: in the key, and in the cleanup."""
    catalog = a_shop()
    decision = asked(catalog, between(catalog), on_delete=OnDelete.SET_NULL)

    assert (decision.set_null_columns, decision.orphan_action) == (("site_id",), OrphanAction.SET_NULL)
    assert 'ON DELETE SET NULL ("site_id") NOT VALID' in add_foreign_key(1, decision).statements[0].sql


def test_all_columns_need_no_names():
    """Where all accept NULL, all are set."""
    catalog = a_shop("company_id integer")
    decision = asked(catalog, between(catalog), on_delete=OnDelete.SET_NULL)

    assert decision.set_null_columns == ()
    assert add_foreign_key(1, decision).statements[0].sql.endswith("ON DELETE SET NULL NOT VALID")


def test_cleaning_up_by_set_null_leaves_the_action_of_the_key_alone():
    """Orphan rows may be set NULL under a key that restricts."""
    catalog = a_shop()
    decision = asked(catalog, between(catalog), on_delete=OnDelete.RESTRICT, orphan_action=OrphanAction.SET_NULL)

    assert decision.set_null_columns == ("site_id",)
    assert add_foreign_key(1, decision).statements[0].sql.endswith("ON DELETE RESTRICT NOT VALID")


def test_before_15_it_is_refused_with_the_reason():
    """14 cannot name the columns, and all of them cannot be set NULL."""
    catalog = a_shop(version=140_010)
    with pytest.raises(Refused, match="company_id is NOT NULL; PostgreSQL 14 cannot name") as refusal:
        asked(catalog, between(catalog), on_delete=OnDelete.SET_NULL)

    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
    assert asked(catalog, between(catalog), on_delete=OnDelete.CASCADE).set_null_columns == ()


def test_generated_column_is_refused_with_the_reason():
    """PostgreSQL would refuse the key itself."""
    catalog = a_shop()
    machines = catalog.tables[MACHINES.table]
    generated = tuple(replace(column, generated="s" if column.name == "site_id" else "") for column in machines.columns)
    catalog = replace(catalog, tables={**catalog.tables, machines.name: replace(machines, columns=generated)})
    with pytest.raises(Refused, match="refuses ON DELETE SET NULL on the generated column site_id"):
        asked(catalog, between(catalog), on_delete=OnDelete.SET_NULL)


@pytest.mark.parametrize(
    ("options", "named", "action"),
    [
        ({"set_null_columns": ("site_id",)}, ("site_id",), OrphanAction.SET_NULL),
        ({"match": Match.FULL}, (), OrphanAction.LEAVE),
    ],
    ids=["named", "match-full"],
)
def test_declared_key_keeps_its_own_columns(options, named, action):
    """What it names is set NULL; MATCH FULL allows only all columns, and one of them accepts no NULL."""
    catalog = a_shop()
    key = replace(a_foreign_key(MACHINES, SITES, OnDelete.SET_NULL, validated=False), **options)
    machines = replace(catalog.tables[MACHINES.table], foreign_keys=(key,))
    catalog = replace(catalog, tables={**catalog.tables, machines.name: machines})
    declared = {"declared": True, "constraint_name": key.name, "declared_on_delete": key.on_delete, "suggested_on_delete": key.on_delete}
    (decision,) = decide(catalog, [between(catalog, **declared)], [])

    assert (decision.included, decision.set_null_columns, decision.orphan_action) == (True, named, action)


def test_declared_key_is_put_back_as_it_was():
    """Undoing a validation drops the key, and declares it again by its own definition, its comment included."""
    catalog = a_shop()
    definition = "FOREIGN KEY (a) REFERENCES b(c) MATCH FULL DEFERRABLE NOT VALID"
    key = replace(a_foreign_key(MACHINES, SITES, validated=False), definition=definition, comment="it's theirs")
    decision = asked(catalog, between(catalog), on_delete=OnDelete.CASCADE)
    step = revalidated(validate_foreign_key(1, decision, rows=0), decision, key)
    dropping, adding, commenting = (statement.sql for statement in step.undo)

    assert "DROP CONSTRAINT" in dropping
    assert adding.endswith(definition)
    assert commenting.endswith("IS 'it''s theirs'")
    assert "MATCH FULL DEFERRABLE'" in step.undo_when


def test_columns_of_other_tables_are_no_concern():
    """The referenced columns may be NOT NULL as they please."""
    catalog = a_shop("company_id integer")

    assert asked(catalog, between(catalog), on_delete=OnDelete.SET_NULL).referenced == ColumnSet(SITES.table, ("company_id", "id"))
