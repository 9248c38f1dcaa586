"""Who looks on while jobs are worked on: counts them, and changes nothing."""

from typing import Protocol

from holdfastd.jobs.model import Happening, Job, JobState


class Observer(Protocol):
    """Told what this replica does; must neither wait nor raise."""

    def taken(self, job: Job) -> None:
        """Note that this replica took the job."""

    def happened(self, job: Job, happening: Happening) -> None:
        """Note what happened in the job, progress that is told to nobody else included."""

    def left(self, job: Job) -> None:
        """Note that this replica no longer works on the job, however that came."""

    def ended(self, job: Job, state: JobState, reason: str) -> None:
        """Note that this replica brought the job to its end."""


class Nobody:
    """Looks away."""

    def taken(self, job: Job) -> None:
        """Note nothing."""

    def happened(self, job: Job, happening: Happening) -> None:
        """Note nothing."""

    def left(self, job: Job) -> None:
        """Note nothing."""

    def ended(self, job: Job, state: JobState, reason: str) -> None:
        """Note nothing."""
