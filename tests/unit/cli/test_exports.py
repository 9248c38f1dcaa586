"""Exports land where they are asked to, and nowhere else."""

from pathlib import Path

import grpc
import pytest

from holdfast.v1 import core_pb2 as core
from holdfast.v1 import export_service_pb2 as export_pb
from support.scripted import Failure, ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AUDIT_ID, PLAN_ID


def pieces(*files: tuple[str, str]) -> list[export_pb.ExportPlanResponse]:
    return [export_pb.ExportPlanResponse(path=path, text=text) for path, text in files]


def test_findings_are_printed_unless_a_file_is_named(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """What is piped on is the document alone; a file gets the same."""
    server.answers["ExportFindings"] = [
        export_pb.ExportFindingsResponse(path="shop.sarif", text="{\n"),
        export_pb.ExportFindingsResponse(path="shop.sarif", text="}\n"),
    ]
    printed = holdfast("export", "findings", "shop", "--severity", "warn", "--audit", AUDIT_ID)
    written = holdfast("export", "findings", "shop", "--format", "junit", "--output", str(tmp_path / "shop.xml"))

    assert (printed.code, printed.out, printed.err) == (0, "{\n}\n", "")
    assert (written.code, written.out) == (0, "")
    assert (tmp_path / "shop.xml").read_text() == "{\n}\n"
    first, second = server.requests
    assert first == export_pb.ExportFindingsRequest(
        database="shop", audit_id=AUDIT_ID, minimum_severity=core.SEVERITY_WARN, format=export_pb.FINDINGS_FORMAT_SARIF
    )
    assert second.format == export_pb.FINDINGS_FORMAT_JUNIT


def test_a_plan_becomes_files_that_are_named(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """A directory is made where there is none; texts arrive to the byte."""
    server.answers["ExportPlan"] = pieces(("V1__a.sql", "one\r"), ("V1__a.sql", "\ntwo\n"), ("deep/U1__a.sql", "x"))
    result = holdfast("export", "plan", PLAN_ID, "--format", "flyway", "--directory", str(tmp_path / "new"))

    assert result.code == 0
    assert (tmp_path / "new" / "V1__a.sql").read_bytes() == b"one\r\ntwo\n"
    assert (tmp_path / "new" / "deep" / "U1__a.sql").read_text() == "x"
    assert "".join(result.err.split()).count("Wrote") == 2
    assert server.requests[0] == export_pb.ExportPlanRequest(id=PLAN_ID, format=export_pb.PLAN_FORMAT_FLYWAY)


def test_what_a_migration_follows_is_passed_on(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """The service decides whether it can be meant."""
    server.answers["ExportPlan"] = Failure(
        code=grpc.StatusCode.INVALID_ARGUMENT, message="after is no revision; look again.", reason="INVALID_FIELD", field="after"
    )
    result = holdfast("export", "plan", PLAN_ID, "--format", "alembic", "--after", "x y", "--directory", str(tmp_path))

    assert result.code == 2
    assert "after is no revision" in result.err
    assert server.requests[0].after == "x y"
    assert not [*tmp_path.iterdir()]


def test_nothing_is_overwritten_unless_forced(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """All files or none: the one that is not there yet is not written either."""
    server.answers["ExportPlan"] = pieces(("new.sql", "new"), ("old.sql", "new"))
    (tmp_path / "old.sql").write_text("old")
    refused = holdfast("export", "plan", PLAN_ID, "--directory", str(tmp_path))
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    forced = holdfast("export", "plan", PLAN_ID, "--directory", str(tmp_path), "--force")

    assert (refused.code, forced.code) == (2, 0)
    assert "--force" in refused.err
    assert kept == {"old.sql": "old"}
    assert (tmp_path / "old.sql").read_text() == "new"


def test_a_failure_in_the_middle_leaves_nothing(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """What was there stays as it was; half a migration would be run by the next deployment."""
    (tmp_path / "old.sql").write_text("old")
    (tmp_path / "taken.sql").mkdir()
    for last in ("taken.sql", f"{'x' * 300}.sql", "old.sql/below.sql"):
        server.answers["ExportPlan"] = pieces(("new.sql", "new"), ("old.sql", "new"), (last, "new"))
        result = holdfast("export", "plan", PLAN_ID, "--directory", str(tmp_path), "--force")

        assert result.code == 2
        assert "cannot be written" in " ".join(result.err.split())
        assert {path.name for path in tmp_path.iterdir()} == {"old.sql", "taken.sql"}
        assert (tmp_path / "old.sql").read_text() == "old"


def test_findings_go_through_links_and_into_devices(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """The person names the place, so it is theirs; only what the service names is held in the directory."""
    server.answers["ExportFindings"] = [export_pb.ExportFindingsResponse(path="shop.sarif", text="{}")]
    (tmp_path / "link").symlink_to(tmp_path / "latest.sarif")
    linked = holdfast("export", "findings", "shop", "--output", str(tmp_path / "link"))
    nowhere = holdfast("export", "findings", "shop", "--output", "/dev/null")

    assert (linked.code, nowhere.code) == (0, 0)
    assert (tmp_path / "latest.sarif").read_text() == "{}"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["../out.sql", "/out.sql", "a/../../out.sql", "..", "", "link/out.sql", "c:\\out.sql", "file_link.sql"])
def test_nothing_leaves_the_directory(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path, name: str):
    """Whatever the service answers, and whatever links are in the directory; files before the bad one are not written either."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "file_link.sql").symlink_to(outside / "file.sql")
    server.answers["ExportPlan"] = pieces(("good.sql", "x"), (name, "x"))
    result = holdfast("export", "plan", PLAN_ID, "--directory", str(inside), "--force")

    assert result.code == 2
    assert "outside of" in result.err
    assert not [*outside.iterdir()]
    assert {path.name for path in inside.iterdir()} == {"link", "file_link.sql"}


def test_a_place_that_cannot_be_written_is_a_sentence(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Not a traceback."""
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    server.answers["ExportPlan"] = pieces(("a.sql", "x"))
    for place in (tmp_path / "file" / "below", tmp_path / "circle"):
        result = holdfast("export", "plan", PLAN_ID, "--directory", str(place))

        assert result.code == 2
        assert "cannot be written" in " ".join(result.err.split())
