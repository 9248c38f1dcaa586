"""How a cleanup paces itself."""

import pytest

from holdfastd.execute.pace import CEILING_SECONDS, LAST_CEILING_SECONDS, TARGET_SECONDS, Pace, ceiling_seconds, rest_seconds


@pytest.mark.parametrize("rows_per_second", [700, 5_000, 40_000])
def test_batches_settle_where_the_lock_is_held_as_long_as_aimed_at(rows_per_second):
    """However fast the rows go, within a few batches each takes about the target."""
    pace = Pace()
    for _ in range(12):
        pace.learn(pace.batch / rows_per_second)

    assert pace.batch / rows_per_second == pytest.approx(TARGET_SECONDS, rel=0.05)


def test_batches_recover_from_a_slow_moment():
    """One checkpoint does not make the rest of the cleanup slow."""
    pace = Pace(batch=1_000)
    pace.learn(10.0)
    slow = pace.batch
    for _ in range(3):
        pace.learn(0.01)

    assert (slow, pace.batch) == (250, 2_000)


def test_batch_that_was_stopped_is_quartered_down_to_one_row():
    """What was really tried counts, not what could have been; a single row gets longer."""
    pace = Pace(batch=1_000)
    pace.shrink(100)
    first = pace.batch
    for _ in range(5):
        pace.shrink(pace.batch)

    assert (first, pace.batch) == (25, 1)
    assert (ceiling_seconds(2), ceiling_seconds(1)) == (CEILING_SECONDS, LAST_CEILING_SECONDS)


def test_others_get_half_as_long_as_they_waited():
    """And never the same twice, so that we do not fall in step with them."""
    rests = [rest_seconds(0.1) for _ in range(1000)]

    assert 0.045 < sum(rests) / len(rests) < 0.055
    assert len(set(rests)) > 500
