"""What the demo plays on: a throw-away PostgreSQL with the sample database, and a Holdfast service of its own.

Everything lives in one temporary directory and listens on loopback only; whatever was started is stopped again.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from holdfastd.store.binaries import Binaries, find_binaries
from holdfastd.store.embedded import EmbeddedPostgres

DATABASE = "ev_charging"
#: The environment variable in which the service finds the DSN of the sample database.
DSN_VARIABLE = "EV_CHARGING_DSN"
#: A port of 0 is any free one.
FREE = "127.0.0.1:0"
SAMPLE = Path(__file__).resolve().parents[4] / "tests" / "samples" / DATABASE

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where everything is."""

    #: Address of the service.
    server: str
    #: Address of its console and metrics.
    http: str
    #: DSN of the sample database.
    dsn: str
    binaries: Binaries


@asynccontextmanager
async def built(listen: str = FREE, http: str = FREE) -> AsyncIterator[Stage]:
    """Start the target and the service at these addresses; stop and delete both at the end, whatever the end is."""
    async with AsyncExitStack() as stack:
        home = _make_home()
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        target = EmbeddedPostgres(home / "target")
        stack.push_async_callback(target.stop)
        await target.start()
        await _load(target)
        listening = await stack.enter_async_context(_service(home, target.dsn(DATABASE), listen, http))
        yield Stage(server=listening["listen"], http=listening["http"], dsn=target.dsn(DATABASE), binaries=find_binaries(18))


def _make_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    # As root, PostgreSQL runs as an unprivileged account that must be able to pass through.
    home.chmod(0o711)
    return home


async def _load(target: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(target.dsn())
    try:
        await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
    connection = await asyncpg.connect(target.dsn(DATABASE))
    try:
        for part in ("schema.sql", "data.sql"):
            await connection.execute((SAMPLE / part).read_text(encoding="utf-8"))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


@asynccontextmanager
async def _service(home: Path, dsn: str, listen: str, http: str) -> AsyncIterator[dict[str, str]]:
    """Run `holdfastd serve` and yield the line that says where it listens."""
    log = home / "holdfastd.log"
    arguments = ("serve", "--listen", listen, "--http", http, "--data-dir", str(home / "service"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "holdfastd", *arguments),
            env=environment | {"HOLDFAST_LOG_FORMAT": "json", DSN_VARIABLE: dsn},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for us; we stop the service ourselves, in order.
            start_new_session=True,
        )
    try:
        yield await _ready(process, log)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, log: Path) -> dict[str, str]:
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        for line in _lines(log):
            if '"server_ready"' in line:
                ready: dict[str, str] = json.loads(line)
                return ready
        if process.returncode is not None:
            break
        await asyncio.sleep(_PAUSE)
    raise RuntimeError(f"holdfastd did not start: {(_lines(log) or ['it said nothing'])[-1]}")


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
