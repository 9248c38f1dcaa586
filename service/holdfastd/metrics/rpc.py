"""RPCs, counted by the names that dashboards for gRPC services already know (those of go-grpc-middleware)."""

from collections.abc import Callable
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

_RPC = ("grpc_type", "grpc_service", "grpc_method")


class RpcMetrics:
    """What a replica has answered since it started."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register in the given registry."""
        self._started = Counter("grpc_server_started_total", "RPCs started on the server.", _RPC, registry=registry)
        self._handled = Counter(
            "grpc_server_handled_total", "RPCs completed on the server, by outcome.", (*_RPC, "grpc_code"), registry=registry
        )
        self._seconds = Histogram("grpc_server_handling_seconds", "Time from start to end of RPCs on the server.", _RPC, registry=registry)
        self._received = Counter("grpc_server_msg_received_total", "Messages received by RPCs.", _RPC, registry=registry)
        # There are as many as methods and codes; finding one anew takes longer than counting.
        self._series: Callable[..., Any] = cache(lambda metric, *labels: metric.labels(*labels))
        self._sent = Counter("grpc_server_msg_sent_total", "Messages sent by RPCs.", _RPC, registry=registry)

    def expect(self, kind: str, service: str, method: str) -> None:
        """Make the series of a method exist before its first call, so that rates are right from the first call on."""
        for metric in (self._started, self._seconds, self._received, self._sent):
            metric.labels(kind, service, method)
        self._handled.labels(kind, service, method, "OK")

    def began(self, kind: str, service: str, method: str) -> None:
        """Count a call and its request: no method streams requests."""
        self._series(self._started, kind, service, method).inc()
        self._series(self._received, kind, service, method).inc()

    def sent(self, kind: str, service: str, method: str) -> None:
        """Count a response message."""
        self._series(self._sent, kind, service, method).inc()

    def ended(self, kind: str, service: str, method: str, code: str, seconds: float) -> None:
        """Count the outcome of a call."""
        self._series(self._handled, kind, service, method, code).inc()
        self._series(self._seconds, kind, service, method).observe(seconds)
