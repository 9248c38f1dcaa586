"""One service for the tests that leave it as it was."""

from collections.abc import AsyncIterator

import pytest

from holdfast import Holdfast
from support.service import Service, running_service


@pytest.fixture(scope="session")
async def service() -> AsyncIterator[Service]:
    """A running `holdfastd serve`."""
    async with running_service() as running:
        yield running


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Holdfast]:
    """A client of it."""
    async with service.client() as connected:
        yield connected
