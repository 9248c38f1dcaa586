"""What a look at the server means for a throttle."""

from dataclasses import replace
from typing import Any

import pytest

from holdfastd.execute.throttle import Look, Replica, Throttling
from holdfastd.jobs.model import Throttle

QUIET = Look(at=100.0, written=1_000_000_000, flushed=1_000_000_000, active_sessions=3, replicas=())
NOBODY: Any = None


def throttling(before: Look | None = None, **limits: float) -> Throttling:
    return Throttling(observer=NOBODY, throttle=Throttle(**limits), _last=before)


def replica(behind: int = 0, lag: float = 0.0, *, name: str = "standby") -> Replica:
    return Replica(pid=7, name=name, replayed=QUIET.flushed - behind, lag_seconds=lag)


def test_nothing_holds_back_by_default() -> None:
    assert throttling().judge(replace(QUIET, active_sessions=10_000, replicas=(replica(),))) == ()


def test_too_many_sessions() -> None:
    at_limit, above = (throttling(max_active_sessions=limit).judge(QUIET) for limit in (3, 2))

    assert at_limit == ()
    assert [excess.text for excess in above] == ["3 other sessions are active (limit 2)"]


@pytest.mark.parametrize(
    ("seconds", "written", "texts"),
    [
        (1.0, 50_000_000, []),
        (1.0, 74_000_000, ["74 MB of WAL are written a second (limit 50 MB)"]),
        (2.0, 74_000_000, []),
        (60.0, 74_000_000_000, []),
    ],
    ids=["at the limit", "above", "slower", "so long ago that it says nothing about now"],
)
def test_rate_is_of_the_time_between_two_looks(seconds: float, written: int, texts: list[str]) -> None:
    now = replace(QUIET, at=QUIET.at + seconds, written=QUIET.written + written)

    assert [excess.text for excess in throttling(QUIET, max_wal_bytes_per_second=50_000_000).judge(now)] == texts


def test_a_burst_is_waited_for_until_the_rate_is_met() -> None:
    """What was written too fast holds back as long as the limit would have taken for it, and a quiet second does not excuse it."""
    watching = throttling(QUIET, max_wal_bytes_per_second=1_000_000)
    held = []
    for second in range(1, 8):
        now = replace(QUIET, at=QUIET.at + second, written=QUIET.written + 5_000_000)
        held.append(bool(watching.judge(now)))
        watching._last = now

    assert held == [True] * 4 + [False] * 3


def test_first_look_knows_no_rate() -> None:
    assert throttling(max_wal_bytes_per_second=1).judge(QUIET) == ()


def test_lag_that_the_replica_measured() -> None:
    held = throttling().judge(replace(QUIET, replicas=(replica(behind=5, lag=12.3), replica(behind=5, lag=11, name="other"))))

    assert [excess.text for excess in held] == ["replica standby is 12 s behind (limit 10 s)"]


def test_replica_that_has_everything_does_not_lag() -> None:
    """Its own measure stays as it was while nothing is written."""
    assert throttling().judge(replace(QUIET, replicas=(replica(behind=0, lag=3600),))) == ()


def test_replica_that_stands_still_lags_more_and_more() -> None:
    """It measures nothing then, so what counts is since when it owes us a position."""
    subject = throttling()
    seen = [
        [excess.text for excess in subject.judge(replace(QUIET, at=QUIET.at + seconds, flushed=QUIET.flushed + seconds, replicas=(still,)))]
        for seconds, still in ((0, replica(behind=1)), (10, replica(behind=1)), (11, replica(behind=1)), (12, replica(behind=-5)))
    ]

    assert seen == [[], [], ["replica standby is 11 s behind (limit 10 s)"], []]
