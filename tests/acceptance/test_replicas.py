"""Three replicas on one store: whichever is lost, stopped, cut off or drained, each job ends exactly once, on another one."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import asyncpg
import grpc
import pytest

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import DsnSource
from holdfast.v1.job_service_pb2 import WatchJobRequest
from holdfast.v1.job_service_pb2_grpc import JobServiceStub
from support.fleet import DRAIN_SECONDS, FAR, FAR_TOO, Fleet, Migration, migrating, running_fleet, send, until
from support.postgres import Server
from support.service import Service

#: A lease lasts 8 s, and others look for lost jobs every 1.5 s.
TAKEOVER_SECONDS = 15.0


@pytest.fixture(scope="module")
async def fleet(postgres: Server) -> AsyncIterator[Fleet]:
    """The replicas; every test leaves all of them running."""
    async with running_fleet(postgres) as running:
        yield running


async def check_ended_once(migration: Migration) -> None:
    """The job succeeded; its story is without gaps or doubles, and the target shows each thing done once and nothing left over."""
    events, job = await migration.ended()
    kinds = [event.kind for event in events]
    stored = await migration.fleet.ask("SELECT sequence FROM events WHERE job_id = $1 ORDER BY sequence", migration.job_id)
    connection = await asyncpg.connect(migration.dsn)
    try:
        done = await connection.fetch("SELECT step, count(*) AS times FROM holdfast.ledger WHERE entry = 'DONE' GROUP BY step")
        rows = await connection.fetchval("SELECT count(*) FROM orders")
        invalid = await connection.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'holdfast/%'"
        await until(lambda: _is_zero(connection, ours))
    finally:
        await connection.close()

    assert job.state == core.JOB_STATE_SUCCEEDED, f"{job.error_reason}: {job.error_message}"
    assert [event.sequence for event in events] == list(range(1, len(stored) + 1)) == [row["sequence"] for row in stored]
    assert (kinds.count(core.EVENT_KIND_ENDED), kinds[-1]) == (1, core.EVENT_KIND_ENDED)
    assert {row["times"] for row in done} == {1}
    assert [(one.orphan_rows_before, one.orphan_rows_after, one.backed_up_rows, one.validated) for one in job.verifications] == [
        (3, 0, 3, True)
    ]
    assert (rows, invalid) == (19_997, 0)


async def _is_zero(connection: asyncpg.Connection, query: str) -> bool:
    return await connection.fetchval(query) == 0


async def test_killed_replica(fleet: Fleet) -> None:
    """SIGKILL: another replica ends what the dead one left running, and goes on; who watches through a third notices nothing."""
    worker, watcher, _ = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="killed") as migration:
        await worker.kill()
        killed = time.monotonic()
        seconds = await migration.taken_over() - killed
        await until(lambda: _is_gone(migration, 1))
        await migration.let_go()
        await check_ended_once(migration)
    await worker.start()

    print(f"takeover after SIGKILL: {seconds:.1f} s")
    assert seconds <= TAKEOVER_SECONDS


async def _is_gone(migration: Migration, epoch: int) -> bool:
    return await migration.backends(epoch) == 0


@pytest.mark.slow
async def test_stopped_replica_wakes_up(fleet: Fleet) -> None:
    """SIGSTOP, then SIGCONT amid its successor's work: its sessions on the target are gone, it writes nothing, and goes on serving."""
    worker, watcher, _ = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="stopped") as migration:
        send(worker, signal.SIGSTOP)
        stopped = time.monotonic()
        seconds = await migration.taken_over() - stopped
        await until(lambda: _is_gone(migration, 1))
        send(worker, signal.SIGCONT)
        await until(lambda: _has_left(worker, migration.job_id))
        async with worker.client() as client:
            assert (await client.get_job(migration.job_id)).job.epoch == 2
        await migration.let_go()
        await check_ended_once(migration)

    print(f"takeover after SIGSTOP: {seconds:.1f} s")
    assert seconds <= TAKEOVER_SECONDS


async def _has_left(replica: Service, job_id: str) -> bool:
    return any("job_left" in line and job_id in line for line in replica.log.splitlines())


@pytest.mark.slow
async def test_replica_cut_off_from_the_store(fleet: Fleet) -> None:
    """A network that swallows everything: the replica lets go of the target by its own clock, and another takes the job."""
    _, watcher, worker = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="cut-off") as migration:
        fleet.to_store.is_silent = True
        cut = time.monotonic()
        seconds = await migration.taken_over() - cut
        fleet.to_store.heal()
        await until(lambda: _is_gone(migration, 1))
        await migration.let_go()
        await check_ended_once(migration)

    print(f"takeover after a cut from the store: {seconds:.1f} s")
    assert seconds <= TAKEOVER_SECONDS


