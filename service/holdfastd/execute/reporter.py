"""What the executor needs of the job it works for: tell what happens, and learn when to stop."""

from typing import Protocol

from holdfastd.jobs.model import Happening, Progress


class Reporter(Protocol):
    """Implemented by jobs.context.JobContext."""

    async def record(self, happening: Happening, *, progress: Progress | None = None) -> None:
        """Append an event. LeaseLost when the job was taken over."""

    def raise_if_stopped(self) -> None:
        """Raise Cancelled or LeaseLost when the job must not go on."""
