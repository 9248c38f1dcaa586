"""What every command asks the service, prints, and ends with."""

import json
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
import typer
import yaml
from google.protobuf.json_format import ParseDict

from holdfast import __version__
from holdfast.cli.main import app, hoist
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import plan_service_pb2 as plan_pb
from support.scripted import Failure, ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AUDIT_ID, FAILED_JOB, FINDINGS, JOB, JOB_ID, PLAN_ID, RELATIONSHIPS, RESPONSES

#: Command line -> (rpc, name of the sample it answers with); the rest of the commands have tests of their own.
PLAIN = {
    ("databases", "add", "charging", "--dsn-env", "CHARGING_DSN"): ("AddDatabase", "databases add"),
    ("databases", "list"): ("ListDatabases", "databases list"),
    ("databases", "show", "charging"): ("GetDatabase", "databases show"),
    ("databases", "update", "charging", "--dsn", "postgresql://h/d"): ("UpdateDatabase", "databases update"),
    ("databases", "remove", "charging"): ("RemoveDatabase", "databases remove"),
    ("databases", "check", "charging"): ("CheckDatabase", "databases check"),
    ("audit", "charging", "--detach"): ("StartAudit", "audit --detach"),
    ("audits", "list", "--database", "charging"): ("ListAudits", "audits list"),
    ("audits", "show", AUDIT_ID): ("GetAudit", "audit"),
    ("relationships", "charging"): ("ListRelationships", "relationships"),
    ("findings", "charging"): ("ListFindings", "findings"),
    ("orphans", "charging", RELATIONSHIPS[2].id, "--column", "reason"): ("SampleOrphans", "orphans"),
    ("plan", "charging"): ("CreatePlan", "plan"),
    ("plans", "list"): ("ListPlans", "plans list"),
    ("plans", "show", PLAN_ID): ("GetPlan", "plans show"),
    ("plans", "approve", PLAN_ID): ("ApprovePlan", "plans approve"),
    ("plans", "reject", PLAN_ID): ("RejectPlan", "plans reject"),
    ("script", PLAN_ID, "--kind", "verify"): ("RenderPlan", "script"),
    ("apply", PLAN_ID, "--detach"): ("ApplyPlan", "apply --detach"),
    ("cancel", JOB_ID): ("CancelJob", "cancel"),
    ("jobs", "list"): ("ListJobs", "jobs list"),
    ("jobs", "show", JOB_ID): ("GetJob", "jobs show"),
    ("log", "charging"): ("ListEntries", "log"),
    ("log", "--verify"): ("VerifyEntries", "log --verify"),
}
WATCH = [
    job_pb.WatchJobResponse(
        snapshot=core.Job(id=JOB_ID, kind=core.JOB_KIND_APPLICATION, state=core.JOB_STATE_RUNNING, database="charging"), resume_token="0"
    ),
    job_pb.WatchJobResponse(
        event=core.Event(job_id=JOB_ID, sequence=1, kind=core.EVENT_KIND_STEP_STARTED, message="Build index", step=2), resume_token="1"
    ),
    job_pb.WatchJobResponse(
        event=core.Event(
            job_id=JOB_ID, sequence=2, kind=core.EVENT_KIND_LOCK_WAIT, message="Waiting for reports, held by process 4711", step=2
        ),
        resume_token="2",
    ),
    job_pb.WatchJobResponse(heartbeat=job_pb.Heartbeat(), resume_token="2"),
    job_pb.WatchJobResponse(event=core.Event(job_id=JOB_ID, sequence=3, kind=core.EVENT_KIND_STEP_DONE, step=2), resume_token="3"),
]


