"""The composition root: everything that a replica consists of, started in order and stopped in the opposite one.

In comes the configuration; out comes a server that serves until SIGTERM or SIGINT, and leaves nothing running, however it ends.
"""

import asyncio
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version

import structlog

from holdfastd.config.model import Address, Config
from holdfastd.errors import HoldfastError
from holdfastd.execute import failpoints
from holdfastd.flows.context import Services
from holdfastd.flows.runners import runners
from holdfastd.http.app import make_app
from holdfastd.http.listener import HttpListener
from holdfastd.jobs.worker import Worker
from holdfastd.metrics import Metrics, read_snapshot, refresh_forever
from holdfastd.rpc.listener import RpcListener
from holdfastd.store.embedded import EmbeddedPostgres
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets

log = structlog.get_logger()

# Orchestrators kill after 10 s (docker) or 30 s; all steps together stay below the shorter.
_WORKER_SECONDS = 6.0
_RPC_GRACE_SECONDS = 1.0
_STEP_SECONDS = 2.0


class StartError(Exception):
    """The server cannot start; the message is the sentence to print."""


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT; StartError when it cannot start."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    async with AsyncExitStack() as stack:
        replica = _Replica(config, stack)
        start, stop = asyncio.create_task(replica.start()), asyncio.create_task(asked.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.wait({start})
            return
        tasks = start.result()
        done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        log.info("server_stopping")
        # Nothing but a signal should have ended; if a task did, its error is the end of us.
        for task in done:
            task.result()
    log.info("server_stopped")


class _Replica:
    """One running server. What is started is pushed on the stack at once, so that any failure stops it again."""

    def __init__(self, config: Config, stack: AsyncExitStack) -> None:
        self._config = config
        self._stack = stack
        self._stopping = asyncio.Event()
        #: Why calls should go elsewhere.
        self._unready = "starting"

    async def start(self) -> tuple[asyncio.Task[None], ...]:
        """Start everything, and return the tasks that must not end."""
        config = self._config
        try:
            failpoints.arm(config.failpoints, config.failpoints_trace)
        except ValueError as error:
            message = f"HOLDFAST_FAILPOINTS: {error}."
            raise StartError(message) from None
        with _explained():
            keys = Secrets(config.secret_key, config.data_dir)
            store = await self._open_store()
        services = Services(
            store=store,
            secrets=keys,
            stopping=self._stopping,
            environment=config.environment,
            tells_queries=config.tells_queries,
        )
        metrics = Metrics(version("holdfastd"))
        refresher = self._refresh(metrics, store)
        http = await self._serve_http(metrics, store)
        rpc, listen = await self._serve_rpc(services, metrics)
        worker = self._work(services)
        self._stack.push_async_callback(self._drain, rpc)
        self._unready = ""
        log.info("server_ready", listen=str(listen), http=str(http), version=version("holdfastd"))
        return refresher, worker

    async def _open_store(self) -> Store:
        url = self._config.store_url
        if url is None:
            _make_data_dir(self._config)
            embedded = EmbeddedPostgres(self._config.data_dir / "store")
            self._stack.push_async_callback(embedded.stop)
            await embedded.start()
            guard = asyncio.create_task(embedded.keep_alive(), name="holdfast-store")
            # Above the stop on the stack, so that a server which is being stopped is not started again.
            self._stack.callback(guard.cancel)
            url = embedded.dsn()
        store = await Store.open(url)
        self._stack.push_async_callback(_step, "store", store.close, _STEP_SECONDS)
        return store

    def _refresh(self, metrics: Metrics, store: Store) -> asyncio.Task[None]:
        task = asyncio.create_task(refresh_forever(metrics, lambda: read_snapshot(store)), name="holdfast-metrics")
        self._stack.callback(task.cancel)
        return task

    async def _serve_http(self, metrics: Metrics, store: Store) -> Address:
        async def unready() -> str:
            if self._unready:
                return self._unready
            try:
                async with store.connection() as connection:
                    await connection.fetchval("SELECT 1")
            except HoldfastError as error:
                return error.message
            return ""

        listener = HttpListener(make_app(metrics.registry, unready))
        try:
            address = await listener.start(self._config.http)
        except OSError as error:
            message = f"Cannot listen on {self._config.http} for HTTP ({error.strerror}); choose another --http."
            raise StartError(message) from error
        self._stack.push_async_callback(_step, "http", listener.stop, _STEP_SECONDS)
        return address

    async def _serve_rpc(self, services: Services, metrics: Metrics) -> tuple[RpcListener, Address]:
        listener = RpcListener(services, metrics.rpc)
        stop = partial(listener.stop, _RPC_GRACE_SECONDS)
        self._stack.push_async_callback(_step, "rpc", stop, _RPC_GRACE_SECONDS + _STEP_SECONDS)
        try:
            return listener, await listener.start(self._config.listen)
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "taken this very moment"
            message = f"Cannot listen on {self._config.listen} for gRPC ({why}); choose another --listen."
            raise StartError(message) from error

    def _work(self, services: Services) -> asyncio.Task[None]:
        owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        worker = Worker(services.store, owner, runners(services))
        task = asyncio.create_task(worker.run(self._stopping), name="holdfast-worker")
        self._stack.push_async_callback(_step, "worker", partial(_ended, task), _WORKER_SECONDS)
        return task

    async def _drain(self, rpc: RpcListener) -> None:
        self._unready = "stopping"
        await rpc.drain()
        self._stopping.set()


async def _ended(task: asyncio.Task[None]) -> None:
    # wait() raises nothing of the task's: whoever watches the task tells its error.
    await asyncio.wait({task})
    task.cancel()


async def _step(name: str, work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Run one step of stopping; whatever goes wrong in it must not keep the later ones from running."""
    try:
        async with asyncio.timeout(seconds):
            await work()
    except Exception:
        log.exception("stop_step_failed", step=name)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what callers would be told into the sentence that the operator is told."""
    try:
        yield
    except HoldfastError as error:
        raise StartError(error.message) from error


def _make_data_dir(config: Config) -> None:
    try:
        # The account that runs the embedded store for root passes through.
        config.data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.data_dir):
            pass
    except OSError as error:
        message = f"Cannot write to the data directory {config.data_dir} ({error.strerror}); choose another --data-dir."
        raise StartError(message) from error
