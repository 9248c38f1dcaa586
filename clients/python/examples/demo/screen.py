"""What the demo shows: chapters, progress, tables, and checks that stop the show when a figure is wrong."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.text import Text

from holdfast import Event, HoldfastError, Job
from holdfast.v1.core_pb2 import EVENT_KIND_STEP_DONE, EVENT_KIND_STEP_SKIPPED, JOB_STATE_SUCCEEDED

_ENDS_STEP = (EVENT_KIND_STEP_DONE, EVENT_KIND_STEP_SKIPPED)


class WrongFigure(Exception):
    """A figure is not what the sample's expected results say."""


class Screen:
    """Prints the story, 80 columns wide where nobody says otherwise."""

    def __init__(self) -> None:
        """Start at chapter 0."""
        self.console = Console(markup=False, highlight=False, emoji=False)
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        self.console.print()
        self.console.print(Rule(Text(f" {self._chapter}. {title} ", style="bold cyan"), align="left", style="cyan"))

    def show(self, what: RenderableType) -> None:
        """Print a table or a line."""
        self.console.print(what)

    def expect(self, sentence: str, *, expected: object, actual: object) -> None:
        """Print a sentence with a tick, or stop because the figure is wrong."""
        if expected != actual:
            raise WrongFigure(f"{sentence}: {_difference(expected, actual)}")
        self.console.print(Text.assemble(("✓ ", "bold green"), (sentence, "bold")))

    async def follow(self, title: str, items: AsyncGenerator[Job | Event, None]) -> Job:
        """Show a job's progress until it ends; HoldfastError unless it succeeded."""
        job, done = Job(), 0
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[now]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(title, total=None, now="")
            async with aclosing(items) as happening:
                async for item in happening:
                    if isinstance(item, Job):
                        job = item
                        continue
                    done += item.kind in _ENDS_STEP
                    progress.update(task, completed=done, now=item.message[:38])
            progress.update(task, total=max(done, 1), completed=max(done, 1), now=f"{done} steps")
        if job.state != JOB_STATE_SUCCEEDED:
            raise HoldfastError.from_job(job)
        return job


def _difference(expected: object, actual: object) -> str:
    if isinstance(expected, set) and isinstance(actual, set):
        missing, unexpected = (", ".join(sorted(each)) or "none" for each in (expected - actual, actual - expected))
        return f"missing are {missing}; not expected are {unexpected}"
    return f"expected {expected}, got {actual}"
