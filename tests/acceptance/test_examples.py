"""The examples do what they say, one after the other, against a real service; the demo ends well."""

import asyncio
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "clients" / "python" / "examples"


async def run(name: str, *arguments: str, server: str = "") -> str:
    """Run an example and return what it printed; its complaint is in the failure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(EXAMPLES / name), *arguments),
        env={"HOLDFAST_SERVER": server, "PATH": "/usr/bin:/bin", "COLUMNS": "80"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return out.decode()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch):
    """The demo's stage: a sample database and a service."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "demo"))
    import stage

    return stage


async def test_examples_in_their_order(stage):
    """Audit, plan, apply, roll back; each prints what the next one needs."""
    async with stage.built() as built:
        audited = await run("01_audit.py", "charging", stage.DSN_VARIABLE, server=built.server)
        plan = await run("02_plan.py", "charging", server=built.server)
        job = await run("03_apply.py", plan.strip(), server=built.server)
        undone = await run("04_roll_back.py", job.strip(), server=built.server)

    assert "       8 orphan rows  public.reports(station_id)->public.stations(id)" in audited.splitlines()
    assert plan.startswith("plan-")
    assert job.startswith("job-")
    assert undone == "rolled back\n"


async def test_demo_tells_the_whole_story():
    """What README's first screen shows; exit code 0 means that every figure was right."""
    story = await run("demo")

    for sentence in (
        "13/13 keys found",
        "orphan rows: 8 + 3",
        "11 rows backed up",
        "orphan rows: 8 + 3 → 0",
        "13/13 keys validated",
        "schema dump, before and after: equal",
    ):
        assert f"✓ {sentence}" in story
    assert max(map(len, story.splitlines())) <= 80
