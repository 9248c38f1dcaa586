"""The whole API on a real gRPC server, over a real store; no worker, so that jobs stay as a test leaves them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from holdfastd.config import Address
from holdfastd.flows.context import Services
from holdfastd.metrics import Metrics
from holdfastd.rpc.listener import RpcListener
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets


@dataclass(kw_only=True)
class Api:
    """A running API."""

    channel: grpc.aio.Channel
    services: Services
    metrics: Metrics
    listener: RpcListener
    #: Of the database that the store is in: a target, too, if need be.
    dsn: str


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Serve the API."""
    store = await Store.open(database)
    services = Services(store=store, secrets=Secrets(None, tmp_path), stopping=asyncio.Event(), environment={"TARGET": database})
    metrics = Metrics("0")
    listener = RpcListener(services, metrics.rpc)
    address = await listener.start(Address("127.0.0.1", 0))
    try:
        async with grpc.aio.insecure_channel(str(address)) as channel:
            yield Api(channel=channel, services=services, metrics=metrics, listener=listener, dsn=database)
    finally:
        await listener.stop(0)
        await store.close()
