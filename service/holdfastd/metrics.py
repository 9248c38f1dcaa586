"""Every metric object, in a registry of our own.

Numbers about databases come from a snapshot that is replaced as a whole: a scrape touches no database, a database that was never
audited is absent, and a relationship that vanished is absent from the next scrape.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobKind, JobState
from holdfastd.store import audits, jobs
from holdfastd.store.model import LatestAudit
from holdfastd.store.pool import Store

log = structlog.get_logger()

#: Age of the snapshot at most.
REFRESH_SECONDS = 2.0

_RPC = ("grpc_type", "grpc_service", "grpc_method")


class RpcMetrics:
    """The names that dashboards for gRPC services already know (those of go-grpc-middleware)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register in the given registry."""
        self._started = Counter("grpc_server_started_total", "RPCs started on the server.", _RPC, registry=registry)
        self._handled = Counter(
            "grpc_server_handled_total", "RPCs completed on the server, by outcome.", (*_RPC, "grpc_code"), registry=registry
        )
        self._seconds = Histogram("grpc_server_handling_seconds", "Time from start to end of RPCs on the server.", _RPC, registry=registry)
        self._received = Counter("grpc_server_msg_received_total", "Messages received by RPCs.", _RPC, registry=registry)
        self._sent = Counter("grpc_server_msg_sent_total", "Messages sent by RPCs.", _RPC, registry=registry)

    def expect(self, kind: str, service: str, method: str) -> None:
        """Make the series of a method exist before its first call, so that rates are right from the first call on."""
        for metric in (self._started, self._seconds, self._received, self._sent):
            metric.labels(kind, service, method)
        self._handled.labels(kind, service, method, "OK")

    def began(self, kind: str, service: str, method: str) -> None:
        """Count a call and its request: no method streams requests."""
        self._started.labels(kind, service, method).inc()
        self._received.labels(kind, service, method).inc()

    def sent(self, kind: str, service: str, method: str) -> None:
        """Count a response message."""
        self._sent.labels(kind, service, method).inc()

    def ended(self, kind: str, service: str, method: str, code: str, seconds: float) -> None:
        """Count the outcome of a call."""
        self._handled.labels(kind, service, method, code).inc()
        self._seconds.labels(kind, service, method).observe(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNumbers:
    """What the last succeeded audit of one database found."""

    database: str
    #: By relationship id; relationships that could not be counted are absent.
    orphan_rows: Mapping[str, int]
    not_validated_keys: int
    undeclared_relationships: int
    missing_indexes: int
    #: When the audit ended, in seconds since 1970.
    audit_time: float
    #: How long it took.
    audit_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the store knows that dashboards show."""

    databases: tuple[DatabaseNumbers, ...] = ()
    jobs: Mapping[tuple[JobKind, JobState], int] = field(default_factory=dict)


class Metrics(Collector):
    """The registry and the snapshot behind it."""

    def __init__(self, version: str) -> None:
        """Take the version of Holdfast."""
        self.registry = CollectorRegistry()
        self.rpc = RpcMetrics(self.registry)
        self.snapshot = Snapshot()
        self._version = version
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the series depend on the snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of the current snapshot."""
        snapshot = self.snapshot
        yield _gauge("holdfast_build_info", "The version of Holdfast that runs.", ("version",), (((self._version,), 1),))
        yield _gauge("holdfast_jobs", "Jobs in the store.", ("kind", "state"), _jobs(snapshot))
        yield _gauge(
            "holdfast_orphan_rows",
            "Orphan rows of a relationship at the last audit.",
            ("database", "relationship"),
            (
                ((numbers.database, relationship), rows)
                for numbers in snapshot.databases
                for relationship, rows in numbers.orphan_rows.items()
            ),
        )
        for name, text, value in _DATABASE_GAUGES:
            samples = (((numbers.database,), value(numbers)) for numbers in snapshot.databases)
            yield _gauge(name, text, ("database",), samples)


async def read_snapshot(store: Store) -> Snapshot:
    """Read what dashboards show from the store."""
    async with store.connection() as connection:
        latest = await audits.latest_of_all(connection)
        counts = await jobs.counts_by_kind_and_state(connection)
    return Snapshot(databases=tuple(map(_numbers, latest)), jobs=counts)


def _numbers(audit: LatestAudit) -> DatabaseNumbers:
    # Values of a column that may be no reference at all are nothing to wake anybody for.
    meant = (relationship for relationship in audit.relationships if relationship.tier is not Tier.REVIEW)
    counted = (relationship for relationship in meant if relationship.orphan_rows.is_known)
    return DatabaseNumbers(
        database=audit.database,
        orphan_rows={relationship.id: relationship.orphan_rows.value for relationship in counted},
        not_validated_keys=audit.summary.not_validated_keys,
        undeclared_relationships=audit.summary.undeclared_relationships,
        missing_indexes=audit.summary.missing_indexes,
        audit_time=audit.end_time.timestamp(),
        audit_seconds=audit.duration_seconds,
    )


async def refresh_forever(metrics: Metrics, read: Callable[[], Awaitable[Snapshot]], seconds: float = REFRESH_SECONDS) -> None:
    """Replace the snapshot again and again. A failure keeps the old one and is logged once, until a success."""
    failing = False
    while True:
        try:
            metrics.snapshot = await read()
            failing = False
        except Exception:
            if not failing:
                log.warning("metrics_not_refreshed", exc_info=True)
            failing = True
        await asyncio.sleep(seconds)


def _jobs(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], int]]:
    for kind in JobKind:
        for state in JobState:
            yield (kind.value, state.value), snapshot.jobs.get((kind, state), 0)


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


_DATABASE_GAUGES: tuple[tuple[str, str, Callable[[DatabaseNumbers], float]], ...] = (
    (
        "holdfast_not_validated_keys",
        "Foreign keys that are not validated, at the last audit.",
        lambda numbers: numbers.not_validated_keys,
    ),
    (
        "holdfast_undeclared_relationships",
        "Relationships that no foreign key declares, at the last audit.",
        lambda numbers: numbers.undeclared_relationships,
    ),
    (
        "holdfast_missing_indexes",
        "Relationships without a usable index on the referencing columns, at the last audit.",
        lambda numbers: numbers.missing_indexes,
    ),
    (
        "holdfast_audit_last_success_timestamp_seconds",
        "When the last succeeded audit ended.",
        lambda numbers: numbers.audit_time,
    ),
    ("holdfast_audit_duration_seconds", "How long the last succeeded audit took.", lambda numbers: numbers.audit_seconds),
)
