"""What every command asks the service, and what it prints in each format."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
import yaml
from google.protobuf.json_format import ParseDict

from holdfast import __version__
from holdfast.cli.main import app, hoist
from holdfast.cli.throttling import rate
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import plan_service_pb2 as plan_pb
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import DECLARED, FAILED_JOB, IGNORED, JOB, PLAN_ID, RELATIONSHIPS, RESPONSES
from unit.cli.scripts import PLAIN


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_json_is_the_response_message(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """Parsing what -o json prints gives back the message, and field names are the proto's."""
    result = holdfast("-o", "json", *arguments)
    expected = RESPONSES[PLAIN[arguments][1]]

    assert (result.code, result.err) == (0, "")
    assert ParseDict(json.loads(result.out), type(expected)()) == expected
    assert list(json.loads(result.out)) == [field.name for field in expected.DESCRIPTOR.fields]


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
    if path and path not in {("databases",), ("audits",), ("plans",), ("jobs",), ("backups",), ("schedules",), ("export",)}:
        example = result.out.split("Example: ")[1]
        assert " ".join(path) in example
        assert max(map(len, result.out.splitlines())) <= 80


def test_the_list_of_commands_is_the_contract():
    """What users type stays."""
    assert {" ".join(path) for path in commands()} == {
        "",
        "databases", "databases add", "databases list", "databases show", "databases update", "databases remove", "databases check",
        "audits compare", "history", "schedules", "schedules set", "schedules list", "schedules show", "schedules remove",
        "audit", "audits", "audits list", "audits show", "relationships", "tables", "init", "completion", "findings", "ignore", "unignore", "orphans", "report", "impact", "gate",
        "plan", "plans", "plans list", "plans show", "plans check", "plans approve", "plans reject", "script",
        "apply", "rollback", "restore", "backups", "backups list", "backups purge", "watch", "cancel", "pause",
        "resume", "jobs", "jobs list", "jobs show", "log", "export", "export findings", "export plan",
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


def test_one_relationship_is_shown_whole(ready: ScriptedServer, holdfast: Holdfast):
    """Programs get the same message with one relationship in it; people get everything that is known."""
    shown = holdfast("relationships", "charging", "reports.station_id").out
    sent = json.loads(holdfast("-o", "json", "relationships", "charging", "reports.station_id").out)

    assert [item["id"] for item in sent["relationships"]] == [RELATIONSHIPS[2].id]
    for words in (
        "0.98 = 0.99 a reference × 0.99 to this key",
        "station_id is named after stations",
        "weather_stations(id)",
        "When reports must outlive stations.",
        "0.4 % of the table",
        "2023-11-14 22:13 to 2025-06-15 15:06, by created_at",
        "the referenced row was deleted",
        "a value that means none",
        "report_photos",
    ):
        assert words in shown, words
    assert max(map(len, shown.splitlines())) <= 80


def test_a_relationship_declared_twice_is_shown_twice(ready: ScriptedServer, holdfast: Holdfast):
    """Two constraints on the same columns are one relationship, by short name and by id."""
    again = core.Relationship()
    again.CopyFrom(DECLARED)
    again.constraint_name = "fk_again"
    ready.answers["ListRelationships"] = audit_pb.ListRelationshipsResponse(relationships=[DECLARED, again])
    by_id, by_name = (holdfast("relationships", "charging", name) for name in (DECLARED.id, "Order Lines(Order, line)"))

    assert (by_id.code, by_id.out) == (0, by_name.out)
    assert "fk_order_lines" in by_id.out
    assert "fk_again" in by_id.out


def test_ignored_findings_are_left_out_and_counted(ready: ScriptedServer, holdfast: Holdfast):
    """They are shown when asked for, and never make the command end with 1."""
    ready.answers["ListFindings"] = audit_pb.ListFindingsResponse(findings=[IGNORED])
    plain, asked = holdfast("findings", "charging", "--severity", "warn"), holdfast("findings", "charging", "--ignored")

    assert (plain.code, plain.out) == (0, "Nothing was found.\n")
    assert "1 ignored: holdfast findings charging --ignored" in plain.err
    assert "ignored by ada@laptop until 2030-03-17: Nobody deletes users." in " ".join(asked.out.split())


def test_findings_for_programs_are_what_was_asked_for(ready: ScriptedServer, holdfast: Holdfast):
    """-o json asks for ignored ones only with --ignored."""
    for arguments, expected in ((("findings", "charging"), False), (("findings", "charging", "--ignored"), True)):
        holdfast("-o", "json", *arguments)

        assert ready.requests[-1].include_ignored is expected


def test_ignore_sends_reason_and_date(ready: ScriptedServer, holdfast: Holdfast):
    """A date is midnight, UTC."""
    holdfast("ignore", "charging", "f:x", "--reason", "staging", "--until", "2030-01-02")
    request = ready.requests[-1]

    assert (request.finding_id, request.reason) == ("f:x", "staging")
    assert request.expire_time.ToJsonString() == "2030-01-02T00:00:00Z"


@pytest.mark.parametrize(("typed", "seconds"), [("60s", 60), ("500ms", 0.5), ("1.5h", 5400), ("5m", 300)])
def test_estimating_after_a_time(ready: ScriptedServer, holdfast: Holdfast, typed: str, seconds: float):
    """The time travels with the request; without one nothing is estimated."""
    holdfast("audit", "charging", "--detach", "--estimate-after", typed)
    asked = ready.requests[-1]
    holdfast("audit", "charging", "--detach")

    assert asked.options.estimate_after.ToTimedelta().total_seconds() == seconds
    assert not ready.requests[-1].HasField("options")


def test_when_to_hold_back_travels_with_the_request(ready: ScriptedServer, holdfast: Holdfast):
    """All of it or nothing."""
    holdfast("apply", PLAN_ID, "--detach", "--max-replica-lag", "90s", "--max-active-sessions", "40", "--max-wal-rate", "50MB")
    asked = ready.requests[-1].throttle
    holdfast("apply", PLAN_ID, "--detach")

    assert (asked.max_replica_lag.seconds, asked.max_active_sessions, asked.max_wal_bytes_per_second) == (90, 40, 50_000_000)
    assert not ready.requests[-1].HasField("throttle")


@pytest.mark.parametrize(("typed", "count"), [("500", None), ("500B", 500), ("1.5kb", 1500), ("2GB", 2_000_000_000), ("-1MB", None)])
def test_sizes_have_units(typed: str, count: int | None):
    """A bare number could mean anything."""
    if count is None:
        with pytest.raises(typer.BadParameter):
            rate(typed)
    else:
        assert rate(typed) == count


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "x", "--estimate-after", "soon"),
        ("apply", "x", "--max-wal-rate", "fast"),
        ("ignore", "x", "f"),
        ("report", "x", "--format", "pdf"),
    ],
)
def test_mistyped_options_are_told(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """One sentence, no request."""
    result = holdfast(*arguments)

    assert result.code == 2
    assert result.err.startswith("holdfast: ")
    assert ready.requests == []


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
