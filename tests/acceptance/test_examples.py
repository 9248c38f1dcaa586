"""The examples do what they say, one after the other, against a real service; the demo ends well."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from holdfast import DsnSource, Holdfast
from holdfast.v1.database_service_pb2 import DatabaseSettings
from support.service import final, free_port

EXAMPLES = Path(__file__).parents[2] / "clients" / "python" / "examples"
#: Where the service of the stage has the DSN of its database.
VARIABLE = "EV_CHARGING_DSN"


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


@pytest.fixture(scope="module")
async def playground() -> AsyncIterator[str]:
    """What `make playground` runs, on other ports: the address of its service, which has forgotten the sample database; it leaves nothing behind."""
    server, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    command = [sys.executable, str(EXAMPLES / "demo" / "playground.py"), server, http]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = (await process.stdout.readuntil(b"psql ")).decode()
        home = Path(unquote((await process.stdout.readline()).decode().partition("host=")[2].partition("&")[0])).parents[1]
    assert f"console    http://{http}" in said
    assert home.exists()
    async with Holdfast(server) as holdfast:
        # It is registered and audited, as docs/getting_started.md has it.
        assert (await holdfast.list_findings("ev_charging")).findings
        await holdfast.remove_database("ev_charging")
    yield server
    process.terminate()
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    assert not home.exists()


async def test_examples_in_their_order(playground: str):
    """Audit, plan, apply, roll back; each prints what the next one needs."""
    audited = await run("01_audit.py", "charging", VARIABLE, server=playground)
    plan = await run("02_plan.py", "charging", server=playground)
    job = await run("03_apply.py", plan.strip(), server=playground)
    undone = await run("04_roll_back.py", job.strip(), server=playground)
    async with Holdfast(playground) as holdfast:
        await holdfast.remove_database("charging")

    assert "       8 orphan rows  public.reports(station_id)->public.stations(id)" in audited.splitlines()
    assert plan.startswith("plan-")
    assert job.startswith("job-")
    assert undone == "rolled back\n"


async def test_examples_for_automation(playground: str, tmp_path: Path):
    """Gate a deploy, export, apply what somebody else approves, follow a job in two goes, audit without waiting."""
    async with Holdfast(playground, principal="reviewer") as holdfast:
        await holdfast.add_database("charging", DsnSource(env=VARIABLE), settings=DatabaseSettings(four_eyes=True))
        gated = await run("05_gate_a_deploy.py", "charging", server=playground, code=1)
        await run("08_export_sarif.py", "charging", str(tmp_path / "findings.sarif"), server=playground)
        applying = asyncio.create_task(run("06_ask_for_approval.py", "charging", server=playground))
        plan_id = await proposed(holdfast)
        await holdfast.approve_plan(plan_id)
        _, job_id = (await applying).split()
        whole = await run("07_follow_a_job.py", job_id, str(tmp_path / "token"), server=playground)
        again = await run("07_follow_a_job.py", job_id, str(tmp_path / "token"), server=playground)
        many = await run("09_audit_many.py", "charging", server=playground)
        await final(holdfast.roll_back(job_id))
        await holdfast.remove_database("charging")

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
    """Exit code 0 means that every figure was right; what README shows of it is what it prints, line by line."""
    readme = (EXAMPLES.parents[2] / "README.md").read_text(encoding="utf-8")
    (quoted,) = re.findall(r"<!-- demo output.*-->\n```\n\$ make demo\n(.*?)```", readme, re.DOTALL)
    story = await run("demo")
    printed = iter(timeless(story))

    assert [line for line in timeless(quoted) if line not in printed] == []
    assert max(map(len, story.splitlines())) <= 80


def timeless(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    return [re.sub(r"\d:\d\d:\d\d|\b\d+ s\b", "…", line.rstrip()) for line in text.splitlines()]
