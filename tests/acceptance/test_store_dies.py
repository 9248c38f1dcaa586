"""The embedded store is ended under the service: it is started again, and calls are answered again."""

import asyncio
import os
import signal
from pathlib import Path

from holdfast import HoldfastError
from support.service import running_service


async def test_a_killed_store_is_started_again() -> None:
    """After kill -9 of the store's postmaster: UNAVAILABLE for a moment, then answers, without a restart of the service."""
    async with running_service() as service, service.client() as client:
        await client.list_databases()
        [pid_file] = Path(service.home / "data").rglob("postmaster.pid")
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)
        reasons: set[str] = set()
        for _ in range(60):
            await asyncio.sleep(0.5)
            try:
                await client.list_databases()
                break
            except HoldfastError as error:
                reasons.add(error.reason)
        else:
            raise AssertionError(service.log)

    assert reasons <= {"STORE_UNAVAILABLE"}
