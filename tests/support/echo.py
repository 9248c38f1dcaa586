"""A tiny service behind the real interceptor, on a real server: handlers are plain functions, messages are bytes."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from prometheus_client import CollectorRegistry

from holdfastd.config.model import LogFormat
from holdfastd.logs.set_up import set_up
from holdfastd.metrics.rpc import RpcMetrics
from holdfastd.rpc.interceptor import Interceptor

UNARY = "/test.Echo/Unary"
STREAM = "/test.Echo/Stream"


@dataclass(kw_only=True)
class Echo:
    """What a test sees of the running server."""

    channel: grpc.aio.Channel
    registry: CollectorRegistry
    stream: io.StringIO

    async def unary(self, request: bytes = b"", **options: Any) -> bytes:
        """Call the unary method."""
        return await self.channel.unary_unary(UNARY)(request, **options)

    def watch(self, request: bytes = b"", **options: Any) -> Any:
        """Call the streaming method."""
        return self.channel.unary_stream(STREAM)(request, **options)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in map(json.loads, self.stream.getvalue().splitlines()) if line["event"] == event]

    async def handled(self) -> dict[str, Any]:
        """Return the line of the only call, which may be written a moment after the caller has its answer."""
        async with asyncio.timeout(5):
            while not (lines := self.lines("rpc_handled")):
                await asyncio.sleep(0.01)
        (line,) = lines
        return line

    def sample(self, name: str, method: str = "Unary", **labels: str) -> float | None:
        """Return the value of a series."""
        kind = "unary" if method == "Unary" else "server_stream"
        return self.registry.get_sample_value(name, {"grpc_type": kind, "grpc_service": "test.Echo", "grpc_method": method, **labels})


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, unary: Callable, stream: Callable) -> None:
        self._handlers = {
            UNARY: grpc.unary_unary_rpc_method_handler(unary),
            STREAM: grpc.unary_stream_rpc_method_handler(stream),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


async def _silent(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
    for _ in ():
        yield b""


@asynccontextmanager
async def serving(unary: Callable | None = None, stream: Callable = _silent, **options: Any) -> AsyncIterator[Echo]:
    """Serve the handlers; give what a test needs to call them and to see what was logged and counted."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    text, registry = io.StringIO(), CollectorRegistry()
    set_up(LogFormat.JSON, text)
    server = grpc.aio.server(interceptors=(Interceptor(RpcMetrics(registry), **options),))
    server.add_generic_rpc_handlers((_Handlers(unary or _answer, stream),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Echo(channel=channel, registry=registry, stream=text)
    finally:
        await server.stop(0)
        await _all_ended(registry)
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()


async def _all_ended(registry: CollectorRegistry) -> None:
    """Wait for the last lines: a caller has its answer before they are written, and the next test has another stream."""

    def total(name: str) -> float:
        return sum(sample.value for metric in registry.collect() for sample in metric.samples if sample.name == name)

    async with asyncio.timeout(5):
        while total("grpc_server_handled_total") < total("grpc_server_started_total"):
            await asyncio.sleep(0.01)


async def _answer(request: bytes, _context: Any) -> bytes:
    return request