async def test_replica_cut_off_from_the_target(fleet: Fleet) -> None:
    """Its connections are reset and refused for a while: it keeps the job, tries again, and ends it."""
    _, watcher, worker = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="far", source=DsnSource(env=FAR)) as migration:
        fleet.to_target.is_refusing = True
        fleet.to_target.reset()
        refused = fleet.to_target.accepted
        async with asyncio.timeout(10):
            while fleet.to_target.accepted == refused:
                await asyncio.sleep(0.02)
        fleet.to_target.heal()
        await migration.let_go()
        await check_ended_once(migration)
        _, job = await migration.ended()

    assert job.epoch == 1


async def test_replica_that_cannot_reach_the_target_leaves_it_to_others(fleet: Fleet) -> None:
    """A broken route of one replica only: after some tries another one takes the job, and ends it."""
    _, watcher, worker = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="unreachable", source=DsnSource(env=FAR_TOO)) as migration:
        fleet.to_target.is_refusing = True
        fleet.to_target.reset()
        await migration.taken_over()
        await migration.let_go()
        await check_ended_once(migration)
        _, job = await migration.ended()
    fleet.to_target.heal()

    assert job.epoch == 2


async def test_drained_replica_hands_over_an_index_build(fleet: Fleet) -> None:
    """SIGTERM amid CREATE INDEX CONCURRENTLY that waits: it stops in time, and nothing of it is left on the target; another goes on."""
    worker, watcher, _ = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="drained") as migration:
        asked = time.monotonic()
        code = await worker.stop()
        stopping = time.monotonic() - asked
        await migration.taken_over()
        assert await migration.backends(1) == 0
        await migration.let_go()
        let_go = time.monotonic()
        await check_ended_once(migration)
        ending = time.monotonic() - let_go
        _, job = await migration.ended()
    await worker.start()

    print(f"stopped within {stopping:.1f} s; the job ended {ending:.1f} s after the obstacle was gone")
    assert (code, job.epoch) == (0, 2)
    assert stopping < DRAIN_SECONDS + 10
    assert ending < TAKEOVER_SECONDS


async def test_draining_replica_serves_on_for_a_while(fleet: Fleet) -> None:
    """Told to stop, it says at once that it is not ready, and answers nevertheless; then its watches are told to go on elsewhere."""
    worker, leaving, _ = fleet.replicas
    async with migrating(fleet, worker, watcher=worker, name="watched") as migration, leaving.client() as client:
        watch = asyncio.create_task(_watch_once(leaving, migration.job_id))
        through = asyncio.create_task(_watch_to_the_end(f"{leaving.listen},{worker.listen}", migration.job_id))
        send(leaving, signal.SIGTERM)
        await until(lambda: _is_unready(leaving))
        job = (await client.get_job(migration.job_id)).job
        ended = await watch
        assert await leaving.ended() == 0
        await migration.let_go()
        await check_ended_once(migration)
        sequences = await through
    await leaving.start()

    assert job.state == core.JOB_STATE_RUNNING
    assert ended == "SHUTTING_DOWN"
    assert sequences == list(range(1, len(sequences) + 1))


async def _is_unready(replica: Service) -> bool:
    reader, writer = await asyncio.open_connection(*replica.http.split(":"))
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    status = await reader.readline()
    writer.close()
    return b" 503 " in status


async def _watch_once(replica: Service, job_id: str) -> str:
    """Watch with a client that does not go on by itself; return why it ended."""
    async with grpc.aio.insecure_channel(replica.listen) as channel:
        try:
            async for _ in JobServiceStub(channel).WatchJob(WatchJobRequest(id=job_id), metadata=(("x-holdfast-principal", "tester"),)):
                pass
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return next((reason for reason in ("SHUTTING_DOWN",) if reason.encode() in bytes(details)), str(error.code()))
    return "it did not end"


async def _watch_to_the_end(servers: str, job_id: str) -> list[int]:
    """Watch with a client of two replicas; return the sequences of all events."""
    async with Holdfast(servers, principal="tester@localhost") as client:
        return [item.sequence async for item in client.watch(job_id) if isinstance(item, core.Event)]


async def test_pausing_and_cancelling_through_another_replica(fleet: Fleet) -> None:
    """What is asked of any replica arrives at the one that works on the job: it pauses, and it stops."""
    worker, watcher, asked = fleet.replicas
    async with migrating(fleet, worker, watcher=watcher, name="asked") as migration, asked.client() as client:
        await client.pause_job(migration.job_id)
        await migration.let_go()
        await until(lambda: _waits(fleet, migration.job_id, "paused by"))
        await client.cancel_job(migration.job_id)
        events, job = await migration.ended()

    assert job.state == core.JOB_STATE_CANCELLED
    assert [event.kind for event in events].count(core.EVENT_KIND_ENDED) == 1
    assert job.epoch == 1


async def _waits(fleet: Fleet, job_id: str, why: str) -> bool:
    rows = await fleet.ask("SELECT progress ->> 'waiting_for' AS why FROM jobs WHERE id = $1", job_id)
    return str(rows[0]["why"] or "").startswith(why)
