"""How fast rows pass, and how long the rest takes: in come counts with their times, out come rows a second and seconds. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass, field

#: Seconds after which a rate is believed.
_BELIEVED_AFTER = 2.0
#: Seconds that a rate is an average over, about.
_SMOOTHED_OVER = 15.0


@dataclass(slots=True)
class Pace:
    """Rows of one step or one relationship. Times are seconds of any one clock."""

    done: int = 0
    #: 0: nobody knows.
    total: int = 0
    _rate: float | None = None
    _began: float | None = None
    _heard: float = 0.0

    def take(self, at: float, done: int, total: int) -> None:
        """Take the next count; one that is smaller begins anew."""
        if self._began is None or done < self.done:
            self._began, self._rate = at, None
        elif at > self._heard:
            seconds = at - self._heard
            # While it is young, the weight makes this the plain average: one lucky batch must not promise an early end.
            weight = min(1.0, seconds / min(at - self._began, _SMOOTHED_OVER))
            self._rate = (self._rate or 0.0) * (1 - weight) + (done - self.done) / seconds * weight
        self.done, self.total, self._heard = done, total, at

    def rest(self) -> None:
        """Leave what follows out of the rate: nothing passes until the next count."""
        self._began = None

    @property
    def rate(self) -> float | None:
        """Rows a second, smoothed; None while nobody can know."""
        is_believed = self._began is not None and self._heard - self._began >= _BELIEVED_AFTER
        return self._rate or None if is_believed else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None while nobody can know."""
        if self.rate is None or not self.total:
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass(slots=True)
class Paces:
    """Rows that pass in several places at once, such as counts of several relationships over several connections."""

    of: dict[Hashable, Pace] = field(default_factory=dict)

    def take(self, place: Hashable, at: float, done: int, total: int) -> None:
        """Take the next count of a place."""
        self.of.setdefault(place, Pace()).take(at, done, total)

    def end(self, place: Hashable) -> None:
        """Forget a place that is done."""
        self.of.pop(place, None)

    def rest(self) -> None:
        """Leave what follows out of all rates."""
        for pace in self.of.values():
            pace.rest()

    def __len__(self) -> int:
        return len(self.of)

    @property
    def done(self) -> int:
        """Rows that passed."""
        return sum(pace.done for pace in self.of.values())

    @property
    def total(self) -> int:
        """Rows there are; 0 while one place does not know."""
        totals = [pace.total for pace in self.of.values()]
        return sum(totals) if all(totals) else 0

    @property
    def rate(self) -> float | None:
        """Rows a second, all together; None while one place does not know."""
        rates = [pace.rate for pace in self.of.values()]
        return sum(rate for rate in rates if rate) if rates and None not in rates else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last place is done; None while one does not know."""
        left = [pace.seconds_left for pace in self.of.values()]
        return max(seconds for seconds in left if seconds is not None) if left and None not in left else None
