"""Looking on while a statement runs: name whom it waits for, tell how far it is, stop it when its job must not go on.

All from the observing session; the working one is busy with the statement.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from holdfastd.errors import Cancelled, LeaseLost, Unavailable
from holdfastd.execute.locking.blockers import LIMIT_SECONDS, QUERIES, InTheWay, describe, read_blockers
from holdfastd.execute.locking.telling import Teller
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.target.errors import FAILURES

_TICK_SECONDS = 0.1
#: pg_blocking_pids holds up the whole lock manager for an instant: look less often once it is clear that it takes long.
_LONG_SECONDS, _LONG_TICK_SECONDS = 2.0, 0.5
_TELL_EVERY_SECONDS = 10.0
_BUILD_EVERY_SECONDS = 2.0


@dataclass(slots=True, kw_only=True)
class LookOut:
    """What is seen during one attempt."""

    session: TargetSession
    teller: Teller
    #: All waits of the attempt together, one lock after the other; 0: no limit.
    patience_seconds: float
    #: Who was in the way last.
    seen: tuple[InTheWay, ...] = ()
    #: It waited for longer than that, so we stopped it ourselves.
    gave_up: bool = False
    _waiting_since: float = 0.0
    _told_at: float = 0.0
    _phase: str = ""

    async def watch(self, done: asyncio.Event) -> None:
        """Look until the attempt is over."""
        started = time.monotonic()
        looked = self._told_at = started
        while not await _is_set(done, _TICK_SECONDS):
            if is_stopped(self.teller.reporter):
                await self._stop()
                continue
            now = time.monotonic()
            if now - started < _LONG_SECONDS or now - looked >= _LONG_TICK_SECONDS:
                looked = now
                await self._look(started)

    async def _look(self, started: float) -> None:
        found = await read_blockers(self.session)
        now = time.monotonic()
        if not found:
            self._waiting_since = 0.0
            await self._tell_progress(now, now - started)
            return
        self.seen = found
        self._waiting_since = self._waiting_since or now
        if self.patience_seconds and now - self._waiting_since > self.patience_seconds:
            self.gave_up = True
            await self._stop()
            return
        waited = now - started
        await self.teller.waits(f"Waiting for a lock since {waited:.1f} s, blocked by {describe(found)}.", found, is_queued=True)

    async def _tell_progress(self, now: float, elapsed: float) -> None:
        if now - self._told_at < _BUILD_EVERY_SECONDS:
            return
        row = await self.session.observer.fetchrow(QUERIES["building"], self.session.backend, timeout=LIMIT_SECONDS)
        name = self.teller.progress.activity if self.teller.progress else f"Step {self.teller.step}"
        if row is not None:
            self._told_at = now
            done, total = row["blocks_done"] or 0, row["blocks_total"] or 0
            blocks = f", {done} of {total} blocks" if total else ""
            rows = self.teller.progress.rows_total if self.teller.progress else 0
            await self.teller.goes_on(f"{name}: {row['phase']}{blocks}.", rows * done // total if total else 0)
        elif now - self._told_at >= _TELL_EVERY_SECONDS:
            self._told_at = now
            await self.teller.goes_on(f"{name}: running for {elapsed:.0f} s.")

    async def _stop(self) -> None:
        await self.session.observer.execute("SELECT pg_catalog.pg_cancel_backend($1)", self.session.backend, timeout=LIMIT_SECONDS)


@asynccontextmanager
async def looking_out(session: TargetSession, teller: Teller, *, patience_seconds: float) -> AsyncIterator[LookOut]:
    """Look on while the block runs."""
    look_out = LookOut(session=session, teller=teller, patience_seconds=patience_seconds)
    done = asyncio.Event()
    watching = asyncio.create_task(look_out.watch(done))
    try:
        yield look_out
    finally:
        done.set()
        # Without its observer the statement goes on; the working session tells what is wrong with the target or the lease.
        with contextlib.suppress(*FAILURES, LeaseLost, Unavailable):
            await watching


def is_stopped(reporter: Reporter) -> bool:
    """Tell whether the job must not go on."""
    try:
        reporter.raise_if_stopped()
    except (Cancelled, LeaseLost):
        return True
    return False


async def _is_set(event: asyncio.Event, within: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()
