"""`holdfast report` and the end of `holdfast audit`: what the service wrote, where it was asked for."""

from pathlib import Path

import pytest

from holdfast.v1 import report_service_pb2 as report_pb
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AUDIT, AUDIT_ID, PLAN_ID

PIECES = [report_pb.RenderReportResponse(text=text) for text in ("# Integrity of ", "charging\n", "\n| … |\n")]
WHOLE = "# Integrity of charging\n\n| … |\n"
SUGGESTIONS = report_pb.ListSuggestionsResponse(
    suggestions=[
        report_pb.Suggestion(text="11 rows reference nothing.", command="holdfast relationships charging reports.station_id"),
        report_pb.Suggestion(text="A \x1b[2Jname.", command="holdfast plan charging"),
    ],
    findings="2 findings: 1 ERROR, 1 WARN.",
    audit_id=AUDIT_ID,
)


@pytest.fixture
def reporting(ready: ScriptedServer) -> ScriptedServer:
    ready.answers["RenderReport"] = list(PIECES)
    ready.answers["ListSuggestions"] = SUGGESTIONS
    return ready


def asked(server: ScriptedServer) -> report_pb.RenderReportRequest:
    return next(request for request in reversed(server.requests) if isinstance(request, report_pb.RenderReportRequest))


def test_the_report_is_written_to_stdout(reporting: ScriptedServer, holdfast: Holdfast) -> None:
    """Whole, whatever its pieces were, and whatever -o says: it is a document, not a message."""
    result = holdfast("report", "charging")

    assert (result.code, result.err, result.out) == (0, "", WHOLE)
    assert holdfast("-o", "json", "report", "charging").out == WHOLE
    assert asked(reporting) == report_pb.RenderReportRequest(database="charging", format=report_pb.REPORT_FORMAT_MARKDOWN)


def test_audit_plan_and_format_are_asked_for(reporting: ScriptedServer, holdfast: Holdfast) -> None:
    """Instead of the latest."""
    holdfast("report", "charging", "--format", "html", "--audit", AUDIT.id, "--plan", PLAN_ID)

    assert asked(reporting) == report_pb.RenderReportRequest(
        database="charging", audit_id=AUDIT.id, plan_id=PLAN_ID, format=report_pb.REPORT_FORMAT_HTML
    )


@pytest.mark.parametrize("option", ["--output", "-o"])
def test_the_report_is_written_to_a_file(reporting: ScriptedServer, holdfast: Holdfast, tmp_path: Path, option: str) -> None:
    """Then nothing is printed but where it is."""
    path = tmp_path / "charging.md"
    result = holdfast("report", "charging", option, str(path))

    assert (result.code, result.out) == (0, "")
    assert path.read_text(encoding="utf-8") == WHOLE
    assert f"Wrote {path}." in result.err.replace("\n", "")


def test_a_file_that_cannot_be_written_is_an_error(reporting: ScriptedServer, holdfast: Holdfast, tmp_path: Path) -> None:
    """One sentence, and what to do."""
    result = holdfast("report", "charging", "--output", str(tmp_path / "nowhere" / "x.md"))

    assert result.code == 2
    assert "give another --output" in " ".join(result.err.split())


def test_audit_ends_with_what_matters(reporting: ScriptedServer, holdfast: Holdfast) -> None:
    """The last lines are what to do, and what to type; a terminal obeys nothing in them."""
    result = holdfast("audit", "charging")

    assert "1. 11 rows reference nothing.\n   holdfast relationships charging reports.station_id" in result.out
    assert "2. A �[2Jname." in result.out
    assert "2 findings: 1 ERROR, 1 WARN." in result.out
    assert "Next: holdfast report charging" in result.err


def test_audit_without_anything_to_do_says_so(reporting: ScriptedServer, holdfast: Holdfast) -> None:
    """Silence would be read as a failure."""
    reporting.answers["ListSuggestions"] = report_pb.ListSuggestionsResponse(findings="0 findings.")

    assert "Nothing: no open finding is worse than INFO." in holdfast("audit", "charging").out
