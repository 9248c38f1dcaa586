"""A watch misses nothing, repeats nothing, and ends with the job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from datetime import timedelta

import pytest

from holdfastd.errors import NotFound, Pruned, Reason, Unavailable
from holdfastd.jobs import feed, tail
from holdfastd.jobs.model import Event, Job, JobState
from holdfastd.store import jobs, leases
from holdfastd.store.pool import Store
from support.stored import add_audit, add_database, an_event


@pytest.fixture
async def taken(store: Store) -> Job:
    """A job that this test works on."""
    await add_audit(store, await add_database(store))
    async with store.transaction() as connection:
        job = await leases.claim(connection, "w", timedelta(minutes=1))
    assert job is not None
    return job


async def _append(store: Store, job: Job, *messages: str) -> None:
    for message in messages:
        async with store.transaction() as connection:
            await leases.append_event(connection, job, an_event(message))


async def _finish(store: Store, job: Job) -> None:
    async with store.transaction() as connection:
        await leases.finish(connection, job, JobState.SUCCEEDED)


async def _watch(store: Store, job_id: str, after: int) -> AsyncIterator[Job | Event | None]:
    async with aclosing(feed.Feed().watch(store, asyncio.Event(), job_id, after)) as items:
        async for item in items:
            for one in item if isinstance(item, tuple) else (item,):
                yield one


async def _collect(store: Store, job: Job, after: int = 0) -> list[object]:
    return [_name(item) async for item in _watch(store, job.id, after)]


def _name(item: Job | Event | None) -> object:
    match item:
        case Job():
            return item.state
        case Event():
            return item.sequence
        case None:
            return None


async def test_watch_from_the_start_to_the_end(store: Store, taken: Job) -> None:
    """What happened before, what happens meanwhile, and the end, in order."""
    await _append(store, taken, "a", "b")
    async with aclosing(_watch(store, taken.id, 0)) as items:
        told = [_name(await anext(items)) for _ in range(3)]
        await _append(store, taken, "c")
        await _finish(store, taken)
        told += [_name(item) async for item in items]

    assert told == [JobState.RUNNING, 1, 2, 3, 4, JobState.SUCCEEDED]


async def test_ended_job_is_told_at_once(store: Store, taken: Job) -> None:
    await _append(store, taken, "a")
    await _finish(store, taken)

    assert await _collect(store, taken) == [JobState.SUCCEEDED, 1, 2, JobState.SUCCEEDED]


async def test_watch_goes_on_after_a_sequence(store: Store, taken: Job) -> None:
    await _append(store, taken, "a", "b", "c")
    await _finish(store, taken)

    assert await _collect(store, taken, after=2) == [JobState.SUCCEEDED, 3, 4, JobState.SUCCEEDED]


async def test_more_events_than_a_page(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_PAGE", 2)
    monkeypatch.setattr(tail, "_KEPT", 1)
    await _append(store, taken, "a", "b", "c")
    await _finish(store, taken)

    assert await _collect(store, taken) == [JobState.SUCCEEDED, 1, 2, 3, 4, JobState.SUCCEEDED]


async def test_events_are_heard_of_at_once(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting until it is time to look again."""
    await asyncio.wait_for(store.signals.listening.wait(), timeout=5)
    monkeypatch.setattr(tail, "_LOOK_SECONDS", 60.0)
    async with aclosing(_watch(store, taken.id, 0)) as items:
        await anext(items)
        heard = asyncio.create_task(anext(items))
        await asyncio.sleep(0.1)
        await _append(store, taken, "a")
        event = await asyncio.wait_for(heard, 2)

    assert isinstance(event, Event)
    assert event.happening.message == "a"


