"""The place between two units of work where a job may be made to wait: paused by somebody, or held back for others' sake.

Passed while no transaction is open and no lock on a table is held.
"""

from dataclasses import dataclass

from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.jobs.model import Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate of one job."""

    session: TargetSession
    reporter: Reporter
    throttle: Throttle

    async def passed(self) -> None:
        """Return once work may go on. Cancelled or LeaseLost when it must not."""
        self.reporter.raise_if_stopped()
