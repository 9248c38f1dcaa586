"""What a plan demands of the role and of the owners: what its steps need, and no more."""

import asyncpg
import pytest

from holdfastd.errors import Reason
from holdfastd.target.preflight.check import Outcome
from support.harness import Harness
from support.shop import OVERRIDES, Shop


async def test_everything_missing_is_named_at_once_with_its_cure(any_shop: Shop) -> None:
    """Of the referenced table, neither ownership nor an index is asked for."""
    checks = await any_shop.checks(any_shop.role_dsn)

    lock = "MAINTAIN" if any_shop.server.major >= 17 else "DELETE"
    role, seller = any_shop.roles["role"], any_shop.roles["seller"]
    assert {each.id: each.cure for each in checks.values() if each.is_in_the_way} == {
        "own_schema": f'GRANT CREATE ON DATABASE "{any_shop.name}" TO "{role}"',
        "schema_usage": f'GRANT USAGE ON SCHEMA "people", "sales" TO "{role}"',
        "select": f'GRANT SELECT ON "people"."customers", "sales"."notes", "sales"."orders" TO "{role}"',
        "ownership": f'GRANT "{seller}" TO "{role}"',
        "references": f'GRANT REFERENCES ON "people"."customers" TO "{role}"',
        "index_builds": f'GRANT CREATE ON SCHEMA "sales" TO "{role}"',
        "share_lock": f'GRANT {lock} ON "people"."customers" TO "{role}"',
    }
    assert {each.reason for each in checks.values() if each.is_in_the_way} == {Reason.MISSING_PRIVILEGE}


async def test_the_cures_cure_and_suffice(any_shop: Shop, replica: Harness) -> None:
    """After running each cure the plan is ready, and a role with these rights alone applies it and rolls it back."""
    for each in (await any_shop.checks(any_shop.role_dsn)).values():
        if each.is_in_the_way:
            await any_shop.execute(each.cure)

    checks = await any_shop.checks(any_shop.role_dsn)
    assert [each.id for each in checks.values() if each.is_in_the_way] == []
    assert checks["superuser"].passed

    name = f"shop-{any_shop.server.major}"
    await replica.register(any_shop.role_dsn, name)
    await replica.audit(name)
    job = await replica.apply(await replica.plan(name, *OVERRIDES))
    assert sorted((each.declared, each.validated, each.backed_up_rows) for each in job.verifications) == [(True, True, 3)] * 2
    await replica.roll_back(job)


async def test_a_column_is_enough_to_reference(shop: Shop) -> None:
    """REFERENCES on the key's own column, not on the table."""
    await shop.execute("GRANT REFERENCES (name) ON people.customers TO {role}")
    assert not (await shop.checks(shop.role_dsn))["references"].passed

    await shop.execute("GRANT REFERENCES (id) ON people.customers TO {role}")
    assert (await shop.checks(shop.role_dsn))["references"].passed


async def test_a_member_that_does_not_inherit_is_told_so(any_shop: Shop) -> None:
    """It could SET ROLE, which Holdfast does not; another GRANT of the same would not help."""
    await any_shop.execute("ALTER ROLE {role} NOINHERIT; GRANT {seller} TO {role}")

    ownership = (await any_shop.checks(any_shop.role_dsn))["ownership"]

    assert ownership.outcome is Outcome.BLOCKS_APPLICATION
    assert "INHERIT" in ownership.cure
    await any_shop.execute(ownership.cure)
    assert (await any_shop.checks(any_shop.role_dsn))["ownership"].passed


@pytest.mark.parametrize(
    ("revoke", "write"),
    [
        ("REVOKE USAGE ON SCHEMA people FROM {keeper}", "INSERT INTO sales.orders VALUES (9999, 1)"),
        ("REVOKE UPDATE ON people.customers FROM {keeper}", "INSERT INTO sales.orders VALUES (9999, 1)"),
        ("REVOKE DELETE ON sales.orders FROM {seller}", "DELETE FROM people.customers WHERE id = 1"),
    ],
)
async def test_owners_need_rights_once_keys_are_enforced(shop: Shop, revoke: str, write: str) -> None:
    """Refused, because the application's own writes would fail; and they do, until the cure."""
    assert (await shop.checks())["owners_rights"].passed
    await shop.execute(revoke)

    found = (await shop.checks())["owners_rights"]

    assert (found.outcome, found.reason) == (Outcome.BLOCKS_APPLICATION, Reason.MISSING_PRIVILEGE)
    key = "ALTER TABLE sales.orders ADD FOREIGN KEY (customer_id) REFERENCES people.customers ON DELETE CASCADE NOT VALID"
    await shop.execute(key)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await shop.execute(write)
    await shop.execute(found.cure)
    await shop.execute(write)
    assert (await shop.checks())["owners_rights"].passed


async def test_forced_row_security_hides_rows_of_the_owner_itself(shop: Shop) -> None:
    """A cleanup would not see them; whoever bypasses it may go on."""
    await shop.execute("GRANT {seller} TO {role}; ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY")
    assert (await shop.checks(shop.role_dsn))["row_security"].passed

    await shop.execute("ALTER TABLE sales.orders FORCE ROW LEVEL SECURITY")
    found = (await shop.checks(shop.role_dsn))["row_security"]
    assert found.is_in_the_way
    await shop.execute(found.cure)
    assert (await shop.checks(shop.role_dsn))["row_security"].passed
