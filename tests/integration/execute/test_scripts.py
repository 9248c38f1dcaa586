"""The scripts of a plan, run by psql as they are, do what the service does."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfastd.flows import plans
from holdfastd.plan.model import ScriptKind, StepKind
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import SCENARIOS, Scenario
from support.equality import state_of
from support.harness import Harness, harness
from support.postgres import Server

SCRIPTED = [
    scenario
    for scenario in SCENARIOS
    if scenario.name
    in (
        "exotic values come back to the letter",
        "cascades three levels deep are in the backup",
        "a tree loses its branches to the fixpoint",
        "hostile names",
        "repointed to another row",
        "a declared key that is not validated",
        "set null spares the column that two keys share",
        "declared keys with options, not validated",
    )
]


@pytest.fixture
async def replica(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        yield running


async def run_script(server: Server, dsn: str, replica: Harness, plan: PlanRecord, kind: ScriptKind) -> str:
    """Render a script and run it with psql; raises RuntimeError when psql fails."""
    text = await plans.render(replica.services, plan.id, kind)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / f"{kind.lower()}.sql"
        path.write_text(text)
        return await server.program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", str(path))


@pytest.fixture(params=SCRIPTED, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def planned(request: pytest.FixtureRequest, database: str, replica: Harness) -> PlanRecord:
    scenario: Scenario = request.param
    connection = await asyncpg.connect(database)
    await connection.execute(scenario.sql)
    await connection.close()
    await replica.register(database)
    await replica.audit()
    return await replica.plan("shop", *scenario.overrides)


async def test_forward_script_does_what_the_service_does(postgres: Server, database: str, replica: Harness, planned: PlanRecord) -> None:
    """Script and service leave equal databases, the rollback script an equal one to the first; each may be run twice."""
    before = await state_of(postgres, database)
    application = await replica.apply(planned)
    by_service = await state_of(postgres, database)
    await replica.roll_back(application)

    for _ in range(2):
        await run_script(postgres, database, replica, planned, ScriptKind.FORWARD)
    by_script = await state_of(postgres, database)
    await run_script(postgres, database, replica, planned, ScriptKind.VERIFY)
    for _ in range(2):
        await run_script(postgres, database, replica, planned, ScriptKind.ROLLBACK)

    assert by_script == by_service
    assert await state_of(postgres, database) == before


async def test_restore_script_refuses_while_a_key_is_enforced(
    postgres: Server, database: str, replica: Harness, planned: PlanRecord
) -> None:
    """Rows that an enforced key would reject are not put back; the reason says to roll back."""
    await run_script(postgres, database, replica, planned, ScriptKind.FORWARD)
    with pytest.raises(RuntimeError, match="still rejects the rows"):
        await run_script(postgres, database, replica, planned, ScriptKind.RESTORE)


async def test_verify_script_fails_before_the_plan_is_applied(
    postgres: Server, database: str, replica: Harness, planned: PlanRecord
) -> None:
    """A verification that cannot fail proves nothing."""
    with pytest.raises(RuntimeError, match="not as planned"):
        await run_script(postgres, database, replica, planned, ScriptKind.VERIFY)


async def test_forward_script_builds_a_broken_index_again(postgres: Server, database: str, replica: Harness) -> None:
    """What a concurrent build that broke off left behind is dropped first; what was there before and is valid is not touched."""
    connection = await asyncpg.connect(database)
    scenario = SCENARIOS[0]
    await connection.execute(scenario.sql)
    await replica.register(database)
    await replica.audit()
    plan = await replica.plan("shop", *scenario.overrides)
    await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)
    built = await state_of(postgres, database)
    index = next(step for step in plan.plan.steps if step.kind is StepKind.CREATE_INDEX)
    await connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", index.object_name)
    assert not await connection.fetchval(index.done_when)
    await run_script(postgres, database, replica, plan, ScriptKind.FORWARD)

    assert await connection.fetchval(index.done_when)
    assert await state_of(postgres, database) == built
    await connection.close()
