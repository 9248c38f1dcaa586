"""The place between two units of work where a job may be made to wait: paused by somebody, or held back for others' sake.

Passed while no transaction is open and no lock on a table is held. Every wait says why, in an event and in the job's progress.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace

from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.throttle import Excess, Throttling
from holdfastd.jobs.model import EventKind, Happening, Progress, Throttle

_LOOK_EVERY_SECONDS = 1.0
#: How often the reason of a wait is said.
_SAY_EVERY_SECONDS = 30.0
#: How long the same reason may stay unsaid when the next wait begins: limits are exceeded and met again by turns.
_UNSAID_SECONDS = 3.0
#: A connection that nobody used for so long may be gone without a word.
_PROBE_AFTER_SECONDS, _PROBE_SECONDS = 10.0, 10.0


@dataclass(slots=True, kw_only=True)
class Gate:
    """The gate of one job."""

    session: TargetSession
    reporter: Reporter
    throttle: Throttle
    _throttling: Throttling = field(init=False)
    _said: str = ""
    _said_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin to watch the load of the server when it is asked for the first time."""
        self._throttling = Throttling(observer=self.session.observer, throttle=self.throttle)

    async def passed(self) -> None:
        """Return once work may go on. Cancelled or LeaseLost when it must not."""
        self.reporter.raise_if_stopped()
        while True:
            await self._wait_while_paused()
            exceeded = await self._exceeded()
            if not exceeded:
                return
            await self._wait_while_exceeded(exceeded)

    async def _wait_while_paused(self) -> None:
        seconds = await wait_while_paused(self.reporter)
        if seconds:
            self._said = ""
        if seconds > _PROBE_AFTER_SECONDS:
            for connection in (self.session.work, self.session.observer):
                async with asyncio.timeout(_PROBE_SECONDS):
                    await connection.execute("SELECT 1")

    async def _exceeded(self) -> tuple[Excess, ...]:
        exceeded = await self._throttling.exceeded()
        if self._throttling.blind:
            blind, self._throttling.blind = self._throttling.blind, ""
            await self.reporter.record(Happening(kind=EventKind.PROGRESS, message=blind))
        return exceeded

    async def _wait_while_exceeded(self, exceeded: tuple[Excess, ...]) -> None:
        """Wait until no limit is exceeded, or somebody asks to pause."""
        began, is_said = time.monotonic(), False
        while exceeded and not self.reporter.paused_by:
            if self._is_to_be_said(exceeded, began, is_said=is_said):
                await self._say(exceeded)
                is_said = True
            await self.reporter.heard(within=_LOOK_EVERY_SECONDS)
            self.reporter.raise_if_stopped()
            exceeded = await self._exceeded()
        if is_said and not exceeded:
            await go_on(self.reporter, f"Goes on after having been held back for {time.monotonic() - began:.1f} s.")

    def _is_to_be_said(self, exceeded: tuple[Excess, ...], began: float, *, is_said: bool) -> bool:
        now = time.monotonic()
        if _limits(exceeded) != self._said or now - self._said_at >= _SAY_EVERY_SECONDS:
            return True
        return not is_said and now - began >= _UNSAID_SECONDS

    async def _say(self, exceeded: tuple[Excess, ...]) -> None:
        self._said, self._said_at = _limits(exceeded), time.monotonic()
        reasons = "; ".join(excess.text for excess in exceeded)
        await hold_back(self.reporter, f"Held back: {reasons}.", waiting_for=reasons)


def _limits(exceeded: tuple[Excess, ...]) -> str:
    return ", ".join(excess.limit for excess in exceeded)


async def wait_while_paused(reporter: Reporter) -> float:
    """Wait while somebody wants the job to pause; return for how many seconds. Cancelled or LeaseLost when it must not go on."""
    paused_by = reporter.paused_by
    if not paused_by:
        return 0.0
    began = time.monotonic()
    await hold_back(reporter, f"Paused by {paused_by}; nothing is locked.", waiting_for=f"paused by {paused_by}")
    while reporter.paused_by:
        await reporter.heard(within=_LOOK_EVERY_SECONDS)
        reporter.raise_if_stopped()
    seconds = time.monotonic() - began
    await go_on(reporter, f"Goes on after a pause of {seconds:.1f} s.")
    return seconds


async def hold_back(reporter: Reporter, message: str, *, waiting_for: str) -> None:
    """Say why nothing moves."""
    progress = replace(reporter.progress or Progress(), waiting_for=waiting_for)
    await reporter.record(Happening(kind=EventKind.HELD_BACK, message=message), progress=progress)


async def go_on(reporter: Reporter, message: str) -> None:
    """Say that work goes on."""
    progress = replace(reporter.progress or Progress(), waiting_for="")
    await reporter.record(Happening(kind=EventKind.RESUMED, message=message), progress=progress)
