"""When audits are due, in every time zone and after every absence."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfastd.errors import InvalidField
from holdfastd.jobs.schedule import LATEST, MOST_COUNTED, NeverDue, Recurrence, check, following, look_ahead, put_off

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NIGHTLY = Recurrence(cron="30 2 * * *", time_zone="Europe/Berlin")
HOURLY = Recurrence(interval=timedelta(hours=1))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_times(recurrence: Recurrence, after: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        after = following(recurrence, after)
        found.append(f"{after:%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-27 12:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("2026-10-23 12:00", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
    ],
    ids=["an hour is left out", "an hour comes twice"],
)
def test_a_time_of_day_comes_once_a_day_when_clocks_change(after, expected):
    """Half past two is once on every day: at the end of the hour that is left out, and the first time of two."""
    assert due_times(NIGHTLY, utc(after), 3) == expected


def test_nothing_is_due_before_it_was_asked_for():
    """Asked for in the second pass of the hour that comes twice, half past two has passed."""
    second_pass = utc("2026-10-25 01:05")

    assert following(NIGHTLY, second_pass) == utc("2026-10-26 01:30")


def test_time_zones_count():
    """The same expression is another moment elsewhere; without a zone it is UTC."""
    moments = [following(Recurrence(cron="0 9 * * *", time_zone=zone), NOW) for zone in ("", "Asia/Kolkata", "America/New_York")]

    assert [f"{moment:%H:%M}" for moment in moments] == ["09:00", "03:30", "14:00"]


def test_an_interval_is_as_long_across_a_change_of_clocks():
    """It is counted from due time to due time, not from start to start."""
    assert due_times(Recurrence(interval=timedelta(hours=6)), utc("2026-03-28 23:00"), 3) == ["03-29 05:00", "03-29 11:00", "03-29 17:00"]


@pytest.mark.parametrize(
    ("recurrence", "field"),
    [
        (Recurrence(cron="0 0 30 2 *"), "schedule.cron"),
        (Recurrence(cron="0 0 31 4,6,9,11 *"), "schedule.cron"),
        (Recurrence(cron="61 * * * *"), "schedule.cron"),
        (Recurrence(cron="* * * *"), "schedule.cron"),
        (Recurrence(cron="0 30 2 * * *"), "schedule.cron"),
        (Recurrence(cron="@daily"), "schedule.cron"),
        (Recurrence(cron="* * * * \0"), "schedule.cron"),
        (Recurrence(cron=f"{'0,' * 200}0 * * * *"), "schedule.cron"),
        (Recurrence(cron="0 2 * * *", time_zone="Europe/Berln"), "schedule.time_zone"),
        (Recurrence(cron="0 2 * * *", time_zone="../../etc/passwd"), "schedule.time_zone"),
        (Recurrence(cron="0 2 * * *", time_zone="Europe"), "schedule.time_zone"),
        (Recurrence(cron="0 2 * * *", time_zone="localtime"), "schedule.time_zone"),
        (Recurrence(interval=timedelta(seconds=59)), "schedule.interval"),
        (Recurrence(interval=timedelta(days=400)), "schedule.interval"),
        (Recurrence(interval=timedelta(hours=1), time_zone="Europe/Berlin"), "schedule.time_zone"),
        (Recurrence(interval=timedelta(hours=2), jitter=timedelta(minutes=61)), "schedule.jitter"),
    ],
    ids=repr,
)
def test_what_can_never_be_due_is_refused(recurrence, field):
    """With the path of the field, and an example of what would do."""
    with pytest.raises(InvalidField) as refused:
        check(recurrence, NOW)

    assert refused.value.field == field
    assert any(example in refused.value.message for example in ("30 2 * * *", "Europe/", "21600s", "600s", "only"))


@pytest.mark.parametrize("cron", ["* * * * *", "*/15 8-18 * * mon-fri", "0 0 29 2 *", "0 0 L * *", "0 0 1 1 1"])
def test_what_is_ever_due_is_taken(cron):
    """Leap days, too."""
    check(Recurrence(cron=cron, time_zone="Europe/Berlin"), NOW)


def test_a_start_is_put_off_by_a_share_of_the_jitter():
    """Chance decides how far."""
    jittered = Recurrence(interval=timedelta(hours=6), jitter=timedelta(minutes=10))

    assert [put_off(jittered, NOW, chance) - NOW for chance in (0, 0.5)] == [timedelta(0), timedelta(minutes=5)]
    assert put_off(HOURLY, NOW, 0.9) == NOW


def test_jitter_never_reaches_the_next_due_time():
    """Or one run would be taken for the next."""
    often = Recurrence(cron="* * * * *", jitter=timedelta(hours=1))

    assert timedelta(seconds=50) < put_off(often, NOW, 1.0) - NOW < timedelta(minutes=1)


def test_what_is_on_time_is_started():
    """A little later than due is on time: no loop wakes up on the second."""
    outlook = look_ahead(HOURLY, due=NOW, start=NOW, now=NOW + timedelta(seconds=2))

    assert (outlook.due, outlook.missed, outlook.next_due) == (NOW, 0, NOW + timedelta(hours=1))


def test_jitter_is_no_lateness():
    """Lateness counts from the start, not from the due time."""
    start = NOW + timedelta(minutes=40)

    assert look_ahead(HOURLY, due=NOW, start=start, now=start).due == NOW


def test_what_is_too_late_is_missed_and_not_caught_up():
    """The next run is the next due time."""
    outlook = look_ahead(HOURLY, due=NOW, start=NOW, now=NOW + LATEST + timedelta(seconds=1))

    assert (outlook.due, outlook.missed, outlook.last_missed, outlook.next_due) == (None, 1, NOW, NOW + timedelta(hours=1))


def test_all_that_passed_is_counted_and_only_the_last_is_started():
    """No backlog: four passed, the fourth just now."""
    outlook = look_ahead(HOURLY, due=NOW, start=NOW, now=NOW + timedelta(hours=3, seconds=10))

    assert outlook.due == NOW + timedelta(hours=3)
    assert (outlook.missed, outlook.last_missed) == (3, NOW + timedelta(hours=2))
    assert outlook.next_due == NOW + timedelta(hours=4)


def test_counting_ends_somewhere():
    """A year of minutes is told as `at least`, and the next run is right all the same."""
    now = NOW + timedelta(days=365, seconds=30)
    outlook = look_ahead(Recurrence(cron="* * * * *"), due=NOW, start=NOW, now=now)

    assert (outlook.due, outlook.missed, outlook.next_due) == (None, MOST_COUNTED, NOW + timedelta(days=365, minutes=1))


def test_what_cannot_be_read_is_told():
    """A replica without this time zone must not follow the schedule by another."""
    with pytest.raises(NeverDue, match="Mars/Base"):
        following(Recurrence(cron="* * * * *", time_zone="Mars/Base"), NOW)
