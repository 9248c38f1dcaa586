"""On a real terminal: bars are drawn and leave nothing behind, and Ctrl-C lets go of the job, not of its work."""

import re
import sys

import pytest

from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from support.scripted import ScriptedServer
from support.terminal import CTRL_C, Terminal
from unit.cli.samples import JOB, JOB_ID, PLAN_ID
from unit.cli.scripts import WATCH, hanging

FOLLOWING = {
    "audit": ("audit", "charging"),
    "apply": ("apply", PLAN_ID),
    "rollback": ("rollback", JOB_ID),
    "restore": ("restore", JOB_ID),
    "watch": ("watch", JOB_ID),
    "watch as json": ("-o", "json", "watch", JOB_ID),
}


def typed(server: ScriptedServer, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "holdfast.cli", "--server", server.address, *arguments]


@pytest.fixture
def busy(ready: ScriptedServer) -> ScriptedServer:
    """A service whose jobs go on and on."""
    ready.answers["WatchJob"] = hanging(WATCH)
    return ready


def plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text).split())


@pytest.mark.parametrize("arguments", FOLLOWING.values(), ids=FOLLOWING)
def test_ctrl_c_lets_go(busy: ScriptedServer, arguments: tuple[str, ...]):
    """Exit code 130 as shells say, how to come back and how to stop it; the service is not asked to stop anything."""
    with Terminal(typed(busy, *arguments)) as terminal:
        terminal.wait_for("4711")
        terminal.press(CTRL_C)
        code = terminal.end()

    assert code == 130
    if arguments[0] != "-o":
        assert f"Follow it: holdfast watch {JOB_ID} Stop it: holdfast cancel {JOB_ID}" in plain(terminal.seen)
    assert "Traceback" not in terminal.seen
    assert not any(isinstance(request, job_pb.CancelJobRequest) for request in busy.requests)


def test_ctrl_c_twice(busy: ScriptedServer):
    """Whoever presses it again is not shown our innards."""
    with Terminal(typed(busy, "apply", PLAN_ID)) as terminal:
        terminal.wait_for("4711")
        terminal.press(CTRL_C + CTRL_C + CTRL_C)

        assert terminal.end() in {130, -2}
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("columns", [80, 40])
def test_bars_leave_the_result_alone(ready: ScriptedServer, columns: int):
    """Drawn while it lasts, gone at the end; the cursor is back."""
    with Terminal(typed(ready, "apply", PLAN_ID), {"COLUMNS": str(columns)}, columns=columns) as terminal:
        assert terminal.end() == 0

    assert "Applying to" in terminal.seen
    assert "Working on" not in terminal.seen
    assert "\x1b[?25l" in terminal.seen
    assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
    assert "Applying to" not in terminal.seen[terminal.seen.rindex("\x1b[?25h") :]


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_lesser_terminals(ready: ScriptedServer, environment: dict[str, str]):
    """A dumb one gets lines and nothing to obey; NO_COLOR bars without colours."""
    ready.answers["GetJob"] = lambda _: job_pb.GetJobResponse(job=core.Job(id=JOB.id, kind=JOB.kind, state=JOB.state))
    with Terminal(typed(ready, "apply", PLAN_ID), environment) as terminal:
        assert terminal.end() == 0

    assert not re.search(r"\x1b\[[\d;]*[349]\d[;m]", terminal.seen)
    assert ("\x1b" in terminal.seen) is ("NO_COLOR" in environment)
