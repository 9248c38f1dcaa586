"""A scripted server and a way to run `holdfast` against it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from holdfast.cli.main import run
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import report_service_pb2 as report_pb
from support.scripted import ScriptedServer
from unit.cli.samples import AUDIT_ID, JOB, JOB_ID, RESPONSES
from unit.cli.scripts import PLAIN, ending_with


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


Holdfast = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def holdfast(server: ScriptedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """Run the command in this process, 80 columns wide, against the scripted server."""
    # Whoever runs the tests may use Holdfast, too.
    for name in [name for name in os.environ if name.startswith("HOLDFAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOLDFAST_SERVER", server.address)
    monkeypatch.setenv("COLUMNS", "80")

    def holdfast(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    return holdfast


@pytest.fixture
def ready(server: ScriptedServer) -> ScriptedServer:
    """A server with an answer to everything; watched jobs succeed."""
    for rpc, sample in PLAIN.values():
        server.answers[rpc] = RESPONSES[sample]
    audited = core.Job(id=JOB_ID, kind=core.JOB_KIND_AUDIT, state=core.JOB_STATE_SUCCEEDED, audit_id=AUDIT_ID)

    def watched(_: job_pb.WatchJobRequest) -> list[job_pb.WatchJobResponse]:
        started = any(isinstance(request, audit_pb.StartAuditRequest) for request in server.requests)
        return ending_with(audited if started else JOB)

    server.answers["WatchJob"] = watched
    server.answers["ListSuggestions"] = report_pb.ListSuggestionsResponse(findings="2 findings: 1 ERROR, 1 WARN.")
    server.answers["RenderReport"] = [report_pb.RenderReportResponse(text="# Integrity of charging\n")]
    server.answers["RollBack"] = RESPONSES["rollback"]
    return server
