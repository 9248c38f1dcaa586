"""How commands fail: one sentence, the reason, the exit code, nothing of a DSN."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from support.scripted import Failure, ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import FINDINGS, JOB_ID, PLAN_ID, RESPONSES
from unit.cli.scripts import ending_with


@pytest.mark.parametrize("when", ["refused", "failed later"])
def test_drift_ends_with_3(ready: ScriptedServer, holdfast: Holdfast, when: str):
    """Scripts make a new plan then."""
    if when == "failed later":
        ready.answers["WatchJob"] = ending_with(
            core.Job(id=JOB_ID, state=core.JOB_STATE_FAILED, error_reason="PLAN_DRIFTED", error_message="It changed; plan again.")
        )
    else:
        ready.answers["ApplyPlan"] = Failure(
            code=grpc.StatusCode.FAILED_PRECONDITION, message="It changed; plan again.", reason="PLAN_DRIFTED"
        )
    result = holdfast("apply", PLAN_ID)

    assert result.code == 3
    assert result.err.splitlines()[-1] == "holdfast: It changed; plan again. [PLAN_DRIFTED]"


@pytest.mark.parametrize(
    ("arguments", "found", "code"),
    [
        (("findings", "charging"), FINDINGS, 0),
        (("findings", "charging", "--severity", "error"), FINDINGS, 1),
        (("findings", "charging", "--severity", "error"), [], 0),
        (("audit", "charging"), FINDINGS, 0),
        (("audit", "charging", "--fail-on", "warn"), FINDINGS, 1),
        (("audit", "charging", "--fail-on", "warn"), [], 0),
    ],
    ids=str,
)
def test_findings_end_with_1_when_asked(ready: ScriptedServer, holdfast: Holdfast, arguments, found, code: int):
    """For pipelines: only who asked for a severity is failed by it."""
    ready.answers["ListFindings"] = audit_pb.ListFindingsResponse(findings=found)

    assert holdfast(*arguments).code == code
    if code:
        asked = ready.requests[-1].minimum_severity
        assert core.Severity.Name(asked).endswith(arguments[-1].upper())


def test_tampered_log_ends_with_1(ready: ScriptedServer, holdfast: Holdfast):
    """And says where it broke, and what."""
    broken = type(RESPONSES["log --verify"])(entries=12, first_broken_sequence=7, message="Entry 7 was changed.")
    ready.answers["VerifyEntries"] = broken
    result = holdfast("log", "--verify")

    assert result.code == 1
    assert "broken at entry 7" in result.out
    assert "Entry 7 was changed." in result.out


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (
            Failure(code=grpc.StatusCode.NOT_FOUND, message="There is no database shop.", reason="DATABASE_NOT_FOUND"),
            "holdfast: There is no database shop. [DATABASE_NOT_FOUND]",
        ),
        (
            Failure(code=grpc.StatusCode.INVALID_ARGUMENT, message="It is too long.", reason="INVALID_FIELD", field="name"),
            "holdfast: name: It is too long. [INVALID_FIELD]",
        ),
        (
            Failure(code=grpc.StatusCode.UNKNOWN, message="dsn postgresql://u:secret@h/d\nand password = 'se cret'"),
            "holdfast: dsn postgresql://… and password = … [UNKNOWN]",
        ),
    ],
)
def test_errors_are_one_sentence(server: ScriptedServer, holdfast: Holdfast, failure: Failure, line: str):
    """With the reason, on stderr, without anything of a DSN."""
    server.answers["GetDatabase"] = failure
    result = holdfast("databases", "show", "shop")

    assert (result.code, result.out, result.err) == (2, "", line + "\n")


def test_no_server_ends_with_2(holdfast: Holdfast, unused_tcp_port: int):
    """Also for watch, which would be patient with a service that it knew."""
    for command in (("databases", "list"), ("watch", JOB_ID)):
        result = holdfast("--server", f"127.0.0.1:{unused_tcp_port}", *command)

        assert result.code == 2
        assert f"127.0.0.1:{unused_tcp_port}; check the address" in result.err


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("audit",), ("-o", "xml", "databases", "list"), ("findings", "x", "--severity", "bad"), ("databases",), ("audit", "-o"),
     ("databases", "add", "x"), ("databases", "add", "x", "--dsn", "a", "--dsn-env", "b"), ("plan", "x", "--policy", "/nowhere")],
    ids=" ".join,
)  # fmt: skip
def test_mistyped_commands_end_with_2(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """And no traceback."""
    result = holdfast(*arguments)

    assert result.code == 2
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [("databases", "add", "x", "postgresql://u:secret@h/d"), ("audit", "x", "--dsn", "postgresql://u:secret@h/d"), ("password=secret",)],
)
def test_mistyped_dsn_is_not_repeated(holdfast: Holdfast, arguments: tuple[str, ...]):
    """Usage errors quote what was typed, but for secrets."""
    result = holdfast(*arguments)

    assert result.code == 2
    assert "secret" not in result.err + result.out


def test_fault_of_ours_is_a_sentence(holdfast: Holdfast, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch):
    """The last resort: no traceback, no text that could hold anything."""
    monkeypatch.setattr("holdfast.cli.output.render", lambda _: 1 / 0)
    server.answers["GetDatabase"] = RESPONSES["databases show"]
    result = holdfast("databases", "show", "shop")

    assert result.code == 2
    assert result.err == "holdfast: This is a fault of holdfast (ZeroDivisionError); please report it with the command. [INTERNAL]\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_no_fault_of_ours(ready: ScriptedServer):
    """Where the output cannot be written, that is what it says."""
    environment = os.environ | {"HOLDFAST_SERVER": ready.address}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast.cli", "databases", "list"],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert (
        done.stderr
        == "holdfast: The output cannot be written (No space left on device); make room, or send it elsewhere. [INVALID_FIELD]\n"
    )
