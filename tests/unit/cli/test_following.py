"""Commands that wait for a job: what they print meanwhile, at the end, and when it ends badly."""

import json
import signal
import subprocess
import sys
from functools import partial

import pytest
from google.protobuf.json_format import ParseDict

from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import FAILED_JOB, JOB, JOB_ID, PLAN_ID, RESPONSES
from unit.cli.scripts import WATCH, ending_with, hanging


def test_audit_waits_and_prints_the_audit(ready: ScriptedServer, holdfast: Holdfast):
    """Not the job: {"audit": …}."""
    result = holdfast("-o", "json", "audit", "charging")

    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["audit"]["summary"]["orphan_rows"] == "11"


@pytest.mark.parametrize("arguments", [("apply", PLAN_ID), ("rollback", JOB_ID)], ids=" ".join)
def test_apply_and_rollback_wait_and_print_the_job(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """{"job": …} as it ended, read again from the service."""
    result = holdfast("-o", "json", *arguments)

    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert isinstance(ready.requests[-1], job_pb.GetJobRequest)


def test_progress_is_lines_where_there_is_no_terminal(ready: ScriptedServer, holdfast: Holdfast):
    """Steps and lock waits, on stderr; the result alone on stdout."""
    result = holdfast("apply", PLAN_ID)

    assert "Build index" in result.err
    assert "held by process 4711" in result.err
    assert "Build index" not in result.out
    assert "reports.station_id" in result.out


def test_ctrl_c_detaches_and_the_job_goes_on(server: ScriptedServer):
    """One key stops following; the service is not told to stop anything."""
    server.answers["ApplyPlan"] = RESPONSES["apply --detach"]
    server.answers["WatchJob"] = hanging(WATCH)
    command = [sys.executable, "-m", "holdfast.cli", "--server", server.address, "apply", PLAN_ID]
    # Whoever runs the tests in the background may have told us to ignore the key.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heed) as process:  # noqa: PLW1509
        while "held by process 4711" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()

    assert process.returncode == 130
    assert f"Follow it: holdfast watch {JOB_ID} Stop it: holdfast cancel {JOB_ID}" in " ".join(said.split())
    assert "Traceback" not in said
    assert {type(request).__name__ for request in server.requests} == {"ApplyPlanRequest", "WatchJobRequest"}


def test_watch_as_json_is_one_line_per_message(ready: ScriptedServer, holdfast: Holdfast):
    """Programs read line by line; heartbeats included, because they are messages."""
    result = holdfast("-o", "json", "watch", JOB_ID)
    messages = [ParseDict(json.loads(line), job_pb.WatchJobResponse()) for line in result.out.splitlines()]

    assert result.code == 0
    assert messages == ending_with(JOB)


@pytest.mark.parametrize("arguments", [("watch", JOB_ID), ("-o", "json", "watch", JOB_ID), ("apply", PLAN_ID), ("rollback", JOB_ID)])
def test_failed_job_ends_with_2(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """The reason is on stderr, the job on stdout."""
    ready.answers["WatchJob"] = ending_with(FAILED_JOB)
    result = holdfast(*arguments)

    assert result.code == 2
    assert result.err.splitlines()[-1].endswith("Apply again when it is free. [LOCK_TIMEOUT]")
    assert JOB_ID in result.out


def test_cancelled_job_ends_with_2(ready: ScriptedServer, holdfast: Holdfast):
    """Somebody asked, but what was wanted did not happen."""
    ready.answers["WatchJob"] = ending_with(core.Job(id=JOB_ID, state=core.JOB_STATE_CANCELLED))

    assert holdfast("apply", PLAN_ID).code == 2
