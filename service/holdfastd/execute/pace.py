"""How many rows of a cleanup to take at once, and how long to rest in between. Writers of the referenced table wait for a batch."""

import random
from dataclasses import dataclass

#: Hold the lock about this long.
TARGET_SECONDS = 0.1
#: A batch that holds the lock longer is undone, and tried again with fewer rows; what cannot be split gets longer.
CEILING_SECONDS, LAST_CEILING_SECONDS = 0.5, 5.0
_SMALLEST_BATCH, _LARGEST_BATCH = 1, 5_000
#: Never change by more than this at once: one slow batch may be the machine's.
_SLOWER, _FASTER = 0.25, 2.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """Rows per batch. Begins low: the first batch of a deep cascade is not to hold up anybody either."""

    batch: int = 100

    def learn(self, held_seconds: float) -> None:
        """Adapt to how long the last batch held its lock."""
        factor = min(max(TARGET_SECONDS / max(held_seconds, 1e-6), _SLOWER), _FASTER)
        self.batch = min(max(int(self.batch * factor), _SMALLEST_BATCH), _LARGEST_BATCH)

    def shrink(self, rows: int) -> None:
        """Take a quarter of what held the lock for too long."""
        self.batch = max(int(min(rows, self.batch) * _SLOWER), _SMALLEST_BATCH)


def ceiling_seconds(rows: int) -> float:
    """Return how long a batch may hold its lock."""
    return CEILING_SECONDS if rows > _SMALLEST_BATCH else LAST_CEILING_SECONDS


def rest_seconds(held_seconds: float) -> float:
    """Return how long to leave the tables to others: half as long as they had to wait, not in step with anybody."""
    return held_seconds * random.uniform(0.25, 0.75)  # noqa: S311 (jitter, not a secret)
