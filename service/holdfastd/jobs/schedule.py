"""When audits are due. In comes how often, out come moments; the clock and chance are arguments.

A due time is what the recurrence says; the start is the due time put off by the jitter. Both are in UTC.
"""

import difflib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cronsim import CronSim, CronSimError

from holdfastd.errors import InvalidField

SHORTEST_INTERVAL, LONGEST_INTERVAL = timedelta(minutes=1), timedelta(days=366)
LONGEST_JITTER = timedelta(hours=1)
#: Whoever comes later than this does not start what was due: a restart of all replicas takes less.
LATEST = timedelta(minutes=5)
#: Missed runs are counted up to here: a year of minutes would take seconds to count.
MOST_COUNTED = 10_000

_FIELDS = 5
_LONGEST_CRON = 256
_EXAMPLE = "`30 2 * * *` is every night at half past two"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """How often: by a cron expression or by an interval, never both."""

    #: Five fields as in crontab(5); empty with an interval.
    cron: str = ""
    #: Of the cron expression, by its IANA name; empty: UTC.
    time_zone: str = ""
    interval: timedelta | None = None
    jitter: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What to do about a schedule whose start has come."""

    #: The due time to start an audit for; None: it is too late for all that have passed.
    due: datetime | None
    #: Due times that passed with nobody there, MOST_COUNTED at most, and the last of them.
    missed: int
    last_missed: datetime | None
    #: The first due time that has not passed.
    next_due: datetime


class NeverDue(Exception):
    """No due time can be told: the message is the reason in a few words."""


def check(recurrence: Recurrence, now: datetime) -> None:
    """Raise InvalidField, with the path in SetScheduleRequest, for what can never be due."""
    if recurrence.jitter > LONGEST_JITTER:
        raise InvalidField("schedule.jitter", "schedule.jitter is longer than an hour; such as 600s puts starts off by up to ten minutes.")
    if recurrence.interval is not None:
        _check_interval(recurrence)
        return
    if recurrence.time_zone and recurrence.time_zone not in _time_zones():
        near = difflib.get_close_matches(recurrence.time_zone, _time_zones(), 1) or ["Europe/Berlin"]
        raise InvalidField("schedule.time_zone", f"schedule.time_zone is not the IANA name of a time zone, such as {near[0]}.")
    if len(recurrence.cron) > _LONGEST_CRON or len(recurrence.cron.split()) != _FIELDS:
        raise InvalidField("schedule.cron", f"schedule.cron is not five fields (minute, hour, day, month, weekday): {_EXAMPLE}.")
    try:
        following(recurrence, now)
    except NeverDue as error:
        raise InvalidField("schedule.cron", f"schedule.cron names no time ({error}): {_EXAMPLE}.") from None


def following(recurrence: Recurrence, due: datetime) -> datetime:
    """Return the first due time after a moment, or after a due time; NeverDue when there is none."""
    moment = next(_due_times(recurrence, due), None)
    if moment is None:
        raise NeverDue("no such day in 50 years")
    return moment


def put_off(recurrence: Recurrence, due: datetime, chance: float) -> datetime:
    """Return when to start what is due: later by a share (0 to 1) of the jitter, and before the next is due."""
    if not recurrence.jitter:
        return due
    return due + min(recurrence.jitter, following(recurrence, due) - due) * min(chance, 0.999)


def look_ahead(recurrence: Recurrence, *, due: datetime, start: datetime, now: datetime) -> Outlook:
    """Return what to do at `now`, when the start of what was due has come: start the last that has passed unless it is too late.

    NeverDue when nothing is due after it.
    """
    last, last_start, count, before = due, start, 1, None
    for later in _due_times(recurrence, due):
        if later > now:
            break
        if count == MOST_COUNTED:
            later = following(recurrence, now)  # noqa: PLW2901 (the loop ends here)
            last, last_start = now - LATEST * 2, now - LATEST * 2
            break
        last, last_start, count, before = later, later, count + 1, last
    else:
        raise NeverDue("nothing more for 50 years")
    if now - last_start <= LATEST:
        return Outlook(due=last, missed=count - 1, last_missed=before, next_due=later)
    return Outlook(due=None, missed=count, last_missed=last, next_due=later)


def _due_times(recurrence: Recurrence, after: datetime) -> Iterator[datetime]:
    """Yield due times after a moment; NeverDue for what cannot be read."""
    if recurrence.interval is not None:
        while True:
            after += recurrence.interval
            yield after
    try:
        zone = zoneinfo.ZoneInfo(recurrence.time_zone) if recurrence.time_zone else UTC
        for local in CronSim(recurrence.cron, after.astimezone(zone)):
            # In the hour that a clock passes twice, a time of day means the first; cronsim would return it in the second, too.
            if (moment := local.astimezone(UTC)) > after:
                yield moment
    except CronSimError as error:
        raise NeverDue(str(error).lower().rstrip(".") or "no such field") from None
    except zoneinfo.ZoneInfoNotFoundError:
        raise NeverDue(f"time zone {recurrence.time_zone} is not installed where the service runs") from None
    except OverflowError:
        # Past the year 9999.
        return


def _check_interval(recurrence: Recurrence) -> None:
    if recurrence.interval is None or not SHORTEST_INTERVAL <= recurrence.interval <= LONGEST_INTERVAL:
        raise InvalidField("schedule.interval", "schedule.interval is not between a minute and a year; 21600s is every six hours.")
    if recurrence.time_zone:
        raise InvalidField("schedule.time_zone", "schedule.time_zone goes with schedule.cron only; an interval is as long everywhere.")


@cache
def _time_zones() -> frozenset[str]:
    # What these mean depends on the machine, and replicas may be set up differently.
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})
