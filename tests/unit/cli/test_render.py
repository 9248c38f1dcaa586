"""Tables fit into 80 columns and lose nothing of what they show."""

import io

import pytest
from google.protobuf import message_factory
from google.protobuf.message import Message
from rich.console import Console

from holdfast.channel import SERVICE_FILES
from holdfast.cli.render import RENDERERS, render, words
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import Database, ListDatabasesResponse
from unit.cli.samples import PLAN_ID, RESPONSES


def printed(message: Message, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(render(message))
    return console.file.getvalue()


def test_every_response_of_the_contract_has_a_renderer_and_a_sample():
    """A new rpc is not done before people can read its answer."""
    methods = [method for file in SERVICE_FILES for service in file.services_by_name.values() for method in service.methods]
    responses = {message_factory.GetMessageClass(method.output_type) for method in methods if not method.server_streaming}

    assert responses == set(RENDERERS)
    assert responses == {type(message) for message in RESPONSES.values()}


@pytest.mark.parametrize("sample", RESPONSES)
def test_tables_fit_into_80_columns(sample: str):
    """No line is longer, nothing is cut off with an ellipsis but fingerprints."""
    lines = printed(RESPONSES[sample]).splitlines()

    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "…" in line and not line.startswith("fingerprint")] == []


@pytest.mark.parametrize("width", [40, 20])
@pytest.mark.parametrize("sample", RESPONSES)
def test_narrow_terminals_are_no_reason_to_fail(sample: str, width: int):
    """Half a screen beside an editor: tables fold, and none is wider than the terminal."""
    assert max(map(len, printed(RESPONSES[sample], width).splitlines())) <= width


@pytest.mark.parametrize("sample", RESPONSES)
def test_empty_responses_render(sample: str):
    """What is not there yet is no reason to fail."""
    printed(type(RESPONSES[sample])())


def test_the_log_keeps_its_columns_beside_long_subjects():
    """An id of a finding folds; numbers, times and outcomes are still there, and so are ids of jobs."""
    shown = printed(RESPONSES["log"])

    assert "2026-11-18 11:06" in shown
    assert "PLAN_STATE" in shown
    assert PLAN_ID in shown
    assert "finding.ignore" in shown


def test_long_names_are_folded_not_cut():
    """A name that nobody can copy is no name."""
    name = "a" * 63
    folded = printed(ListDatabasesResponse(databases=[Database(name=name)]))

    assert folded.count("a") == 63 + "Name State".count("a")


def test_text_from_databases_is_no_markup_and_no_escape():
    """Neither rich nor the terminal obeys what a row says."""
    sample = audit_pb.OrphanSample(values=["[red]x[/red]", "\x1b[31mred\x07"], nulls=[False, False])
    shown = printed(audit_pb.SampleOrphansResponse(columns=["[b]", "c"], samples=[sample]))

    assert "[red]x[/red]" in shown
    assert "[b]" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_null_is_not_the_empty_text():
    """NULL is shown as NULL, an empty text as nothing."""
    rows = [audit_pb.OrphanSample(values=["1", ""], nulls=[False, True]), audit_pb.OrphanSample(values=["2", ""], nulls=[False, False])]
    shown = printed(audit_pb.SampleOrphansResponse(columns=["id", "x"], samples=rows)).splitlines()

    assert shown[-2].split() == ["1", "NULL"]
    assert shown[-1].split() == ["2"]


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("public.reports(station_id)->public.stations(id)", "reports.station_id → stations.id"),
        ("sales.lines(order_id)->public.orders(id)", "sales.lines.order_id → orders.id"),
        ("public.a(x, y)->public.b(x, y)", "a(x, y) → b(x, y)"),
        ('public."A"(x)->public.b(id)', '"A"(x) → b(id)'),
        ('public."->"(x)->public.b(id)', '"->"(x) → b(id)'),
    ],
)
def test_relationships_are_written_as_people_do(identity: str, shown: str):
    """Schema public goes without saying; plain names lose the brackets, all others stay as they are."""
    assert shown == words.relationship(identity)


def test_words_of_enums():
    """The prefix goes, unknown numbers of newer services stay."""
    assert words.word(core.OnDelete, core.ON_DELETE_SET_NULL) == "SET NULL"
    assert words.word(core.JobState, core.JOB_STATE_UNSPECIFIED) == words.NOTHING
    assert words.word(core.JobState, 99) == "99"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 %"), (0.00001, "<0.01 %"), (0.004, "0.4 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.996, ">99 %"), (1, "100 %")],
)
def test_shares_are_never_rounded_to_none_or_all(value: float, shown: str):
    """A few rows are not none, and all but a few are not all."""
    assert words.share(value) == shown


def test_numbers_of_rows_say_what_they_are_worth():
    """Exact, estimated, not counted."""
    counts = [core.RowCount(value=12345, exactness=exactness) for exactness in (1, 2, 3)]

    assert [words.rows(count).plain for count in counts] == ["12,345", "≈12,345", "?"]


@pytest.mark.parametrize(("probability", "shown"), [(1.0, "1.00"), (0.999, "0.99"), (0.5, "0.50")])
def test_only_what_is_declared_is_certain(probability: float, shown: str) -> None:
    assert words.chance(probability) == shown


def test_job_says_what_it_waits_for():
    """Whoever looks at three in the morning sees who paused it."""
    lines = printed(RESPONSES["pause"]).splitlines()

    assert [line.split(maxsplit=1)[1].strip() for line in lines if line.startswith("waiting")] == ["paused by bob@desk"]
    assert "RUNNING, waiting" in printed(RESPONSES["jobs list"])


def test_cancelled_job_says_what_is_left():
    """It is no error, and nobody asks any more."""
    text = " ".join(printed(RESPONSES["jobs show cancelled"]).split())

    assert "left Cancelled after step 3 of 27. In force now: 1 key NOT VALID (fk_reports_station)" in text
    assert "error" not in text
    assert "requested" not in text
