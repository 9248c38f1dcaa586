"""Findings about declared keys: duplicates, actions that always fail, triggers that are disabled."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfastd.catalog.model import Catalog, Column, ForeignKey, OnDelete, Trigger
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns

ORDERS, USERS = columns("orders", "user_id"), columns("users", "id")
KEY = replace(a_foreign_key(ORDERS, USERS), name="first")
TWIN = replace(KEY, oid=KEY.oid + 1, name="second")


def declaring(*keys: ForeignKey, orders: tuple[str, ...] = ("user_id integer",), triggers: tuple[Trigger, ...] = ()) -> Catalog:
    """Return a shop that declares these keys, with indexes on their columns."""
    indexes = {key.referencing.columns for key in keys}
    table = a_table("orders", *orders, indexes=indexes, foreign_keys=keys)
    return a_catalog(a_table("users", "tenant integer not null", unique=[("tenant", "id")]), replace(table, triggers=triggers))


def derive(catalog: Catalog) -> list[Finding]:
    return list(derive_findings(catalog, derive_relationships(catalog, (), {})))


@pytest.mark.parametrize(
    ("one", "other", "goes"),
    [
        ({}, {}, "second"),
        ({"validated": False}, {}, "first"),
        ({"enforced": False, "validated": False}, {"validated": False}, "first"),
        ({"triggers_enabled": False}, {"validated": False}, "first"),
        ({"deferrable": True}, {}, "first"),
    ],
)
def test_the_weaker_of_two_equal_keys_can_go(one: dict[str, bool], other: dict[str, bool], goes: str) -> None:
    """Enforced before not, then enabled, then validated, then checked at once, then the older; nothing else is said about the one that goes."""
    (finding, *rest) = [found for found in derive(declaring(replace(KEY, **one), replace(TWIN, **other))) if found.part]

    assert rest == []
    assert (finding.kind, finding.severity, finding.part) == (FindingKind.DUPLICATE_KEY, Severity.INFO, goes)
    assert finding.id == f'duplicate_key:public.orders."{goes}"'
    assert f'ALTER TABLE "public"."orders" DROP CONSTRAINT "{goes}".' in finding.cure


@pytest.mark.parametrize(
    ("count", "start"), [(0, "No orphan row stands in the way: run"), (5, "Clean up its orphan rows, then run"), (None, "Clean up its")]
)
def test_nobody_is_sent_to_clean_up_what_is_clean(count: int | None, start: str) -> None:
    """Only an exact zero is clean."""
    exactness = Exactness.NOT_COUNTED if count is None else Exactness.EXACT
    rows = RowCount(value=count or 0, exactness=exactness, as_of=datetime(2024, 5, 1, tzinfo=UTC))
    catalog = declaring(replace(KEY, validated=False))
    relationships = derive_relationships(catalog, (), {f"{ORDERS}->{USERS}": rows})
    (finding,) = [each for each in derive_findings(catalog, relationships) if each.kind is FindingKind.NOT_VALIDATED_KEY]

    assert finding.cure.startswith(start)


def test_equal_keys_that_act_differently_are_a_warning() -> None:
    (finding,) = derive(declaring(KEY, replace(TWIN, on_delete=OnDelete.CASCADE)))

    assert finding.severity is Severity.WARN
    assert "ON DELETE CASCADE against ON DELETE NO ACTION" in finding.consequence


def test_the_order_of_columns_makes_no_difference() -> None:
    """(tenant, user) and (user, tenant) are the same pairs; other pairs are another key."""
    table = ("user_id integer", "tenant integer")
    key = replace(a_foreign_key(columns("orders", "tenant", "user_id"), columns("users", "tenant", "id")), name="a")
    turned = replace(a_foreign_key(columns("orders", "user_id", "tenant"), columns("users", "id", "tenant")), name="b")
    crossed = replace(a_foreign_key(columns("orders", "user_id", "tenant"), columns("users", "tenant", "id")), name="c")

    assert [finding.part for finding in derive(declaring(key, turned, orders=table))] == ["b"]
    assert derive(declaring(key, crossed, orders=table)) == []
    assert derive(declaring(KEY, key, orders=table)) == []


def refusing(*, action: OnDelete = OnDelete.SET_NULL, column: str = "user_id integer not null", **changes: object) -> list[Finding]:
    return derive(declaring(replace(KEY, **{"on_delete": action, **changes}), orders=(column,)))


def test_set_null_on_a_column_that_refuses_it() -> None:
    """Deletions always fail; either the column or the action is wrong."""
    (finding,) = refusing()

    assert (finding.kind, finding.severity) == (FindingKind.SET_NULL_ON_NOT_NULL, Severity.WARN)
    assert finding.message == 'Foreign key "first" of public.orders says ON DELETE SET NULL, but user_id is NOT NULL.'
    assert 'Run ALTER TABLE "public"."orders" ALTER COLUMN "user_id" DROP NOT NULL' in finding.cure


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"column": "user_id integer"}, 0),
        ({"action": OnDelete.CASCADE}, 0),
        ({"action": OnDelete.CASCADE, "on_update": OnDelete.SET_NULL}, 1),
        ({"action": OnDelete.SET_DEFAULT}, 1),
        ({"action": OnDelete.SET_DEFAULT, "column": "user_id integer not null default 1"}, 0),
    ],
)
def test_other_actions_and_columns(changes: dict[str, object], expected: int) -> None:
    """SET DEFAULT without a default is SET NULL by another name."""
    assert [finding.kind for finding in refusing(**changes)] == [FindingKind.SET_NULL_ON_NOT_NULL] * expected


def test_only_columns_that_are_set_null_matter() -> None:
    """SET NULL (user_id) leaves the tenant alone; without the list it does not, and the list is a cure."""
    key = replace(
        a_foreign_key(columns("orders", "tenant", "user_id"), columns("users", "tenant", "id"), OnDelete.SET_NULL),
        set_null_columns=("user_id",),
    )
    table = ("user_id integer", "tenant integer not null")
    (finding,) = derive(declaring(replace(key, set_null_columns=()), orders=table))

    assert derive(declaring(key, orders=table)) == []
    assert 'ON DELETE SET NULL ("user_id")' in finding.cure
    assert "but tenant is NOT NULL" in finding.message


def test_a_primary_key_column_cannot_drop_its_not_null() -> None:
    """So the cure is another action."""
    orders = a_table("orders", "user_id integer", key="user_id", foreign_keys=[replace(KEY, on_delete=OnDelete.SET_NULL)])
    (finding,) = derive(a_catalog(a_table("users"), orders))

    assert "DROP NOT NULL" not in finding.cure
    assert 'DROP CONSTRAINT "first" and declare the key again with ON DELETE NO ACTION' in finding.cure


def test_enabling_a_key_tells_what_else_wakes_up() -> None:
    """ENABLE TRIGGER ALL enables the triggers that somebody disabled on purpose, too."""
    asleep = Trigger(name="audit", enabled=False, type_bits=5)
    awake = Trigger(name="stamp", enabled=True, type_bits=5)
    (finding,) = derive(declaring(replace(KEY, triggers_enabled=False), triggers=(asleep, awake)))

    assert (finding.kind, finding.severity) == (FindingKind.DISABLED_KEY, Severity.ERROR)
    assert 'ALTER TABLE "public"."orders" ENABLE TRIGGER ALL and ALTER TABLE "public"."users" ENABLE TRIGGER ALL' in finding.cure
    assert finding.cure.endswith('; this enables "audit" of public.orders as well.')


def test_a_domain_may_be_what_refuses_null() -> None:
    """DROP NOT NULL on the column would change nothing."""

    def over_domain(column: Column) -> Column:
        return replace(column, not_null=True, type=replace(column.type, oid=99)) if column.name == "user_id" else column

    catalog = declaring(replace(KEY, on_delete=OnDelete.SET_NULL))
    orders = catalog.tables[ORDERS.table]
    changed = replace(orders, columns=tuple(over_domain(column) for column in orders.columns))
    (finding,) = derive(replace(catalog, tables={**catalog.tables, ORDERS.table: changed}))

    assert "DROP NOT NULL" not in finding.cure
