"""Every scenario goes through audit, plan, apply, verify, roll back; on the newest version again, from an equal database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from integration.execute.scenarios import SCENARIOS, Scenario
from support.equality import state_of
from support.harness import Harness, harness
from support.postgres import Server

#: What is done twice on one version need not be done twice on all.
NEWEST = 18


@pytest.fixture
async def replica(any_postgres: Server) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_apply_and_roll_back(any_postgres: Server, any_database: str, replica: Harness, scenario: Scenario) -> None:
    """What applying changes, rolling back undoes to the letter, and applying again changes as before."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.execute("ANALYZE")
    await connection.close()
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)

    for _ in range(2 if any_postgres.major == NEWEST else 1):
        await replica.audit()
        plan = await replica.plan("shop", *scenario.overrides)
        application = await replica.apply(plan)
        after = await state_of(any_postgres, any_database)
        await replica.roll_back(application)

        assert sum(item.backed_up_rows for item in application.verifications) == scenario.backed_up
        assert after.schema != before.schema
        assert await state_of(any_postgres, any_database) == before
