"""Progress says how far a job is, how fast, how long it takes if anybody can know, and who is in its way; in any width."""

import io

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from holdfast.cli.output import Output, Printer
from holdfast.cli.progress.bars import picture
from holdfast.cli.progress.display import Lines
from holdfast.cli.progress.pace import Pace, Paces
from holdfast.cli.progress.standing import Standing, duration, figures
from holdfast.v1 import core_pb2 as core
from unit.cli.hostile_names import HOSTILE_NAMES
from unit.cli.samples import JOB_ID

BEGAN = 1_795_000_000
BLOCKER = core.Blocker(pid=4711, application="nightly-report", age_seconds=90)
JOB = core.Job(
    id=JOB_ID, kind=core.JOB_KIND_APPLICATION, state=core.JOB_STATE_RUNNING, database="charging", start_time=Timestamp(seconds=BEGAN)
)


def event(kind: str, message: str = "", *, at: float = 0, **fields: object) -> core.Event:
    time = Timestamp()
    time.FromNanoseconds(int((BEGAN + at) * 1e9))
    return core.Event(job_id=JOB_ID, kind=core.EventKind.Value(f"EVENT_KIND_{kind}"), message=message, time=time, **fields)


def rows(at: float, done: int, total: int = 10_000, **fields: object) -> core.Event:
    return event(
        "PROGRESS", f"Clean up reports: {done} rows", at=at, step=4, relationship_id="r", rows_done=done, rows_total=total, **fields
    )


def standing(*items: core.Job | core.Event) -> Standing:
    found = Standing()
    for item in (JOB, *items):
        (found.take_job if isinstance(item, core.Job) else found.take_event)(item)
    return found


