"""Showing nothing, what -o json gets, and plain lines, for logs and pipes."""

import time
from types import TracebackType
from typing import Self

from holdfast.cli.output import Printer
from holdfast.cli.progress.standing import Standing, figures, subject
from holdfast.cli.render.words import prose, word
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import Event, Job

_WAITS = (core.EVENT_KIND_LOCK_WAIT, core.EVENT_KIND_RETRY)
#: Seconds between two lines about rows, and between two about parts of which there may be thousands.
_ROWS_PAUSE, _PARTS_PAUSE = 5.0, 1.0


class Display:
    """Keeps track and shows nothing."""

    #: Tells whether `tick` wants to be called, and the service to be asked how much there is.
    is_alive = False

    def __init__(self) -> None:
        """Start at nothing known."""
        self.standing = Standing()

    def take(self, item: Job | Event) -> None:
        """Take the next item of a watch."""
        if isinstance(item, Job):
            self.standing.take_job(item)
            self.on_job(item)
        else:
            self.standing.take_event(item)
            self.on_event(item)

    def on_job(self, job: Job) -> None:
        """Show a state of the job."""

    def on_event(self, event: Event) -> None:
        """Show an event."""

    def tick(self) -> None:
        """Show that time passes."""

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
        self._step_began = 0.0

    def on_job(self, job: Job) -> None:
        """Say which job it is and how it stands."""
        waits = f", {prose(job.progress.waiting_for)}" if job.progress.waiting_for else ""
        self._print(f"{word(core.JobKind, job.kind)} {job.id} of {job.database}: {word(core.JobState, job.state)}{waits}")

    def on_event(self, event: Event) -> None:
        """Print steps and waits at once, rows and parts now and then."""
        match event.kind:
            case core.EVENT_KIND_PROGRESS:
                if self._is_time(_ROWS_PAUSE):
                    self._print(f"  {self._progress(event)}")
            case core.EVENT_KIND_STEP_STARTED:
                self._step_began = time.monotonic()
                self._print(f"  {prose(event.message)}")
            case core.EVENT_KIND_STEP_DONE:
                self._on_done(event)
            case _:
                self._print(f"  {prose(event.message)}")

    def _on_done(self, event: Event) -> None:
        """Print what found or changed rows; the rest says no more than that it began."""
        if self.standing.job.kind == core.JOB_KIND_AUDIT:
            if event.rows_done or self._is_time(_PARTS_PAUSE):
                self._print(f"  {prose(event.message)}")
        elif event.rows_done or time.monotonic() - self._step_began > _ROWS_PAUSE:
            self._print(f"  done: {prose(event.message)}")

    def _progress(self, event: Event) -> str:
        pace = self.standing.rows
        return f"{prose(subject(event))}: {figures(pace)}" if event.rows_total and len(pace) else prose(event.message)

    def _is_time(self, pause: float) -> bool:
        now = time.monotonic()
        if now - self._spoke < pause:
            return False
        self._spoke = now
        return True

    def _print(self, text: str) -> None:
        self._printer.err.print(text, soft_wrap=True)
