"""What the executor needs of the job it works for: tell what happens, and learn when to stop or to wait."""

from typing import Protocol

from holdfastd.jobs.model import Happening, Progress


class Reporter(Protocol):
    """Implemented by jobs.context.JobContext."""

    @property
    def progress(self) -> Progress | None:
        """The last progress told."""

    @property
    def paused_by(self) -> str:
        """Who asked to pause; empty while nobody does."""

    async def record(self, happening: Happening, *, progress: Progress | None = None) -> None:
        """Append an event. LeaseLost when the job was taken over."""

    def raise_if_stopped(self) -> None:
        """Raise Cancelled or LeaseLost when the job must not go on."""

    async def heard(self, *, within: float) -> None:
        """Wait until somebody asks for something else than before, so many seconds at most."""