async def test_events_arrive_without_signals(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals only hurry; a deaf replica still tells everything."""
    await asyncio.wait_for(store.signals.listening.wait(), timeout=5)
    await store.signals.stop()
    monkeypatch.setattr(tail, "_LOOK_DEAF_SECONDS", 0.05)
    async with aclosing(_watch(store, taken.id, 0)) as items:
        told = [_name(await anext(items))]
        heard = asyncio.create_task(anext(items))
        await asyncio.sleep(0.1)
        await _append(store, taken, "a")
        await _finish(store, taken)
        told += [_name(await asyncio.wait_for(heard, 5))]
        told += [_name(item) async for item in items]

    assert told == [JobState.RUNNING, 1, 2, JobState.SUCCEEDED]


async def test_silence_is_broken_by_signs_of_life(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_HEARTBEAT_SECONDS", 0.1)
    async with aclosing(_watch(store, taken.id, 0)) as items:
        heard = [_name(await asyncio.wait_for(anext(items), 2)) for _ in range(3)]

    assert heard == [JobState.RUNNING, None, None]


async def test_many_watches_share_one_connection(store: Store, taken: Job) -> None:
    """Watching costs no connection while nothing happens."""
    watches = [asyncio.create_task(_collect(store, taken)) for _ in range(40)]
    await asyncio.sleep(0.3)
    async with store.connection() as connection:
        sessions = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    await _finish(store, taken)
    told = await asyncio.wait_for(asyncio.gather(*watches), 10)

    assert sessions <= 11
    assert told == [[JobState.RUNNING, 1, JobState.SUCCEEDED]] * 40


async def test_unknown_job_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await anext(_watch(store, "job-none", 0))


async def test_a_later_watch_begins_with_the_job_as_it_stands(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as it stood when somebody else on this replica looked last."""
    await asyncio.wait_for(store.signals.listening.wait(), timeout=5)
    await store.signals.stop()
    monkeypatch.setattr(tail, "_LOOK_DEAF_SECONDS", 60.0)
    shared, stopping = feed.Feed(), asyncio.Event()
    async with aclosing(shared.watch(store, stopping, taken.id, 0)) as earlier:
        await anext(earlier)
        async with store.transaction() as connection:
            await jobs.request_cancel(connection, taken.id, "ann")
        async with aclosing(shared.watch(store, stopping, taken.id, 0)) as later:
            snapshot = await asyncio.wait_for(anext(later), 5)

    assert isinstance(snapshot, Job)
    assert snapshot.cancel_requested


async def test_a_stopping_replica_ends_its_watches_and_leaves_no_task(store: Store, taken: Job) -> None:
    """With an error that says to go on elsewhere; a watch that begins then gets it, too."""
    shared, stopping, before = feed.Feed(), asyncio.Event(), len(asyncio.all_tasks())
    async with aclosing(shared.watch(store, stopping, taken.id, 0)) as items:
        await anext(items)
        stopping.set()
        with pytest.raises(Unavailable) as stopped:
            await asyncio.wait_for(anext(items), 5)
    with pytest.raises(Unavailable):
        await anext(shared.watch(store, stopping, taken.id, 0))
    await asyncio.sleep(0)

    assert stopped.value.reason is Reason.SHUTTING_DOWN
    assert len(asyncio.all_tasks()) == before


async def test_a_token_from_events_that_were_lost_is_refused(store: Store, taken: Job) -> None:
    """A store that was put back from a backup counts on from an earlier event; going on after a later one would leave some out."""
    await _append(store, taken, "a", "b")
    async with aclosing(_watch(store, taken.id, 3)) as items:
        await anext(items)
        with pytest.raises(Pruned) as refusal:
            await asyncio.wait_for(anext(items), 5)

    assert refusal.value.reason is Reason.EVENTS_PRUNED


async def test_a_token_of_an_event_that_was_just_told_elsewhere_goes_on(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when this replica has not yet read as far."""
    monkeypatch.setattr(tail, "_KEPT", 2)
    shared, stopping = feed.Feed(), asyncio.Event()
    async with aclosing(shared.watch(store, stopping, taken.id, 0)) as earlier:
        await anext(earlier)
        await _append(store, taken, *"abcdefgh")
        async with aclosing(shared.watch(store, stopping, taken.id, 8)) as later:
            await anext(later)
            await _append(store, taken, "i")
            event = await asyncio.wait_for(anext(later), 5)

    assert [_name(one) for one in event] == [9]


async def test_what_reads_for_all_belongs_to_no_caller(store: Store, taken: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tail outlives the call that began it: neither its log lines nor its spans may go on under that call's name."""
    caller, read_for, get = ContextVar("caller", default="nobody"), list[str](), jobs.get

    async def listening_get(connection: object, job_id: str) -> Job:
        read_for.append(caller.get())
        return await get(connection, job_id)

    monkeypatch.setattr(jobs, "get", listening_get)
    caller.set("ann")
    async with aclosing(_watch(store, taken.id, 0)) as items:
        await anext(items)

    assert read_for == ["nobody"]
