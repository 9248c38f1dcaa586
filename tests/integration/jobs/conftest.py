"""A store per test, in an empty database."""

from collections.abc import AsyncIterator

import pytest

from holdfastd.store.pool import Store


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """An open store, its schema applied."""
    store = await Store.open(database)
    yield store
    await store.close()
