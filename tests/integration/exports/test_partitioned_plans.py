"""Keys of partitioned tables, whose undoing takes several turns, by plain statements on every version."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.exports.plain import plain_statements
from holdfastd.plan.model import ScriptKind
from integration.execute.test_partitions import PARTITIONED, Partitioned
from integration.exports.test_plans import applied_and_rolled_back, run_statements
from support.equality import state_of
from support.harness import Harness, harness
from support.postgres import Server

NAMES = ("followed by other keys", "own keys and indexes", "own key of a level")


@pytest.fixture
async def replica(any_postgres: Server) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [pytest.param(each, id=each.name.replace(" ", "-")) for each in PARTITIONED if each.name in NAMES])
async def test_plain_statements_do_what_the_service_does(
    any_postgres: Server, any_database: str, replica: Harness, scenario: Partitioned
) -> None:
    """Forward as the service, back to what it was, each run twice."""
    connection = await asyncpg.connect(any_database)
    await connection.execute(scenario.sql)
    await connection.close()
    await replica.register(any_database)
    before = await state_of(any_postgres, any_database)
    await replica.audit()
    plan = await replica.plan("shop", *scenario.overrides)
    by_service = await applied_and_rolled_back(any_postgres, any_database, replica, plan)

    for _ in range(2):
        await run_statements(any_database, plain_statements(plan.id, plan.plan, ScriptKind.FORWARD))
    assert await state_of(any_postgres, any_database) == by_service
    for _ in range(2):
        await run_statements(any_database, plain_statements(plan.id, plan.plan, ScriptKind.ROLLBACK))
    assert await state_of(any_postgres, any_database) == before
