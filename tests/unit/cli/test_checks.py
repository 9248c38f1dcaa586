"""`holdfast plans check`: what it prints, and what it ends with."""

import pytest

from holdfast.v1.database_service_pb2 import (
    CHECK_STATE_BLOCKS_APPLICATION,
    CHECK_STATE_BLOCKS_AUDIT,
    CHECK_STATE_PASSED,
    CHECK_STATE_WARNING,
    Check,
)
from holdfast.v1.plan_service_pb2 import CheckPlanResponse
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import PLAN_ID

FINE = Check(id="writable", state=CHECK_STATE_PASSED, message="The target accepts writes.")
WARNED = Check(id="archive", state=CHECK_STATE_WARNING, message="Nothing is archived.", cure="Make a backup first.")
DRIFTED = Check(id="drift", state=CHECK_STATE_BLOCKS_APPLICATION, message="The database changed.", cure="Make a new plan.")
UNREADABLE = Check(id="select", state=CHECK_STATE_BLOCKS_AUDIT, message="Role r may not read t.", cure='GRANT SELECT ON "t" TO "r"')


@pytest.mark.parametrize(
    ("checks", "code", "verdict"),
    [
        ([FINE], 0, "Ready."),
        ([FINE, WARNED], 0, "Ready, 1 warning."),
        ([FINE, UNREADABLE, WARNED, WARNED], 2, "Not ready: select, 2 warnings."),
        ([DRIFTED, UNREADABLE], 3, "Not ready: drift, select."),
    ],
)
def test_the_verdict_and_its_exit_code(ready: ScriptedServer, holdfast: Holdfast, checks: list[Check], code: int, verdict: str):
    """0 ready, 2 something is in the way, 3 the database changed; the last line says the same in words."""
    blocked = any(check.state not in (CHECK_STATE_PASSED, CHECK_STATE_WARNING) for check in checks)
    ready.answers["CheckPlan"] = lambda _: CheckPlanResponse(checks=checks, ready=not blocked)

    result = holdfast("plans", "check", PLAN_ID)

    assert result.code == code
    assert result.out.splitlines()[-1] == verdict


def test_every_check_is_shown_with_its_cure(ready: ScriptedServer, holdfast: Holdfast):
    """Those that passed by name: silence would not say what was looked at; --all tells what they saw."""
    ready.answers["CheckPlan"] = lambda _: CheckPlanResponse(checks=[FINE, WARNED, UNREADABLE])

    brief = " ".join(holdfast("plans", "check", PLAN_ID).out.split())
    shown = " ".join(holdfast("plans", "check", PLAN_ID, "--all").out.split())

    assert "1 passed: writable" in brief
    assert WARNED.message in brief
    assert UNREADABLE.cure in brief
    for check in (FINE, WARNED, UNREADABLE):
        assert check.id in shown
        assert check.message in shown
        assert check.cure in shown
    assert "BLOCKS AUDIT" in shown
    assert "WARNING" in shown
