"""Every metric of this replica, in a registry of our own.

Numbers about databases come from a snapshot that is replaced as a whole: a scrape touches no database, a database that was never
audited is absent, and a relationship that vanished is absent from the next scrape.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from holdfastd.metrics.gauges import gauge, gauges
from holdfastd.metrics.jobs import JobMetrics
from holdfastd.metrics.rpc import RpcMetrics
from holdfastd.metrics.snapshot import Snapshot


class Metrics(Collector):
    """The registry and the snapshot behind it."""

    def __init__(self, version: str) -> None:
        """Take the version of Holdfast."""
        self.registry = CollectorRegistry()
        self.rpc = RpcMetrics(self.registry)
        self.jobs = JobMetrics(self.registry)
        self.snapshot = Snapshot()
        #: The last look at the store succeeded.
        self.store_reachable = False
        #: This replica takes calls.
        self.serving = False
        self._version = version
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the series depend on the snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of this replica and of the current snapshot."""
        yield gauge("holdfast_build_info", "The version of Holdfast that runs.", ("version",), (((self._version,), 1),))
        reachable, ready = float(self.store_reachable), float(self.serving and self.store_reachable)
        yield gauge("holdfast_store_reachable", "Whether the last look at the store succeeded.", (), (((), reachable),))
        yield gauge("holdfast_ready", "Whether this replica takes calls and reaches its store.", (), (((), ready),))
        yield from gauges(self.snapshot)