def ending_with(job: core.Job) -> list[job_pb.WatchJobResponse]:
    return [*WATCH, job_pb.WatchJobResponse(final=job, resume_token="3")]


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
    server.answers["RollBack"] = RESPONSES["rollback"]
    return server


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_json_is_the_response_message(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """Parsing what -o json prints gives back the message, and field names are the proto's."""
    result = holdfast("-o", "json", *arguments)
    expected = RESPONSES[PLAIN[arguments][1]]

    assert (result.code, result.err) == (0, "")
    assert ParseDict(json.loads(result.out), type(expected)()) == expected
    assert set(json.loads(result.out)) == {field.name for field in expected.DESCRIPTOR.fields}


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_yaml_is_the_same_as_json(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """Two spellings of one value."""
    assert yaml.safe_load(holdfast(*arguments, "-o", "yaml").out) == json.loads(holdfast(*arguments, "-o", "json").out)


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_tables_go_to_stdout_and_hints_to_stderr(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """What is piped on is the result alone."""
    result = holdfast(*arguments)

    assert result.code == 0
    assert result.out.strip()
    assert "Next:" not in result.out


def commands(group: object = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    group = group or typer.main.get_command(app)
    yield path
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [*commands()], ids=" ".join)
def test_help_of_every_command(holdfast: Holdfast, path: tuple[str, ...]):
    """Help ends well; that of a command shows an example that starts as it should."""
    result = holdfast(*path, "--help")

    assert result.code == 0
    assert "Usage: " in result.out
    if path and path not in {("databases",), ("audits",), ("plans",), ("jobs",)}:
        example = result.out.split("Example: ")[1]
        assert " ".join(path) in example
        assert max(map(len, result.out.splitlines())) <= 80


def test_the_list_of_commands_is_the_contract():
    """What users type stays."""
    assert {" ".join(path) for path in commands()} == {
        "",
        "databases", "databases add", "databases list", "databases show", "databases update", "databases remove", "databases check",
        "audit", "audits", "audits list", "audits show", "relationships", "findings", "orphans",
        "plan", "plans", "plans list", "plans show", "plans approve", "plans reject", "script",
        "apply", "rollback", "watch", "cancel", "jobs", "jobs list", "jobs show", "log",
    }  # fmt: skip


def test_version_needs_no_server():
    """One line, as other programs print it."""
    done = subprocess.run([sys.executable, "-m", "holdfast.cli", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"holdfast {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["audit", "shop", "-o", "json"], ["-o", "json", "audit", "shop"]),
        (["audit", "--server=h:1", "shop"], ["--server=h:1", "audit", "shop"]),
        (["-o", "json", "watch", "j"], ["-o", "json", "watch", "j"]),
        (["audit", "--", "-o", "json"], ["audit", "--", "-o", "json"]),
        (["audit", "-o"], ["-o", "audit"]),
    ],
)
def test_global_options_may_stand_anywhere(typed: list[str], meant: list[str]):
    """Nobody remembers on which side of the command they belong."""
    assert hoist(typed) == meant


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


def test_tampered_log_ends_with_2(ready: ScriptedServer, holdfast: Holdfast):
    """And says where it broke."""
    ready.answers["VerifyEntries"] = type(RESPONSES["log --verify"])(entries=12, first_broken_sequence=7)
    result = holdfast("log", "--verify")

    assert result.code == 2
    assert "broken at entry 7" in result.out


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


def test_lists_follow_all_pages(server: ScriptedServer, holdfast: Holdfast):
    """One message with all items, and no token left."""
    pages = {
        "": job_pb.ListJobsResponse(jobs=[JOB], next_page_token="more"),
        "more": job_pb.ListJobsResponse(jobs=[FAILED_JOB]),
    }
    server.answers["ListJobs"] = lambda request: pages[request.page_token]
    printed = json.loads(holdfast("-o", "json", "jobs", "list").out)

    assert [job["state"] for job in printed["jobs"]] == ["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"]
    assert printed["next_page_token"] == ""


def test_orphans_by_short_name(ready: ScriptedServer, holdfast: Holdfast):
    """table.column is resolved before asking."""
    result = holdfast("orphans", "charging", "reports.station_id", "--limit", "5", "--column", "a", "--column", "b")

    assert result.code == 0
    assert ready.requests[-1] == audit_pb.SampleOrphansRequest(
        database="charging", relationship_id=RELATIONSHIPS[2].id, limit=5, columns=["a", "b"]
    )


def test_plan_sends_the_policy(ready: ScriptedServer, holdfast: Holdfast, tmp_path):
    """Read, resolved and sent; with a request_id."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("relationships: {reports.station_id: {orphans: delete}}")
    result = holdfast("plan", "charging", "--policy", str(policy))
    request = ready.requests[-1]

    assert result.code == 0
    assert request.policy == plan_pb.Policy(
        overrides=[plan_pb.Override(relationship_id=RELATIONSHIPS[2].id, orphan_action=core.ORPHAN_ACTION_DELETE)]
    )
    assert len(request.request_id) == 36


def test_script_is_raw(ready: ScriptedServer, holdfast: Holdfast):
    """So that it can be piped into psql."""
    assert holdfast("script", PLAN_ID).out == "BEGIN;\nCOMMIT;\n"


def test_who_asks_is_stated(ready: ScriptedServer, holdfast: Holdfast):
    """user@host unless told otherwise."""
    holdfast("databases", "list")
    holdfast("databases", "list", "--principal", "release pipeline")

    assert "@" in ready.metadata[0]["x-holdfast-principal"]
    assert ready.metadata[1]["x-holdfast-principal"] == "release pipeline"
