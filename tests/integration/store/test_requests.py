"""The same request_id is worked on once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from holdfastd.errors import AlreadyExists, Reason
from holdfastd.jobs.model import JobKind
from holdfastd.store import jobs, requests
from holdfastd.store.model import DatabaseRecord
from holdfastd.store.pool import Store
from support.stored import add_database, add_job

KEY = {"principal": "ann", "method": "ApplyPlan", "request_id": "6c1a8f0e-0000-4000-8000-000000000001"}


async def _apply(store: Store, database: DatabaseRecord, *, digest: str = "d", fails: bool = False) -> str:
    async with store.transaction() as connection:
        answered = await requests.recall(connection, **KEY, digest=digest)
        if answered is not None:
            return answered
        await asyncio.sleep(0.05)
        job = await add_job(connection, database, JobKind.AUDIT)
        await requests.remember(connection, **KEY, answer_id=job.id)
        if fails:
            raise RuntimeError
        return job.id


async def test_identical_requests_at_one_moment_make_one_job(store: Store) -> None:
    database = await add_database(store)

    answers = await asyncio.gather(*(_apply(store, database) for _ in range(6)))
    async with store.connection() as connection:
        made = [job.id for job in await jobs.list_page(connection, limit=10)]

    assert [*set(answers)] == made


async def test_failed_work_leaves_the_request_free(store: Store) -> None:
    """Whoever waited for a transaction that failed does the work itself."""
    database = await add_database(store)

    failed, answer = await asyncio.gather(_apply(store, database, fails=True), _apply(store, database), return_exceptions=True)
    async with store.connection() as connection:
        made = [job.id for job in await jobs.list_page(connection, limit=10)]

    assert isinstance(failed, RuntimeError)
    assert made == [answer]


async def test_other_request_with_the_same_id_is_refused(store: Store) -> None:
    database = await add_database(store)
    await _apply(store, database)

    with pytest.raises(AlreadyExists) as refusal:
        await _apply(store, replace(database), digest="other")
    assert refusal.value.reason is Reason.REQUEST_ID_REUSED


async def test_ids_of_other_principals_do_not_meet(store: Store) -> None:
    """A request_id cannot be used to learn about somebody else's request."""
    database = await add_database(store)
    await _apply(store, database)

    async with store.transaction() as connection:
        assert await requests.recall(connection, **KEY | {"principal": "bob"}, digest="other") is None


async def test_answer_that_is_forgotten_this_very_moment(store: Store) -> None:
    """Between finding that the request is known and reading its answer: the request is new then."""
    database = await add_database(store)
    await _apply(store, database)

    class Pruned:
        """A connection on which the answer goes between two statements."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection
            self.fetchval = connection.fetchval

        async def fetchrow(self, query: str, *values: object) -> Any:
            async with store.connection() as housekeeper:
                await housekeeper.execute("DELETE FROM requests")
            return await self._connection.fetchrow(query, *values)

    async with store.transaction() as connection:
        assert await requests.recall(Pruned(connection), **KEY, digest="same") is None
