"""Do others need the server more than we do? In comes a throttle; out goes what exceeds it, in words.

Looked at from the session that changes nothing, at most once a second. What the role may not see does not hold anything back,
but is told once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from holdfastd.jobs.model import Throttle
from holdfastd.sql import load_queries
from holdfastd.target.errors import is_connection_lost, sqlstate

_QUERIES = load_queries("holdfastd.execute", "throttle.sql")
_LOOK_EVERY_SECONDS = 1.0
#: A rate over a longer time says nothing about now: in between, our own index may have been built.
_LONGEST_INTERVAL_SECONDS = 5.0
#: A burst is waited for no longer than this, unless as much is written all the time.
_LONGEST_DEBT_SECONDS = 60.0
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica as its primary sees it; None where the role may not see it."""

    pid: int
    name: str
    #: Position that it has replayed, in bytes.
    replayed: int | None
    #: Measured by the replica when it replayed last; stays as it was while it replays nothing.
    lag_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw. Positions in the WAL in bytes."""

    at: float
    written: int
    flushed: int
    active_sessions: int
    replicas: tuple[Replica, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """One limit that is exceeded: which, and how far, in words."""

    limit: str
    text: str


@dataclass(slots=True, kw_only=True)
class Throttling:
    """A throttle at work; remembers what it saw last."""

    observer: asyncpg.Connection
    throttle: Throttle
    #: What cannot be seen, once it was found out; the caller takes it away when it is told.
    blind: str = ""
    _last: Look | None = None
    #: Since when the WAL is counted: what was written too fast is waited for, not only what is being written.
    _anchor: Look | None = None
    _found: tuple[Excess, ...] = ()
    _is_blind: bool = False
    #: Per replica, a position that was not replayed yet, and when it was flushed at the latest.
    _marks: dict[int, tuple[int, float]] = field(default_factory=dict)

    async def exceeded(self) -> tuple[Excess, ...]:
        """Return the limits that are exceeded now, as of at most a second ago."""
        if self._last is None or time.monotonic() - self._last.at >= _LOOK_EVERY_SECONDS:
            try:
                await self._look()
            except asyncpg.PostgresError as error:
                if is_connection_lost(error):
                    raise
                self._found = ()
                self._say_blind(f"The server's load cannot be read (SQLSTATE {sqlstate(error)})")
        return self._found

    async def _look(self) -> None:
        row = await self.observer.fetchrow(_QUERIES["load"])
        replicas = [
            Replica(pid=each["pid"], name=each["name"], replayed=each["replayed"], lag_seconds=each["lag_seconds"])
            for each in await self.observer.fetch(_QUERIES["replicas"])
        ]
        now = Look(
            at=time.monotonic(),
            written=row["written"],
            flushed=row["flushed"],
            active_sessions=row["active_sessions"],
            replicas=tuple(replicas),
        )
        hidden = sum(replica.replayed is None for replica in replicas)
        if hidden:
            self._say_blind(f"How far {hidden} replica(s) are behind is not visible: GRANT pg_monitor to the role")
        self._found = self.judge(now)
        self._last = now

    def judge(self, now: Look) -> tuple[Excess, ...]:
        """Return what a look shows to be too much, compared with the look before."""
        return (*self._lagging(now), *_crowded(now, self.throttle), *self._writing(now))

    def _lagging(self, now: Look) -> Sequence[Excess]:
        limit = self.throttle.max_replica_lag_seconds
        lags = {replica.name: lag for replica in now.replicas if (lag := self._lag(replica, now)) > limit}
        if not lags:
            return ()
        name = max(lags, key=lambda name: lags[name])
        text = f"replica {name} is {lags[name]:.0f} s behind (limit {limit:g} s)"
        return (Excess(limit="max_replica_lag", text=text),)

    def _lag(self, replica: Replica, now: Look) -> float:
        """Return how many seconds a replica is behind: what it measured itself, or since when it owes us a position."""
        if replica.replayed is None or replica.replayed >= now.flushed:
            self._marks.pop(replica.pid, None)
            return 0.0
        position, since = self._marks.get(replica.pid, (0, now.at))
        if replica.replayed >= position:
            position, since = now.flushed, now.at
        self._marks[replica.pid] = position, since
        return max(replica.lag_seconds, now.at - since)

    def _writing(self, now: Look) -> Sequence[Excess]:
        limit, last = self.throttle.max_wal_bytes_per_second, self._last
        if not limit or last is None or now.at - last.at > _LONGEST_INTERVAL_SECONDS:
            self._anchor = now
            return ()
        anchor = self._anchor or last
        if now.at - anchor.at > _LONGEST_DEBT_SECONDS:
            anchor = last
        rate = (now.written - anchor.written) / (now.at - anchor.at)
        self._anchor = now if rate <= limit else anchor
        if rate <= limit:
            return ()
        return (Excess(limit="max_wal_rate", text=f"{_size(rate)} of WAL are written a second (limit {_size(limit)})"),)

    def _say_blind(self, what: str) -> None:
        if not self._is_blind:
            self.blind = f"{what}; nothing is held back for it."
            self._is_blind = True


def _crowded(now: Look, throttle: Throttle) -> Sequence[Excess]:
    limit = throttle.max_active_sessions
    if not limit or now.active_sessions <= limit:
        return ()
    return (Excess(limit="max_active_sessions", text=f"{now.active_sessions} other sessions are active (limit {limit})"),)


def _size(count: float) -> str:
    """Return a number of bytes for people."""
    for factor, unit in _UNITS:
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} bytes"
