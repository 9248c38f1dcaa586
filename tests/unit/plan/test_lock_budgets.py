"""How long to wait for locks, as numbers. That the conflicts are PostgreSQL's is shown on a real one."""

import pytest

from holdfastd.plan.blocks import lock_timeout
from holdfastd.plan.lock_budgets import BUDGETS, timeout_ms
from holdfastd.plan.model import LockPolicy

EVERY_TRY = range(1, 100)


def test_short_waits_escalate_below_deadlock_timeout():
    """Whoever waits for longer than deadlock_timeout may make the application the victim of a deadlock."""
    default = [timeout_ms(LockPolicy.SHORT, attempt, deadlock_timeout_ms=1_000) for attempt in EVERY_TRY]
    eager = [timeout_ms(LockPolicy.SHORT, attempt, deadlock_timeout_ms=100) for attempt in EVERY_TRY]

    assert default[:5] == [50, 100, 200, 400, 400]
    assert max(eager) < 100


@pytest.mark.parametrize("policy", LockPolicy)
@pytest.mark.parametrize("deadlock_timeout", [1, 10, 1_000, 60_000])
def test_no_try_is_without_a_timeout(policy, deadlock_timeout):
    """lock_timeout = 0 waits for ever; neither the first nor the last try does."""
    for is_patient in (False, True):
        timeouts = [timeout_ms(policy, attempt, deadlock_timeout_ms=deadlock_timeout, is_patient=is_patient) for attempt in EVERY_TRY]
        assert min(timeouts) > 0


def test_an_autovacuum_is_outwaited_only_where_that_is_short():
    """It yields after deadlock_timeout; where that is ten seconds, writers would queue behind us as long."""
    assert timeout_ms(LockPolicy.SHORT, 1, deadlock_timeout_ms=1_000, is_patient=True) == 1_500
    assert timeout_ms(LockPolicy.SHORT, 9, deadlock_timeout_ms=10_000, is_patient=True) == 400


def test_a_build_waits_longest():
    """Giving up in the middle throws the work away."""
    longest = {policy: timeout_ms(policy, 1, deadlock_timeout_ms=1_000) for policy in LockPolicy}

    assert max(longest, key=longest.__getitem__) is LockPolicy.BUILD
    assert longest[LockPolicy.LONG] > 1_000


@pytest.mark.parametrize("policy", LockPolicy)
def test_pauses_grow_to_a_limit(policy):
    """Exponential, and never above the longest."""
    pauses = [BUDGETS[policy].pause_ceiling(attempt) for attempt in EVERY_TRY]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (BUDGETS[policy].first_pause_seconds, BUDGETS[policy].longest_pause_seconds)


def test_scripts_wait_as_long_as_the_service():
    """They try once, so with the longest of its timeouts."""
    assert [lock_timeout(policy) for policy in (LockPolicy.SHORT, LockPolicy.LONG, LockPolicy.BUILD)] == [
        "SET lock_timeout = '400ms'",
        "SET lock_timeout = '30000ms'",
        "SET lock_timeout = '1800000ms'",
    ]
