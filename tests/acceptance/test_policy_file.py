"""`holdfast init`, to its end: the file that it writes leads to the plan that there would be without it, commented or not."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast import Holdfast, Plan
from holdfast.cli.main import run
from samples.load import SAMPLES, load_sample
from support.service import Service, final, register

NAME = "drafted"


@pytest.fixture(params=SAMPLES)
async def audited(service: Service, client: Holdfast, database: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A sample database with an audit; the address of its service."""
    await load_sample(database, request.param)
    await register(client, NAME, database)
    await final(client.audit(NAME))
    yield service.listen
    await client.remove_database(NAME)


def decisions(plan: Plan) -> list[tuple[str, bool, int, int]]:
    return [(each.relationship_id, each.included, each.on_delete, each.orphan_action) for each in plan.decisions if each.included]


async def test_the_file_is_the_default_plan(audited: str, client: Holdfast, tmp_path: Path):
    """As written it decides nothing; with every line uncommented, it decides as Holdfast does: the same keys, actions and steps."""
    path = tmp_path / "policy.yaml"

    def holdfast(*arguments: str) -> int:
        return run(["--server", audited, *arguments])

    assert await asyncio.to_thread(holdfast, "init", NAME, "--output", str(path)) == 0
    assert await asyncio.to_thread(holdfast, "plan", NAME) == 0
    assert await asyncio.to_thread(holdfast, "plan", NAME, "--policy", str(path)) == 0
    head, _, body = path.read_text(encoding="utf-8").partition("\nrelationships:\n")
    path.write_text(f"{head}\nrelationships:\n{re.sub('^#', '', body, flags=re.MULTILINE)}", encoding="utf-8")
    assert await asyncio.to_thread(holdfast, "plan", NAME, "--policy", str(path)) == 0
    plans = [(await client.get_plan(each.id)).plan for each in (await client.list_plans(database=NAME)).plans]
    uncommented, written, default = plans

    assert default.decisions
    assert written.decisions == default.decisions
    assert written.steps == default.steps
    assert decisions(uncommented) == decisions(default)
    assert [step.title for step in uncommented.steps] == [step.title for step in default.steps]
    assert any(each.reason == "As the policy says." for each in uncommented.decisions)
