"""How much this replica does at once. What is beyond is refused at once, so that what is under way stays as fast as it is.

In comes the kind of a call; out goes a place for as long as it takes, or Exhausted. Health takes no place: it must answer when
nothing else does.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from holdfastd.config.model import Limits
from holdfastd.errors import Exhausted, Reason

#: Streams of one connection beyond what all together may have, so that whoever is over a limit hears of it instead of waiting.
_SPARE_STREAMS = 100


class Places:
    """Places for calls and for streams."""

    def __init__(self, limits: Limits) -> None:
        """Take how many there are."""
        self._limits = limits
        self.calls = 0
        self.watches = 0

    @property
    def streams_per_connection(self) -> int:
        """What gRPC is to let through; what is beyond would wait in the client, without a word."""
        return self._limits.calls + self._limits.watches + _SPARE_STREAMS

    @contextmanager
    def taken(self, kind: str) -> Iterator[None]:
        """Hold a place for a call of a kind, as metrics name it; Exhausted when there is none."""
        if kind == "unary":
            if self.calls >= self._limits.calls:
                raise _exhausted("calls", self._limits.calls)
            self.calls += 1
            try:
                yield
            finally:
                self.calls -= 1
        else:
            if self.watches >= self._limits.watches:
                raise _exhausted("watches", self._limits.watches)
            self.watches += 1
            try:
                yield
            finally:
                self.watches -= 1


def _exhausted(what: str, limit: int) -> Exhausted:
    message = f"This replica has {limit} {what} under way and takes no more; try again soon, or at another replica."
    return Exhausted(message, reason=Reason.LIMIT_REACHED, facts={"what": what, "limit": str(limit)})
