"""The shell completes commands, options, names and ids, and says nothing when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from holdfast.cli.completing import short_names
from support.scripted import Failure, ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AUDIT_ID, DECLARED, JOB_ID, PLAN_ID, RELATIONSHIPS

#: Sources the script, presses the key after the words given, and prints the offers.
_PRESS = """
eval "$SCRIPT"
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_holdfast_completion holdfast
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def bash(tmp_path: Path, holdfast: Holdfast):
    """Completion as bash does it, with `holdfast` on the path."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    command = tmp_path / "holdfast"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m holdfast.cli "$@"\n')
    command.chmod(0o755)
    script = holdfast("completion", "bash").out

    def press(server: str, *words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", _PRESS, "bash", *words],
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOLDFAST_SERVER": server, "SCRIPT": script},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return press


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("holdfast", "roll"), {"rollback"}),
        (("holdfast", "audit", "--fail-on", ""), {"info", "warn", "error"}),
        (("holdfast", "audit", "ch"), {"charging"}),
        (("holdfast", "plans", "show", ""), {PLAN_ID}),
        (("holdfast", "watch", "job-"), {JOB_ID}),
        (("holdfast", "audits", "show", ""), {AUDIT_ID}),
        (("holdfast", "orphans", "charging", "reports.s"), {"reports.station_id"}),
    ],
    # A set has another order in every process.
    ids=lambda value: " ".join(sorted(value) if isinstance(value, set) else value),
)
def test_bash_completes(ready: ScriptedServer, bash, words: tuple[str, ...], offered: set[str]):
    """For real: the script as printed, in the shell that it is for."""
    assert set(bash(ready.address, *words)) == offered


def test_no_service_no_offer_no_word(bash, unused_tcp_port: int):
    """In the middle of a line nobody wants to read about connections."""
    assert bash(f"127.0.0.1:{unused_tcp_port}", "holdfast", "audit", "") == []


def test_a_refusal_is_no_offer(ready: ScriptedServer, bash):
    """Whoever may not list may still type."""
    ready.answers["ListDatabases"] = Failure(code=grpc.StatusCode.PERMISSION_DENIED, message="No.", reason="PERMISSION_DENIED")

    assert bash(ready.address, "holdfast", "audit", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(holdfast: Holdfast, shell: str):
    """Without a service; where the shell is installed, it takes the script."""
    printed = holdfast("completion", shell)

    assert printed.code == 0
    assert "_HOLDFAST_COMPLETE=complete_" + shell in printed.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=printed.out, text=True, check=True)


def test_relationships_are_offered_by_names_that_are_theirs_alone():
    """What two would answer to is offered for neither; several columns are too long to type."""
    other = type(RELATIONSHIPS[2])()
    other.CopyFrom(RELATIONSHIPS[2])
    other.id, other.referencing.schema = other.id.replace("public.reports", "old.reports"), "old"

    assert short_names([RELATIONSHIPS[2], other, DECLARED]) == ["public.reports.station_id", "old.reports.station_id"]
