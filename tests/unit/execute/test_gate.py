"""How often a gate says why it holds a job back."""

from types import SimpleNamespace
from typing import Any

import pytest

from holdfastd.execute import gate as gate_module
from holdfastd.execute.gate import Gate
from holdfastd.execute.throttle import Excess
from holdfastd.jobs.model import EventKind, Happening, Progress, Throttle

CROWD = (Excess(limit="max_active_sessions", text="9 other sessions are active (limit 6)"),)
LAG = (Excess(limit="max_replica_lag", text="replica standby is 12 s behind (limit 10 s)"),)


class Clock:
    """Time passes by waiting only."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[tuple[int, EventKind]] = []
        self.progress = Progress(activity="Clean up")
        self.paused_by = ""

    def monotonic(self) -> float:
        return self.now

    async def heard(self, *, within: float) -> None:
        self.now += within
        self.paused_by = ""

    async def record(self, happening: Happening, *, progress: Progress) -> None:
        self.said.append((int(self.now - 1000), happening.kind))
        self.progress = progress

    def raise_if_stopped(self) -> None:
        pass


def gate_of(clock: Clock, looks: list[tuple[Excess, ...]]) -> Gate:
    """A gate that sees another thing every second."""
    nobody: Any = SimpleNamespace(observer=None)
    reporter: Any = clock
    gate = Gate(session=nobody, reporter=reporter, throttle=Throttle())

    async def exceeded() -> tuple[Excess, ...]:
        return looks[int(clock.now - 1000)]

    throttling: Any = SimpleNamespace(exceeded=exceeded, blind="")
    gate._throttling = throttling
    return gate


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(gate_module, "time", clock)
    return clock


async def test_a_long_wait_is_told_again_every_30_s(clock: Clock) -> None:
    await gate_of(clock, [*[CROWD] * 70, ()]).passed()

    assert clock.said == [(0, EventKind.HELD_BACK), (30, EventKind.HELD_BACK), (60, EventKind.HELD_BACK), (70, EventKind.RESUMED)]
    assert clock.progress == Progress(activity="Clean up")


async def test_another_reason_is_told_at_once(clock: Clock) -> None:
    await gate_of(clock, [CROWD, CROWD, LAG, LAG, ()]).passed()

    assert clock.said == [(0, EventKind.HELD_BACK), (2, EventKind.HELD_BACK), (4, EventKind.RESUMED)]


async def test_short_waits_by_turns_are_told_once(clock: Clock) -> None:
    """A limit that is met and exceeded again every other second would fill the list of events."""
    gate = gate_of(clock, [CROWD, (), CROWD, (), CROWD, CROWD, ()])
    for _ in range(3):
        await gate.passed()
        clock.now += 1

    assert clock.said == [(0, EventKind.HELD_BACK), (1, EventKind.RESUMED)]


async def test_a_wait_that_lasts_is_told_though_it_was_told_before(clock: Clock) -> None:
    """Nobody has to guess for half a minute why nothing moves."""
    gate = gate_of(clock, [CROWD, (), *[CROWD] * 5, ()])
    for _ in range(2):
        await gate.passed()
        clock.now += 1

    assert clock.said == [(0, EventKind.HELD_BACK), (1, EventKind.RESUMED), (5, EventKind.HELD_BACK), (7, EventKind.RESUMED)]


async def test_what_holds_back_after_a_pause_is_told_at_once(clock: Clock) -> None:
    """The pause has taken its place in the job's progress."""
    gate = gate_of(clock, [CROWD, (), CROWD, CROWD, ()])
    await gate.passed()
    clock.now, clock.paused_by = clock.now + 1, "ann"
    await gate.passed()

    assert clock.said == [
        (0, EventKind.HELD_BACK),
        (1, EventKind.RESUMED),
        (2, EventKind.HELD_BACK),
        (3, EventKind.RESUMED),
        (3, EventKind.HELD_BACK),
        (4, EventKind.RESUMED),
    ]
