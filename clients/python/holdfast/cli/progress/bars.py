"""Live progress on a terminal: in come states and events, out go at most five lines that are drawn over and over."""

import functools
import time
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from holdfast.cli.output import Printer
from holdfast.cli.progress.display import Display, Lines
from holdfast.cli.progress.standing import Standing, duration, figures
from holdfast.cli.render.words import clean, prose
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import Event, Job

_DOING = {
    core.JOB_KIND_AUDIT: "Auditing",
    core.JOB_KIND_APPLICATION: "Applying to",
    core.JOB_KIND_ROLLBACK: "Rolling back on",
    core.JOB_KIND_RESTORE: "Restoring rows on",
}
_WAITS = (core.EVENT_KIND_LOCK_WAIT, core.EVENT_KIND_RETRY)
_WORTH_A_LINE = (
    *_WAITS,
    core.EVENT_KIND_RESUMED,
    core.EVENT_KIND_CANCEL_REQUESTED,
    core.EVENT_KIND_PAUSE_REQUESTED,
    core.EVENT_KIND_RESUME_REQUESTED,
    core.EVENT_KIND_HELD_BACK,
)
_BAR, _SHORT_BAR, _NARROW = 20, 6, 70


class Bars(Display):
    """Two bars: steps, and rows; what is being done, and who is in the way."""

    is_alive = True

    def __init__(self, printer: Printer) -> None:
        """Take where to draw."""
        super().__init__()
        self._live = Live(console=printer.err, transient=True, auto_refresh=False, vertical_overflow="crop")
        self._told: tuple[int, frozenset[int]] | None = None
        #: Our clock, and the service's, when we last heard of it.
        self._ours, self._theirs = time.monotonic(), 0.0

    def on_job(self, job: Job) -> None:  # noqa: ARG002 (the standing knows it by now)
        """Begin to draw."""
        self._set_clock()
        self._draw()

    def on_event(self, event: Event) -> None:
        """Keep waits and the like above the bars; a try after a try is no news."""
        self._set_clock()
        if event.kind in _WORTH_A_LINE and not self._is_old(event):
            self._live.console.print(prose(event.message), style="yellow")

    def tick(self) -> None:
        """Draw again."""
        self._draw()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        # What is left on the screen is the result alone.
        self._live.update(Text(""), refresh=False)
        self._live.stop()

    def _draw(self) -> None:
        if self.standing.job.id:
            self._live.update(picture(self.standing, self._now(), width=self._live.console.width), refresh=True)

    def _is_old(self, event: Event) -> bool:
        if event.kind not in _WAITS:
            return False
        told = (event.step, frozenset(blocker.pid for blocker in event.blockers))
        is_old = told == self._told
        self._told = told
        return is_old

    def _set_clock(self) -> None:
        self._ours, self._theirs = time.monotonic(), self.standing.heard

    def _now(self) -> float:
        """Return the service's time: clocks of two machines differ."""
        return self._theirs + time.monotonic() - self._ours


def picture(standing: Standing, now: float, *, width: int = 80) -> RenderableType:
    """Return how a job stands at a time of the service's clock; every line fits, whatever the width."""
    head = f"{_DOING.get(standing.job.kind, 'Working on')} {clean(standing.job.database)}"
    count = f"{standing.done:,} of {standing.total:,} {standing.unit}" if standing.total else ""
    spent = duration(standing.seconds(now))
    words = f"{count}, {spent}" if count else spent
    bar = functools.partial(_row, bar=_BAR if width >= _NARROW else _SHORT_BAR)
    lines: list[RenderableType] = [bar(head, standing.done, standing.total, words)]
    if standing.activity:
        lines.append(_line(f"  {prose(standing.activity)}", "cyan"))
    if len(standing.rows):
        lines.append(bar("  rows", standing.rows.done, standing.rows.total, figures(standing.rows)))
    if standing.waiting:
        lines.append(_line(f"  {standing.waiting.words(now)}", "bold yellow"))
    lines.append(_line("  Ctrl-C stops watching; the job goes on.", "dim"))
    return Group(*lines)


def _row(name: str, done: int, total: int, words: str, *, bar: int) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_column(no_wrap=True)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(Text(name), ProgressBar(total=total or None, completed=min(done, total), width=bar, pulse=not total), Text(words))
    return row


def _line(text: str, style: str) -> Text:
    return Text(" ".join(text.splitlines()), style=style, no_wrap=True, overflow="ellipsis")


def display_for(printer: Printer) -> Display:
    """Return the display that fits the place: bars on a terminal, lines elsewhere, nothing for programs."""
    if not printer.is_for_people:
        return Display()
    return Bars(printer) if printer.may_draw else Lines(printer)
