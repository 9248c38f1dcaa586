"""Running arms: in come arms, out go wall and CPU seconds per arm and round, and the counts that must agree.

Arms run interleaved, one round after the other, with the control first and last in every round, so that what slows the machine down
slows all of them down.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.audit.arms import CONTROL, Arm, Step

_SET = "SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS setting (name, value)"
#: The documents know of no such statements: nobody waits for longer.
_LIMIT_SECONDS = 1800


@dataclass(kw_only=True)
class Sample:
    """One run of one arm."""

    wall: float = 0
    #: Of the backend and of the server's I/O workers.
    cpu: float = 0
    counts: dict[int, int] = field(default_factory=dict)


class Measured:
    """All runs of all arms in one state."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}

    def add(self, arm: str, sample: Sample) -> None:
        """Keep a run. AssertionError when it counted what another run did not."""
        known = self.counts()
        assert all(known.get(number, value) == value for number, value in sample.counts.items()), f"{arm} counts differently"
        self.samples.setdefault(arm, []).append(sample)

    def counts(self) -> dict[int, int]:
        """Orphan rows by number of the relationship."""
        return {number: value for samples in self.samples.values() for sample in samples[:1] for number, value in sample.counts.items()}

    def rounds(self) -> int:
        """Rounds that every arm ran in."""
        return min(len(samples) for samples in self.samples.values())

    def is_complete(self) -> bool:
        """Tell whether there is enough to tell medians and drift of."""
        return len(self.samples.get(CONTROL, ())) >= 2

    def wall(self, arm: str) -> float:
        """Median wall seconds."""
        return median(sample.wall for sample in self.samples[arm])

    def cpu(self, arm: str) -> float:
        """Median CPU seconds."""
        return median(sample.cpu for sample in self.samples[arm])

    def drift(self) -> float:
        """How far the control's median moved from the first half of its runs to the second, as a share of the smaller."""
        times = [sample.cpu for sample in self.samples[CONTROL]]
        halves = sorted((median(times[: len(times) // 2]), median(times[len(times) // 2 :])))
        return halves[1] / halves[0] - 1


async def measure(
    connection: asyncpg.Connection,
    arms: Mapping[str, Arm],
    rounds: int,
    on_sample: Callable[[int, str, Sample], None],
    *,
    between: str = "",
) -> Measured:
    """Run every arm once unmeasured and `rounds` times measured, `between` after each; AssertionError when two arms count differently."""
    measured = Measured()
    order = [CONTROL, *(name for name in arms if name != CONTROL), CONTROL]
    for number in range(rounds + 1):
        for name in order if number else order[:-1]:
            sample = await _run(connection, arms[name])
            if number:
                measured.add(name, sample)
            on_sample(number, name, sample)
        if between:
            await connection.execute(between)
    return measured


async def _run(connection: asyncpg.Connection, arm: Arm) -> Sample:
    sample = Sample()
    for step in arm:
        await _step(connection, step, sample)
    return sample


async def _step(connection: asyncpg.Connection, step: Step, sample: Sample) -> None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        if step.before:
            await connection.execute(step.before, timeout=_LIMIT_SECONDS)
        cpu, wall = _cpu(connection), time.monotonic()
        # What choosing a setting costs is the arm's own.
        if step.settings:
            await connection.execute(_SET, list(step.settings), list(step.settings.values()))
        row = await connection.fetchrow(step.sql, *step.parameters, timeout=_LIMIT_SECONDS)
        sample.wall += time.monotonic() - wall
        sample.cpu += _cpu(connection) - cpu
    finally:
        await transaction.rollback()
    for number, value in zip(step.counts, row or (), strict=False):
        sample.counts[number] = sample.counts.get(number, 0) + value


def _cpu(connection: asyncpg.Connection) -> float:
    """CPU seconds of the backend and of its server's I/O workers so far (parallel workers are switched off)."""
    backend = connection.get_server_pid()
    postmaster = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    workers = [int(pid) for pid in children if b"io worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in (backend, *workers)) / 1e9
