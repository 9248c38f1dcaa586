"""The examples do what they say, one after the other, against a real service; the demo ends well."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from holdfast import DsnSource, Holdfast
from holdfast.v1.database_service_pb2 import DatabaseSettings

EXAMPLES = Path(__file__).parents[2] / "clients" / "python" / "examples"


async def run(name: str, *arguments: str, server: str = "", code: int = 0) -> str:
    """Run an example and return what it printed; its complaint is in the failure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(EXAMPLES / name), *arguments),
        env={"HOLDFAST_SERVER": server, "PATH": "/usr/bin:/bin", "COLUMNS": "80"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == code, complaint.decode()
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


async def test_examples_for_automation(stage, tmp_path: Path):
    """Gate a deploy, export, apply what somebody else approves, follow a job in two goes, audit without waiting."""
    async with stage.built() as built, Holdfast(built.server, principal="reviewer") as holdfast:
        await holdfast.add_database("charging", DsnSource(env=stage.DSN_VARIABLE), settings=DatabaseSettings(four_eyes=True))
        gated = await run("05_gate_a_deploy.py", "charging", server=built.server, code=1)
        await run("08_export_sarif.py", "charging", str(tmp_path / "findings.sarif"), server=built.server)
        applying = asyncio.create_task(run("06_ask_for_approval.py", "charging", server=built.server))
        plan_id = await proposed(holdfast)
        await holdfast.approve_plan(plan_id)
        _, job_id = (await applying).split()
        whole = await run("07_follow_a_job.py", job_id, str(tmp_path / "token"), server=built.server)
        again = await run("07_follow_a_job.py", job_id, str(tmp_path / "token"), server=built.server)
        many = await run("09_audit_many.py", "charging", server=built.server)

    assert "8 rows of" in gated
    assert json.loads((tmp_path / "findings.sarif").read_text())["version"] == "2.1.0"
    assert len(whole.splitlines()) > 50
    assert whole.endswith("JOB_STATE_SUCCEEDED\n")
    assert again == "JOB_STATE_SUCCEEDED\n"
    assert many == "charging: 0\n"


async def proposed(holdfast: Holdfast) -> str:
    """Wait for the plan that automation makes, as a reviewer does who is told of it."""
    async with asyncio.timeout(60):
        while not (plans := (await holdfast.list_plans(database="charging")).plans):
            await asyncio.sleep(0.1)
    return plans[0].id


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_are_short_and_say_what_they_do(path: Path):
    """At most 40 lines, the first of which is how to run it; each is named on the page about clients."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 40
    assert f"python {path.name} " in text.split('"""')[1]
    assert path.name in (EXAMPLES.parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")


def test_the_page_quotes_an_example_as_it_is():
    """What docs/clients.md shows is what is run here."""
    page = (EXAMPLES.parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
    quoted = re.findall(r"<!-- example: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)

    assert quoted
    for name, code in quoted:
        assert code == (EXAMPLES.parents[2] / name).read_text(encoding="utf-8")


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
