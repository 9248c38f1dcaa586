"""One nursery of replicas per test process, and what was counted, written down at the end of each."""

import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import structlog

from chaos.replica import Nursery, nursery
from chaos.report import write

outcomes: Counter[str] = Counter()

#: The default shows every local variable of every frame; a fault that a test asks for would hold up the event loop for seconds.
structlog.configure(
    processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
)


@pytest.fixture(scope="session")
async def replicas() -> AsyncIterator[Nursery]:
    """Where replicas come from: the real engine, in processes that may be killed."""
    async with nursery() as running:
        yield running


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count tests as they end."""
    if report.when == "call" or not report.passed:
        outcomes[report.outcome] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down what this process counted; the one that only distributes tests to others counted nothing."""
    folder = os.environ.get("HOLDFAST_CHAOS_REPORT")
    is_worker = hasattr(session.config, "workerinput")
    if folder and (is_worker or not session.config.getoption("numprocesses", None)):
        write(folder, outcomes)
