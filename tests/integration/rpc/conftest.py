"""The whole API on a real gRPC server, over a real store; no worker, so that jobs stay as a test leaves them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from holdfastd.config.model import Address, Limits
from holdfastd.flows.context import Services
from holdfastd.identity.access_file import AccessFile
from holdfastd.identity.new_token import new_token
from holdfastd.identity.recognition import Recognition
from holdfastd.metrics.registry import Metrics
from holdfastd.rpc.connect.doorway import Openness
from holdfastd.rpc.listener import RpcListener
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from support.postgres import Server, database_name
from support.stored import add_database


@dataclass(kw_only=True)
class Api:
    """A running API."""

    channel: grpc.aio.Channel
    services: Services
    metrics: Metrics
    listener: RpcListener
    address: str
    #: Of the database that the store is in.
    dsn: str
    #: Of another one, which may be registered.
    target: str


@asynccontextmanager
async def serving_api(
    dsn: str, directory: Path, limits: Limits | None = None, *, recognition: Recognition | None = None, openness: Openness | None = None
) -> AsyncIterator[Api]:
    """Serve the API over a store in the given database."""
    store, target = await Store.open(dsn), f"{dsn.rpartition('/')[0]}/postgres"
    services = Services(store=store, secrets=Secrets(None, directory), stopping=asyncio.Event(), environment={"TARGET": target})
    metrics = Metrics("0")
    listener = RpcListener(services, metrics.rpc, recognition=recognition, limits=limits, openness=openness)
    address = await listener.start(Address("127.0.0.1", 0))
    try:
        async with grpc.aio.insecure_channel(str(address)) as channel:
            yield Api(channel=channel, services=services, metrics=metrics, listener=listener, address=str(address), dsn=dsn, target=target)
    finally:
        await listener.stop(0)
        await store.close()


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API of the test's own."""
    async with serving_api(database, tmp_path) as serving:
        yield serving


@pytest.fixture
async def narrow_api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API that takes one call and one watch at once."""
    async with serving_api(database, tmp_path, Limits(calls=1, watches=1)) as serving:
        yield serving


@pytest.fixture
async def guarded_api(database: str, tmp_path: Path) -> AsyncIterator[tuple[Api, str]]:
    """An API that takes one call at once, and the token of ann, who may look at `shop` only."""
    token, digest = new_token()
    (tmp_path / "access.yaml").write_text(f"principals: {{ann: {{roles: [viewer@shop], tokens: ['{digest}']}}}}")
    recognition = Recognition(AccessFile(tmp_path / "access.yaml"))
    async with serving_api(database, tmp_path, Limits(calls=1), recognition=recognition) as serving:
        yield serving, token


@pytest.fixture(scope="module")
async def shared_api(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One API for tests that only see what is refused; `shop` is registered."""
    dsn = await postgres.create_database()
    async with serving_api(dsn, tmp_path_factory.mktemp("secrets")) as serving:
        await add_database(serving.services.store)
        yield serving
    await postgres.drop_database(database_name(dsn))
