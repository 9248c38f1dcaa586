"""The composition root: everything that a replica consists of, started in order and stopped in the opposite one.

In comes the configuration; out comes a server that serves until SIGTERM or SIGINT, and leaves nothing running, however it ends.
"""

import asyncio
import gc
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

from holdfastd import tracing
from holdfastd.config.model import Address, Config
from holdfastd.errors import HoldfastError
from holdfastd.execute import failpoints
from holdfastd.flows.context import Services
from holdfastd.flows.runners import runners
from holdfastd.flows.schedules import seconds_to_next, start_due
from holdfastd.http.app import make_app
from holdfastd.http.encryption import Encryption
from holdfastd.http.listener import HttpListener
from holdfastd.identity.access_file import AccessFile
from holdfastd.identity.certificates import Certificates
from holdfastd.identity.recognition import Recognition
from holdfastd.jobs.housekeeper import Housekeeper
from holdfastd.jobs.scheduler import start_due_forever
from holdfastd.jobs.worker import Worker
from holdfastd.metrics.registry import Metrics
from holdfastd.metrics.snapshot import LATE_SECONDS, Snapshot, SnapshotReader, refresh_forever
from holdfastd.rpc.connect.doorway import Openness
from holdfastd.rpc.listener import RpcListener
from holdfastd.store.embedded import EmbeddedPostgres
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from holdfastd.store.signals import is_set
from holdfastd.target.destination import TargetPolicy

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
        #: Set as soon as we are asked to stop: jobs are given back, none is begun.
        self._leaving = asyncio.Event()
        #: Set when calls and watches are to end, too.
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
        try:
            targets = TargetPolicy.of(config.targets)
        except ValueError as error:
            raise StartError(str(error)) from None
        self._trace()
        # First: whoever mistyped a file is told before anything is started.
        recognition = Recognition(AccessFile(config.access)) if config.access else None
        certificates = Certificates(config.tls) if config.tls else None
        with _explained():
            keys = Secrets(config.secret_key, config.data_dir)
            store = await self._open_store()
        services = Services(
            store=store,
            secrets=keys,
            stopping=self._stopping,
            environment=config.environment,
            targets=targets,
            tells_queries=config.tells_queries,
        )
        metrics = Metrics(version("holdfastd"))
        refresher = await self._refresh(metrics, store)
        rpc = self._prepare_rpc(services, metrics, recognition, certificates)
        http = await self._serve_http(metrics, store, rpc)
        listen = await self._serve_rpc(rpc)
        worker = self._work(services, metrics)
        scheduler = self._schedule(services)
        housekeeper = self._keep_house(store)
        # One step, and so one limit, for all that works by itself.
        self._stack.push_async_callback(_step, "work", partial(_ended, worker, scheduler, housekeeper), _WORKER_SECONDS)
        self._stack.push_async_callback(self._drain, rpc, metrics)
        self._unready = ""
        metrics.serving = True
        # What is loaded by now stays: looking through it again and again for garbage costs each call a few percent.
        gc.collect()
        gc.freeze()
        log.info("server_ready", listen=str(listen), http=str(http), version=version("holdfastd"))
        return (refresher, worker, scheduler, housekeeper, *self._keep_recognising(recognition))

    def _trace(self) -> None:
        if not self._config.trace_endpoint:
            return
        try:
            tracing.set_up(self._config.trace_endpoint, version("holdfastd"))
        except tracing.NotInstalled as error:
            raise StartError(str(error)) from None
        self._stack.push_async_callback(_step, "tracing", tracing.shut_down, _STEP_SECONDS)

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

    async def _refresh(self, metrics: Metrics, store: Store) -> asyncio.Task[None]:
        reader = SnapshotReader(store, self._config.limits.series)
        looked = asyncio.Event()

        async def read() -> Snapshot:
            try:
                return await reader.read()
            finally:
                looked.set()

        task = asyncio.create_task(refresh_forever(metrics, read), name="holdfast-metrics")
        self._stack.callback(task.cancel)
        # The first scrape is to show what is known; whoever scrapes before would miss an age to alert on. Serving does not depend on it.
        await is_set(looked, within=LATE_SECONDS)
        return task

    def _keep_recognising(self, recognition: Recognition | None) -> tuple[asyncio.Task[None], ...]:
        if recognition is None:
            return ()
        task = asyncio.create_task(recognition.keep_fresh(), name="holdfast-identity")
        self._stack.callback(task.cancel)
        return (task,)

    async def _serve_http(self, metrics: Metrics, store: Store, rpc: RpcListener) -> Address:
        async def unready() -> str:
            if self._unready:
                return self._unready
            try:
                async with store.connection() as connection:
                    await connection.fetchval("SELECT 1")
            except HoldfastError as error:
                return error.message
            return ""

        tls = self._config.tls if self._config.http_tls else None
        app = make_app(metrics.registry, unready, rpc.over_http, is_suspect=rpc.is_suspect)
        listener = HttpListener(app, Encryption(tls) if tls else None)
        try:
            address = await listener.start(self._config.http)
        except OSError as error:
            message = f"Cannot listen on {self._config.http} for HTTP ({error.strerror}); choose another --http."
            raise StartError(message) from error
        self._stack.push_async_callback(_step, "http", listener.stop, _STEP_SECONDS)
        return address

    def _prepare_rpc(
        self, services: Services, metrics: Metrics, recognition: Recognition | None, certificates: Certificates | None
    ) -> RpcListener:
        config = self._config
        openness = Openness(plaintext=config.allows_plaintext, anonymous=config.allows_anonymous, host=config.http.host)
        return RpcListener(
            services, metrics.rpc, recognition=recognition, certificates=certificates, limits=config.limits, openness=openness
        )

    async def _serve_rpc(self, listener: RpcListener) -> Address:
        stop = partial(listener.stop, _RPC_GRACE_SECONDS)
        self._stack.push_async_callback(_step, "rpc", stop, _RPC_GRACE_SECONDS + _STEP_SECONDS)
        try:
            return await listener.start(self._config.listen)
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "taken this very moment"
            message = f"Cannot listen on {self._config.listen} for gRPC ({why}); choose another --listen."
            raise StartError(message) from error

    def _work(self, services: Services, metrics: Metrics) -> asyncio.Task[None]:
        owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        limits = self._config.limits
        worker = Worker(
            services.store,
            owner,
            runners(services),
            concurrency=limits.jobs,
            jobs_of_all=limits.jobs_of_all,
            observer=metrics.jobs,
        )
        return asyncio.create_task(worker.run(self._leaving), name="holdfast-worker")

    def _schedule(self, services: Services) -> asyncio.Task[None]:
        loop = start_due_forever(self._stopping, seconds_to_next=partial(seconds_to_next, services), start_due=partial(start_due, services))
        return asyncio.create_task(loop, name="holdfast-scheduler")

    def _keep_house(self, store: Store) -> asyncio.Task[None]:
        kept = self._config.retention
        housekeeper = Housekeeper(store, jobs=kept.jobs, orphan_counts_kept=kept.orphan_counts)
        return asyncio.create_task(housekeeper.run(self._leaving), name="holdfast-housekeeper")

    async def _drain(self, rpc: RpcListener, metrics: Metrics) -> None:
        """Say everywhere that calls should go elsewhere, serve those that come nevertheless for a while, then end the watches."""
        self._unready = "stopping"
        metrics.serving = False
        # Jobs need no load balancer to go elsewhere.
        self._leaving.set()
        await rpc.drain()
        await asyncio.sleep(self._config.drain_delay.total_seconds())
        self._stopping.set()


async def _ended(*tasks: asyncio.Task[None]) -> None:
    # wait() raises nothing of the tasks': whoever watches them tells their errors.
    await asyncio.wait(tasks)


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
