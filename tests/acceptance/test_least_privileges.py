"""A whole audit as holdfast_auditor, a whole repair as holdfast_migrator: the roles of deploy/postgres/roles.sql are enough."""

from collections.abc import AsyncIterator

import pytest

from holdfast import Holdfast, HoldfastError
from support.equality import state_of
from support.postgres import Server, database_name
from support.roles import sample_with_roles
from support.service import apply_default_plan, every_relationship, final, register


@pytest.fixture
async def sample(postgres: Server, database: str) -> AsyncIterator[str]:
    """Name of a database with the EV sample, its owner and both roles."""
    async with sample_with_roles(postgres, database):
        yield database_name(database)


async def test_the_auditor_audits_and_plans_and_changes_nothing(postgres: Server, client: Holdfast, sample: str) -> None:
    """Every relationship is counted, a plan can be made; applying it is refused, also where its transactions are not read-only."""
    before = await state_of(postgres, postgres.dsn(sample))
    await register(client, "ev", postgres.dsn(sample, role="holdfast_auditor"))
    await final(client.audit("ev"))
    found = await every_relationship(client, "ev")
    plan = await client.plan("ev")
    await client.approve_plan(plan.id)
    with pytest.raises(HoldfastError) as read_only:
        await final(client.apply(plan.id))
    await postgres.execute("ALTER ROLE holdfast_auditor RESET default_transaction_read_only")
    with pytest.raises(HoldfastError) as not_granted:
        await final(client.apply(plan.id))
    await client.remove_database("ev")

    assert found["public.reports(station_id)->public.stations(id)"].orphan_rows.value == 8
    assert sum(relationship.orphan_rows.value for relationship in found.values()) == 11
    assert {relationship.id for relationship in found.values() if not relationship.HasField("orphan_rows")} == set()
    assert "read-only" in str(read_only.value)
    assert "may not create schema holdfast" in str(not_granted.value)
    assert await state_of(postgres, postgres.dsn(sample)) == before


async def test_the_migrator_applies_and_rolls_back(postgres: Server, client: Holdfast, sample: str) -> None:
    """As the migrator, which is no superuser, the plan is applied whole and undone exactly."""
    before = await state_of(postgres, postgres.dsn(sample))
    await register(client, "ev", postgres.dsn(sample, role="holdfast_migrator"))
    await final(client.audit("ev"))
    _, job = await apply_default_plan(client, "ev")
    between = await state_of(postgres, postgres.dsn(sample))
    await final(client.roll_back(job.id))
    await client.remove_database("ev")

    assert sum(verification.backed_up_rows for verification in job.verifications) == 11
    assert all(verification.validated for verification in job.verifications)
    assert between != before
    assert await state_of(postgres, postgres.dsn(sample)) == before
