"""Schedules, history and comparisons on the command line."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.cli.render.history import spark
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1.core_pb2 import SEVERITY_ERROR
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import COUNTS, FINDINGS


def test_a_schedule_travels_as_typed(ready: ScriptedServer, holdfast: Holdfast):
    """Durations are read here; what they mean is the service's business."""
    result = holdfast("schedules", "set", "charging", "--every", "6h", "--jitter", "10m", "--estimate-after", "90s")
    (request,) = ready.requests

    assert result.code == 0
    assert (request.database, request.schedule.WhichOneof("recurrence")) == ("charging", "interval")
    assert [getattr(request.schedule, name).seconds for name in ("interval", "jitter", "estimate_after")] == [21_600, 600, 90]


@pytest.mark.parametrize("arguments", [(), ("--cron", "* * * * *", "--every", "6h")])
def test_one_recurrence_is_needed(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """Neither and both are refused before anybody is asked."""
    result = holdfast("schedules", "set", "charging", *arguments)

    assert (result.code, ready.requests) == (2, [])
    assert "exactly one of --cron and --every" in result.err


def test_what_was_missed_is_shown(ready: ScriptedServer, holdfast: Holdfast):
    """With the reason, where somebody looks."""
    assert "still running" in " ".join(holdfast("schedules", "show", "charging").out.split())


def test_how_the_last_audit_ended_is_shown(ready: ScriptedServer, holdfast: Holdfast):
    """Starts that fail, one after the other, miss no run; whoever looks must see it."""
    ready.answers["GetAudit"] = audit_pb.GetAuditResponse(audit=audit_pb.Audit(state=audit_pb.AUDIT_STATE_FAILED))
    shown = holdfast("schedules", "show", "charging").out

    assert "FAILED" in next(line for line in shown.splitlines() if line.startswith("last audit"))


@pytest.mark.parametrize(("arguments", "days"), [((), 30), (("--since", "7d"), 7), (("--since", "0s"), 0)])
def test_history_goes_back_as_far_as_asked(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...], days: int):
    """A month unless somebody says more."""
    holdfast("history", "charging", *arguments)
    (request,) = ready.requests

    assert abs(datetime.now(UTC) - timedelta(days=days) - request.start_time.ToDatetime(tzinfo=UTC)) < timedelta(minutes=1)


def test_history_goes_back_no_further_than_time_does(ready: ScriptedServer, holdfast: Holdfast):
    """A length that nobody can mean is a sentence."""
    result = holdfast("history", "charging", "--since", "999999999d")

    assert (result.code, ready.requests) == (2, [])
    assert "longer than a hundred years" in result.err


def test_history_shows_what_rose_first(ready: ScriptedServer, holdfast: Holdfast):
    """The most orphan rows first, clean relationships only counted."""
    lines = holdfast("history", "charging").out.splitlines()
    rows = [line for line in lines if "→" in line or "▁" in line]

    assert "4,200,000" in rows[0]
    assert "+3" in next(line for line in lines if "▁▄▆█" in line)
    assert lines[-1] == "1 relationship had no orphan row at any audit."


def test_history_of_one_has_a_line_per_audit(ready: ScriptedServer, holdfast: Holdfast):
    """With bars."""
    lines = holdfast("history", "charging", COUNTS[0].relationship_id).out.splitlines()

    assert sum(line.count("audit-") for line in lines) == len(COUNTS)
    assert any("█" * 20 in line for line in lines)


def test_sparks_tell_one_row_from_none():
    """Oldest first; the last twenty."""
    assert spark([0, 1, 1_000_000]) == "▁▂█"
    assert spark([0, 0]) == "▁▁"
    assert len(spark(range(100))) == 20


@pytest.mark.parametrize(("asked", "code"), [(None, 0), ("error", 1)])
def test_a_new_finding_fails_when_asked(ready: ScriptedServer, holdfast: Holdfast, asked: str | None, code: int):
    """For pipelines: only what appeared counts, not what was there before."""
    assert FINDINGS[0].severity == SEVERITY_ERROR
    result = holdfast("audits", "compare", "charging", *(("--fail-on", asked) if asked else ()))

    assert result.code == code
    assert "12 more did not fit." in result.out


@pytest.mark.parametrize("number", range(3))
def test_the_page_shows_what_is_printed(ready: ScriptedServer, holdfast: Holdfast, number: int):
    """docs/schedules.md quotes a schedule, a history and a comparison."""
    page = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[number]

    printed = holdfast(*(("schedules", "show", "charging"), ("history", "charging"), ("audits", "compare", "charging"))[number]).out

    def alike(text: str) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-18 01:36:40", "\n".join(line.rstrip() for line in text.splitlines()))

    assert alike(quoted) in alike(printed)
