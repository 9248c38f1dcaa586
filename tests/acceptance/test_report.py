"""`holdfast`, typed by a person, on a real service: audit, report, ignore, report again."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from holdfast import Holdfast
from samples.load import load_sample
from support.service import Service, register

ORPHANS = "orphan_rows:public.reports(station_id)->public.stations(id)"


@dataclass(frozen=True, kw_only=True)
class Result:
    code: int
    out: str
    err: str


Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def typed(service: Service) -> Command:
    """Run `holdfast` as a program."""

    async def run(*arguments: str) -> Result:
        command = [sys.executable, "-m", "holdfast.cli", "--server", service.listen, "--principal", "ada", *arguments]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        out, err = await asyncio.wait_for(process.communicate(), timeout=60)
        return Result(code=process.returncode or 0, out=out.decode(), err=err.decode())

    return run


@pytest.fixture
async def charging(database: str, client: Holdfast, typed: Command):
    """The sample database, audited from the command line."""
    await load_sample(database, "ev_charging")
    await register(client, "charging", database)
    audited = await typed("audit", "charging", "--estimate-after", "60s")
    assert audited.code == 0, audited.err
    yield audited
    await client.remove_database("charging")


async def test_audit_ends_with_what_matters(charging: Result) -> None:
    """The orphan rows of the sample, and what to type next."""
    out = " ".join(charging.out.split())

    assert "1. 11 rows reference nothing, in 2 relationships: reports.station_id → stations.id (8)" in out
    assert "holdfast relationships charging reports.station_id" in out
    assert "Next: holdfast report charging" in charging.err


async def test_report_is_a_document(charging: Result, typed: Command) -> None:
    """Both formats tell the same."""
    markdown = await typed("report", "charging")
    page = await typed("report", "charging", "--format", "html")

    assert (markdown.code, page.code, markdown.err, page.err) == (0, 0, "", "")
    assert markdown.out.startswith("# Integrity of charging\n")
    assert "**11 rows reference nothing**, in 2 relationships of 2 tables." in markdown.out
    headings = re.findall(r"^## (.*)$", markdown.out, re.MULTILINE)
    assert headings[0] == "1. Summary"
    assert headings == re.findall(r"<h2[^>]*>(.*?)</h2>", page.out)


async def test_report_is_of_the_audit_and_the_plan_that_were_asked_for(charging: Result, typed: Command) -> None:
    """Not of the latest; a plan that is not there is an error."""
    audit = json.loads((await typed("audits", "list", "--database", "charging", "-o", "json")).out)["audits"][0]["id"]
    plan = json.loads((await typed("plan", "charging", "-o", "json")).out)["plan"]["id"]
    report = await typed("report", "charging", "--audit", audit, "--plan", plan)
    unknown = await typed("report", "charging", "--plan", "plan-" + "0" * 20)

    assert (report.code, unknown.code) == (0, 2)
    assert f"| Audit | `{audit}` |" in report.out
    assert f"| Plan | `{plan}`" in report.out
    assert "PLAN_NOT_FOUND" in unknown.err


async def test_an_ignored_finding_no_longer_fails_a_pipeline(charging: Result, typed: Command) -> None:
    """Left out, counted, in the report with its reason, in the log, and back after unignore."""
    before = await typed("findings", "charging", "--severity", "error", "-o", "json")
    errors = [item["id"] for item in json.loads(before.out)["findings"]]
    for finding in errors:
        ignored = await typed("ignore", "charging", finding, "--reason", "cleaned up on Monday", "--until", "2100-01-01")
        assert ignored.code == 0, ignored.err
    quiet = await typed("findings", "charging", "--severity", "error")
    gate = await typed("audit", "charging", "--fail-on", "error")
    report = await typed("report", "charging")
    log = await typed("log", "charging", "-o", "json")
    opened = await typed("unignore", "charging", ORPHANS)
    after = await typed("findings", "charging", "--severity", "error")

    assert ORPHANS in errors
    assert (before.code, quiet.code, gate.code, opened.code, after.code) == (1, 0, 0, 0, 1)
    assert f"{len(errors)} ignored: holdfast findings charging --ignored" in quiet.err
    assert "| cleaned up on Monday | ada | 2100-01-01 |" in report.out
    assert f"{len(errors)} more are ignored." in report.out
    assert [entry["action"] for entry in json.loads(log.out)["entries"]].count("finding.ignore") == len(errors)
