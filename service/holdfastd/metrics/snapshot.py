"""What the store knows that dashboards show: read now and then, replaced as a whole, never read by a scrape.

A database whose newest audit is still the same is not read again, and what grows with the number of kept jobs is read the less
often the longer that takes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from holdfastd.inference.model import Tier
from holdfastd.store import audit_log, overview
from holdfastd.store.model import Anchor
from holdfastd.store.overview import Counted, EndedJobs, OpenJobs, Standing
from holdfastd.store.pool import Store

log = structlog.get_logger()

#: Age of the snapshot at most.
REFRESH_SECONDS = 2.0
#: A store that accepts and never answers is noticed by this; the look itself may take as long as it takes.
LATE_SECONDS = 5.0
#: A query that looks at every kept job may take this part of a store's time.
_SHARE = 1 / 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNumbers:
    """What the last succeeded audit of one database found."""

    #: By relationship id; relationships that could not be counted are absent.
    orphan_rows: Mapping[str, int]
    #: Counted relationships beyond the limit.
    dropped: int = 0
    #: Relationships that no key declares, by what Holdfast would do with them.
    candidates: Mapping[Tier, int] = field(default_factory=dict)
    not_validated_keys: int
    undeclared_relationships: int
    missing_indexes: int
    #: When the audit ended, in seconds since 1970.
    time: float
    #: How long it took.
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNumbers:
    """What is known of one registered database."""

    database: str
    reachable: bool = True
    #: None: never audited.
    audit: AuditNumbers | None = None
    #: None: no schedule.
    missed_runs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the store knows that dashboards show."""

    #: When it was read, in seconds since 1970; 0: never.
    time: float = 0.0
    databases: tuple[DatabaseNumbers, ...] = ()
    open_jobs: tuple[OpenJobs, ...] = ()
    ended_jobs: tuple[EndedJobs, ...] = ()
    #: None: the audit log is empty.
    log_head: Anchor | None = None


class SnapshotReader:
    """Reads snapshots of one store, each time only what may have changed."""

    def __init__(self, store: Store, series: int) -> None:
        """Take the store, and for how many relationships of one database orphan rows are told."""
        self._store = store
        self._series = series
        self._audits: dict[str, AuditNumbers] = {}
        self._ended: tuple[EndedJobs, ...] = ()
        self._ended_due = 0.0

    async def read(self) -> Snapshot:
        """Read what dashboards show; Unavailable when the store is away."""
        async with self._store.connection() as connection:
            standings = await overview.standings(connection)
            for standing in standings:
                await self._read_audit(connection, standing)
            open_jobs = await overview.open_jobs(connection)
            if time.monotonic() >= self._ended_due:
                await self._read_ended(connection)
            head = await audit_log.refresh(connection, self._store.log_head)
        current = {standing.audit.id for standing in standings if standing.audit}
        self._audits = {audit_id: numbers for audit_id, numbers in self._audits.items() if audit_id in current}
        return Snapshot(
            time=time.time(),
            databases=tuple(map(self._numbers, standings)),
            open_jobs=open_jobs,
            ended_jobs=self._ended,
            log_head=head if head.sequence else None,
        )

    async def _read_audit(self, connection: object, standing: Standing) -> None:
        audit = standing.audit
        if audit is None or audit.id in self._audits:
            return
        found = await overview.counted(connection, audit.id)
        rows, dropped = orphan_rows(found, self._series)
        self._audits[audit.id] = AuditNumbers(
            orphan_rows=rows,
            dropped=dropped,
            candidates={tier: sum(one.tier is tier for _, one in found) for tier in Tier if tier is not Tier.DECLARED},
            not_validated_keys=audit.summary.not_validated_keys,
            undeclared_relationships=audit.summary.undeclared_relationships,
            missing_indexes=audit.summary.missing_indexes,
            time=audit.end_time.timestamp(),
            seconds=audit.seconds,
        )

    async def _read_ended(self, connection: object) -> None:
        began = time.monotonic()
        self._ended = await overview.ended_jobs(connection)
        ended = time.monotonic()
        self._ended_due = ended + (ended - began) / _SHARE

    def _numbers(self, standing: Standing) -> DatabaseNumbers:
        audit = self._audits[standing.audit.id] if standing.audit else None
        return DatabaseNumbers(database=standing.database, reachable=standing.reachable, audit=audit, missed_runs=standing.missed_runs)


def orphan_rows(found: Iterable[tuple[str, Counted]], limit: int) -> tuple[Mapping[str, int], int]:
    """Return the orphan rows by relationship, those with most first and no more than the limit, and how many were left out."""
    # Values of a column that may be no reference at all are nothing to wake anybody for.
    meant = ((name, one.orphan_rows) for name, one in found if one.tier is not Tier.REVIEW)
    ordered = sorted(((name, rows.value) for name, rows in meant if rows.is_known), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:limit]), max(0, len(ordered) - limit)


class Shown(Protocol):
    """Where snapshots go."""

    snapshot: Snapshot
    store_reachable: bool


async def refresh_forever(shown: Shown, read: Callable[[], Awaitable[Snapshot]], seconds: float = REFRESH_SECONDS) -> None:
    """Replace the snapshot again and again. A failure keeps the old one and is logged once, until a success."""
    failing = False
    while True:
        late = asyncio.get_running_loop().call_later(LATE_SECONDS, _miss, shown)
        try:
            shown.snapshot = await read()
            failing = False
        except Exception:
            if not failing:
                log.warning("metrics_not_refreshed", exc_info=True)
            failing = True
        finally:
            late.cancel()
        shown.store_reachable = not failing
        await asyncio.sleep(seconds)


def _miss(shown: Shown) -> None:
    shown.store_reachable = False
