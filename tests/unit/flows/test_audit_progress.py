"""The wish to stop an audit against what its stages make of it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfastd.errors import Cancelled, Reason, Unavailable
from holdfastd.flows.audit_progress import AuditProgress
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Progress


def progress(*, stops: bool) -> AuditProgress:
    def raise_if_stopped() -> None:
        if stops and asyncio.get_running_loop().time() > began + 0.1:
            raise Cancelled

    began = asyncio.get_running_loop().time()
    context: Any = SimpleNamespace(job=SimpleNamespace(id="job-1"), raise_if_stopped=raise_if_stopped)
    return AuditProgress(cast("JobContext", context))


async def fails_when_cancelled() -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise Unavailable("The connection was lost.", reason=Reason.TARGET_UNREACHABLE) from None


async def test_a_stage_that_ends_badly_does_not_hide_the_wish_to_stop() -> None:
    """A server that no longer answers when its statement is cancelled: the job is cancelled all the same, not failed."""
    with pytest.raises(Cancelled):
        await progress(stops=True).unless_stopped(fails_when_cancelled())


async def test_a_stage_ends_with_whoever_waits_for_it() -> None:
    """Losing the lease cancels the one that waits: nothing may go on behind its back."""
    ended = asyncio.Event()

    async def stage() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    waiting = asyncio.create_task(progress(stops=False).unless_stopped(stage()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_what_a_stage_returns_or_raises_comes_through() -> None:
    async def returns() -> int:
        return 7

    async def raises() -> int:
        raise KeyError

    assert await progress(stops=False).unless_stopped(returns()) == 7
    with pytest.raises(KeyError):
        await progress(stops=False).unless_stopped(raises())


async def test_a_paused_audit_waits_between_its_stages() -> None:
    """It says why, and for how long, and goes on when it may."""
    told: list[tuple[EventKind, str]] = []

    async def record(happening: Happening, *, progress: Progress) -> None:
        told.append((happening.kind, progress.waiting_for))

    async def heard(*, within: float) -> None:
        context.paused_by = "" if len(told) else "ann"

    context: Any = SimpleNamespace(
        job=SimpleNamespace(id="job-1"), progress=None, paused_by="ann", record=record, heard=heard, raise_if_stopped=lambda: None
    )
    await AuditProgress(cast("JobContext", context)).begin("Count orphan rows")

    assert told == [(EventKind.HELD_BACK, "paused by ann"), (EventKind.RESUMED, ""), (EventKind.STEP_STARTED, "")]
