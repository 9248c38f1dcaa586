"""Progress of a job for people: in come its states and events, out go bars on a terminal or plain lines."""

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from holdfast.cli.output import Printer
from holdfast.cli.render.words import prose, word
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import Event, Job

_ENDS_STEP = (core.EVENT_KIND_STEP_DONE, core.EVENT_KIND_STEP_SKIPPED)
_WORTH_A_LINE = (
    core.EVENT_KIND_RESUMED,
    core.EVENT_KIND_LOCK_WAIT,
    core.EVENT_KIND_RETRY,
    core.EVENT_KIND_CANCEL_REQUESTED,
    core.EVENT_KIND_PAUSE_REQUESTED,
    core.EVENT_KIND_RESUME_REQUESTED,
    core.EVENT_KIND_HELD_BACK,
)
_DOING = {
    core.JOB_KIND_AUDIT: "Auditing",
    core.JOB_KIND_APPLICATION: "Applying to",
    core.JOB_KIND_ROLLBACK: "Rolling back on",
    core.JOB_KIND_RESTORE: "Restoring rows on",
}
#: Seconds between two lines about rows.
_LINE_PAUSE = 5.0
_LONGEST_ACTIVITY = 40


class Display:
    """Keeps count and shows nothing: what -o json gets."""

    def __init__(self) -> None:
        """Start at nothing done; the total comes from the job."""
        self.total = 0
        self.done = 0

    @property
    def wants_total(self) -> bool:
        """Tell whether it would show a total, had it one."""
        return False

    def take(self, item: Job | Event) -> None:
        """Take the next item of a watch."""
        if isinstance(item, Job):
            self.total = max(self.total, item.progress.total)
            self.on_job(item)
        else:
            # The watch begins with the first event, so counting them is exact; a snapshot's count would come on top.
            self.done += item.kind in _ENDS_STEP
            self.on_event(item)

    def on_job(self, job: Job) -> None:
        """Show a state of the job."""

    def on_event(self, event: Event) -> None:
        """Show an event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop showing."""


class Lines(Display):
    """One line per step, for logs and pipes."""

    def __init__(self, printer: Printer) -> None:
        """Take where to print."""
        super().__init__()
        self._printer = printer
        self._spoke = 0.0

    def on_job(self, job: Job) -> None:
        """Say which job it is and how it stands."""
        waits = f", {prose(job.progress.waiting_for)}" if job.progress.waiting_for else ""
        self._printer.err.print(f"{word(core.JobKind, job.kind)} {job.id} of {job.database}: {word(core.JobState, job.state)}{waits}")

    def on_event(self, event: Event) -> None:
        """Print steps and waits at once, rows now and then."""
        if event.kind == core.EVENT_KIND_PROGRESS:
            now = time.monotonic()
            if now - self._spoke < _LINE_PAUSE:
                return
            self._spoke = now
        rows = f" ({event.rows_done:,} of {event.rows_total:,} rows)" if event.rows_total else ""
        self._printer.err.print(prose(f"  {event.message}{rows}"), soft_wrap=True)


class Bars(Display):
    """Two bars: steps, and rows of the step that moves rows."""

    def __init__(self, printer: Printer) -> None:
        """Take where to draw."""
        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            console=printer.err,
            transient=True,
        )
        self._steps: TaskID = self._progress.add_task("Starting", total=None, figures="")
        self._rows: TaskID = self._progress.add_task("", total=None, visible=False, figures="")

    @property
    def wants_total(self) -> bool:
        """Without a total there is no bar."""
        return self.total == 0

    def on_job(self, job: Job) -> None:
        """Name the job."""
        self._progress.update(self._steps, description=f"{_DOING.get(job.kind, 'Working on')} {job.database}")

    def on_event(self, event: Event) -> None:
        """Move the bars; name lock waits above them."""
        if event.kind in _WORTH_A_LINE:
            self._progress.console.print(prose(event.message), style="yellow")
        figures = f"{self.done}/{self.total} steps" if self.total else f"{self.done} steps"
        self._progress.update(self._steps, completed=self.done, total=self.total or None, figures=figures)
        self._progress.update(
            self._rows,
            visible=event.rows_total > 0,
            description=prose(event.message)[:_LONGEST_ACTIVITY],
            completed=event.rows_done,
            total=event.rows_total or None,
            figures=f"{event.rows_done:,}/{event.rows_total:,} rows",
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._progress.stop()


def display_for(printer: Printer) -> Display:
    """Return the display that fits the place: bars on a terminal, lines elsewhere, nothing for programs."""
    if not printer.is_for_people:
        return Display()
    return Bars(printer) if printer.err.is_terminal else Lines(printer)
