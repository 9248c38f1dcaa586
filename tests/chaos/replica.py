"""Replicas that are cheap to start and to kill: the real engine in a process of its own, up in some hundredths of a second.

`Nursery` keeps one process that has imported the engine and nothing else; each replica is forked from it, connects to the store it is
told, arms its failpoints and works on jobs until SIGTERM, as `holdfastd` does without its network edge. Run as a script, this file is
that process: requests come in as lines of JSON, and out go `{"started": pid}` and `{"ended": pid, "code": …}`.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Long enough for a busy machine; tests end the lease of a dead process themselves, see `Store.end_leases`.
_TTL_SECONDS = 8.0


@dataclass(slots=True, kw_only=True)
class Replica:
    """One process. `code`: its exit code, below zero for a signal, once it has ended."""

    pid: int
    code: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def ended(self, within: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.wait_for(asyncio.shield(self.code), within)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended gets none."""
        if not self.code.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it as a power failure would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()


class Nursery:
    """Starts replicas. One per test process is enough."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._replicas: dict[int, Replica] = {}
        self._started: asyncio.Queue[Replica] = asyncio.Queue()
        self._listener = asyncio.create_task(self._listen())

    async def start(
        self, store: str, folder: Path, *, failpoints: str = "", trace: str = "", ttl: float = _TTL_SECONDS, name: str = "replica"
    ) -> Replica:
        """Start a replica on a store. `folder` holds the key that the store's DSNs are encrypted with."""
        order = {"store": store, "folder": str(folder), "failpoints": failpoints, "trace": trace, "ttl": ttl, "name": name}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(self._started.get(), 30)

    async def close(self) -> None:
        """Kill all replicas and the process they come from."""
        for replica in list(self._replicas.values()):
            replica.signal(signal.SIGCONT)
            await replica.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 30)
        await self._listener

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            report = json.loads(line)
            if "started" in report:
                replica = self._replicas[report["started"]] = Replica(pid=report["started"])
                self._started.put_nowait(replica)
            else:
                self._replicas.pop(report["ended"]).code.set_result(report["code"])


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Run a nursery of the very engine that this process would import."""
    engine = importlib.util.find_spec("holdfastd")
    assert engine is not None
    assert engine.origin is not None
    paths = os.pathsep.join([str(Path(engine.origin).parents[1]), *sys.path])
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    settings = os.environ | {"PYTHONPATH": paths}
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, **pipes, env=settings)
    running = Nursery(process)
    try:
        yield running
    finally:
        await running.close()


def _breed() -> None:
    """Fork a replica per line of standard input until it ends, and tell of starts and ends."""
    children: set[int] = set()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    # Until a replica can stop in good order, being asked to must wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    import select

    waiting = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _tell_ends(children)
        if 0 in ready:
            received = os.read(0, 65536)
            if not received:
                break
            *lines, waiting = (waiting + received).split(b"\n")
            for line in lines:
                pid = _fork(json.loads(line))
                children.add(pid)
                _say({"started": pid})
            # One may have ended before it was known.
            _tell_ends(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _tell_ends(children: set[int]) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(report: dict[str, int]) -> None:
    os.write(1, json.dumps(report).encode() + b"\n")


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    code = 1
    try:
        asyncio.run(_work(order))
        code = 0
    except BaseException:  # noqa: BLE001 (a fork must never return into the loop of its parent)
        traceback.print_exc()
    finally:
        os._exit(code)


async def _work(order: dict[str, Any]) -> None:
    """Be a replica: work on jobs until SIGTERM."""
    from datetime import timedelta

    from holdfastd.execute import failpoints
    from holdfastd.flows.context import Services
    from holdfastd.flows.runners import runners
    from holdfastd.jobs.worker import Worker
    from holdfastd.store.pool import Store
    from holdfastd.store.secrets import Secrets

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    failpoints.arm(order["failpoints"], order["trace"])
    store = await Store.open(order["store"])
    try:
        services = Services(store=store, secrets=Secrets(None, Path(order["folder"])), stopping=stopping, environment={})
        pace = {"ttl": timedelta(seconds=order["ttl"]), "poll": timedelta(seconds=0.2)}
        await Worker(store, f"{order['name']}/{os.getpid()}", runners(services), **pace).run(stopping)
    finally:
        await store.close()


if __name__ == "__main__":
    import logging

    import structlog

    # Imported before the first fork, so that no replica has to.
    import holdfastd.flows.runners
    import holdfastd.jobs.worker  # noqa: F401

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    _breed()
