"""Signals between replicas: LISTEN on one connection per process, given out to whoever waits.

In come NOTIFYs with the id of a job; out come asyncio events. A signal only says "look again": whoever waits also looks from time
to time, so a lost one costs seconds, never correctness.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg
import structlog

log = structlog.get_logger()

#: Something happened in a job: for those who watch it.
JOBS_CHANNEL = "holdfast_jobs"
#: There is something to do: a job to claim, or to stop.
WORK_CHANNEL = "holdfast_work"

#: What a lost connection raises; InternalClientError when it was cut just before it was used.
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

_PAUSE_SECONDS = 1.0
#: A connection that was cut without a word is noticed by asking.
_PROBE_SECONDS = 15.0


class Signals:
    """The one LISTEN connection of this process, made again whenever it is lost."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take what asyncpg.connect needs."""
        self._settings = settings
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        #: Clear while signals may be missed: look more often.
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="holdfast-signals")

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None
            self.listening.clear()

    @contextmanager
    def waiting(self, channel: str, job_id: str = "") -> Iterator[asyncio.Event]:
        """Lend an event that is set by signals about one job, or about any."""
        event = asyncio.Event()
        key = (channel, job_id)
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except LOST as error:
                log.warning("store_signals_lost", error=type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(**self._settings)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            for channel in (JOBS_CHANNEL, WORK_CHANNEL):
                await connection.add_listener(channel, self._receive)
            self.listening.set()
            # What was sent while nobody listened is gone: everybody looks again.
            self._wake(event for events in self._waiting.values() for event in events)
            while not await is_set(lost, within=_PROBE_SECONDS):
                await connection.execute("SELECT 1")
            raise ConnectionError
        finally:
            connection.terminate()

    def _receive(self, _connection: Any, _pid: int, channel: str, job_id: str) -> None:
        for key in ((channel, job_id), (channel, "")):
            self._wake(self._waiting.get(key, ()))

    @staticmethod
    def _wake(events: Iterable[asyncio.Event]) -> None:
        for event in events:
            event.set()


async def is_set(event: asyncio.Event, *, within: float) -> bool:
    """Wait for an event and tell whether it was set in time."""
    # Not asyncio.wait_for: in Python 3.11 it swallows a cancellation that arrives together with the event.
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False