def drawn(found: Standing, *, now: float = 0, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(picture(found, BEGAN + now, width=width))
    return console.file.getvalue()


def paced(*counts: tuple[float, int]) -> Pace:
    pace = Pace()
    for at, done in counts:
        pace.take(at, done, 10_000)
    return pace


def test_remaining_time_is_not_guessed_at_once():
    """One batch says nothing; after two seconds the average holds."""
    assert paced((0, 0)).seconds_left is None
    assert paced((0, 0), (1, 1000)).seconds_left is None
    assert paced((0, 0), (1, 1000), (2, 2000)).seconds_left == pytest.approx(8.0)


def test_remaining_time_is_unknown_without_a_total():
    """A rate there may be; an end nobody can see."""
    pace = Pace()
    for at in (0, 2, 4):
        pace.take(at, at * 100, 0)

    assert pace.rate == pytest.approx(100)
    assert pace.seconds_left is None


def test_rate_is_smoothed():
    """After half a minute of 100 rows/s, one burst of 10,000 rows/s moves it by less than it weighs."""
    counts = [(float(at), at * 100) for at in range(31)]
    before, after = paced(*counts).rate, paced(*counts, (31.0, 13_000)).rate

    assert before == pytest.approx(100)
    assert 100 < after < 1000


def test_rate_begins_anew_when_rows_begin_anew():
    """Another step counts from nothing."""
    pace = paced((0, 0), (5, 5000), (6, 10))

    assert pace.rate is None


def test_a_pause_is_no_measure():
    """While it waits there is no remaining time, and afterwards the rate is that of work."""
    before = standing(event("STEP_STARTED", step=4), *(rows(at, at * 1000) for at in (0, 1, 2, 3)))
    before.take_event(event("HELD_BACK", "Paused by bob; nothing is locked.", at=3))

    assert before.rows.seconds_left is None
    for at in (100, 101, 102):
        before.take_event(rows(at, 3000 + (at - 100) * 500))
    assert before.rows.rate == pytest.approx(500)


def test_places_at_once_are_added():
    """Two counts at a time: rows and rates add up, and the slower one says when."""
    paces = Paces()
    for at in (0.0, 2.0, 4.0):
        paces.take("a", at, int(at * 100), 1000)
        paces.take("b", at, int(at * 10), 1000)

    assert (paces.done, paces.total) == (440, 2000)
    assert paces.rate == pytest.approx(110)
    assert paces.seconds_left == pytest.approx(96)
    paces.end("b")
    assert paces.seconds_left == pytest.approx(6)


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_as_people_say_them(seconds: float, words: str):
    assert duration(seconds) == words


def test_the_picture_has_steps_rows_rate_and_time():
    """Everything that people ask: what, how far, how fast, how long."""
    found = standing(event("STEP_STARTED", "Clean up reports", step=4), rows(0, 0), rows(1, 1000), rows(4, 4000))
    found.take_progress(core.Progress(done=3, total=27))
    shown = drawn(found, now=64)

    for words in ("Applying to charging", "3 of 27 steps, 1 min 4 s", "Clean up reports", "4,000 of 10,000 rows, 1,000 rows/s, 6 s left"):
        assert words in shown


def test_the_picture_names_who_is_in_the_way():
    """The application, the process and for how long, which goes on while nothing is heard; gone as soon as work goes on."""
    wait = event("LOCK_WAIT", "Waiting for a lock", at=10, step=3, blockers=[BLOCKER])

    assert "Waits for nightly-report (pid 4711, for 1 min 35 s)" in drawn(standing(wait), now=15)
    assert "nightly-report" not in drawn(standing(wait, event("STEP_DONE", at=11, step=3)), now=15)


def test_the_picture_says_why_it_holds_back():
    """A pause and a limit have words of the service, not a process."""
    shown = drawn(standing(event("HELD_BACK", "Held back: replica r1 is 12 s behind.")))

    assert "Held back: replica r1 is 12 s behind." in shown


def test_steps_that_were_done_before_are_not_counted_twice():
    """A job that was taken up again skips what is done; the number of the step says how far it is."""
    found = standing(*(event("STEP_DONE", step=step) for step in (1, 2)), *(event("STEP_SKIPPED", step=step) for step in (1, 2, 3)))

    assert found.done == 3


def test_a_stage_of_an_audit_begins_at_nothing():
    """Parts of the stage before are not parts of this one."""
    audit = core.Job(id=JOB_ID, kind=core.JOB_KIND_AUDIT, database="shop", progress=core.Progress(done=9, total=9))
    found = standing(audit, event("STEP_STARTED", "Count orphan rows"))

    assert (found.done, found.total) == (0, 0)
    assert "0 of 0" not in drawn(found)


@pytest.mark.parametrize("width", [80, 40, 20, 8])
@pytest.mark.parametrize("name", ["reports", *HOSTILE_NAMES], ids=range(len(HOSTILE_NAMES) + 1))
def test_the_picture_fits(width: int, name: str):
    """At most five lines, none longer than the terminal is wide, whatever names hold: else drawing over them leaves rubbish."""
    blocker = core.Blocker(pid=1, application=name, age_seconds=1)
    found = standing(
        event("STEP_STARTED", f"Clean up {name}", step=4),
        event("PROGRESS", f"Clean up {name}: 5 rows", step=4, rows_done=5, rows_total=10**12),
        event("LOCK_WAIT", "Waiting", step=4, blockers=[blocker] * 5),
    )
    lines = drawn(found, width=width).splitlines()

    assert len(lines) <= 5
    assert max(Console(width=width).measure(line).maximum for line in lines) <= width


def test_lines_have_rate_and_remaining_time(capsys: pytest.CaptureFixture[str]):
    """A log gets the same figures, every now and then."""
    lines = Lines(Printer(Output.TABLE))
    lines.take(JOB)
    for at in (0, 2, 4):
        lines._spoke = 0.0
        lines.take(rows(at, at * 1000))

    assert "  Clean up reports: 4,000 of 10,000 rows, 1,000 rows/s, 6 s left" in capsys.readouterr().err.splitlines()


def test_lines_do_not_flood_a_log(capsys: pytest.CaptureFixture[str]):
    """Thousands of parts become a line a second; those that found orphan rows are all there."""
    lines = Lines(Printer(Output.TABLE))
    lines.take(core.Job(id=JOB_ID, kind=core.JOB_KIND_AUDIT, database="shop"))
    for number in range(2000):
        lines.take(event("STEP_DONE", f"r{number}: 0 orphan rows"))
    lines.take(event("STEP_DONE", "bad: 7 orphan rows", rows_done=7))
    said = capsys.readouterr().err.splitlines()

    assert len(said) < 20
    assert "  bad: 7 orphan rows" in said


def test_figures_without_a_total():
    """What is known is said, no more."""
    paces = Paces()
    paces.take("a", 0, 1200, 0)

    assert figures(paces) == "1,200 rows"
