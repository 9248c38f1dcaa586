"""What a network does to a connection: it resets, goes silent, closes one half, is slow, loses the request or the answer of a COMMIT.

After each, the job ends by itself, nothing is done twice, nothing is lost, and rolling back ends equal.
"""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chaos.scene import Scene, staged
from conftest import server_of
from holdfastd.jobs.model import EventKind
from support.postgres import Server
from support.proxy import Fault, Trap

#: Where, by what the service says right before it commits; `after`, then the next COMMIT.
UNITS = {
    "ledger": "CREATE SCHEMA IF NOT EXISTS",
    "add-key": "NOT VALID",
    "batch": "DELETE FROM",
    "validate": "VALIDATE CONSTRAINT",
}
UNDOING = {"drop": "DROP CONSTRAINT", "restore": 'INSERT INTO "public".'}
MAJORS = (18, 15)
pytestmark = pytest.mark.slow


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
async def scene(request: pytest.FixtureRequest, servers: dict[int, Server], postgres: Server) -> AsyncIterator[Scene]:
    """A target behind a proxy."""
    async with staged(postgres, await server_of(servers, request.param)) as stage:
        yield stage


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER], ids=["request-lost", "answer-lost"])
@pytest.mark.parametrize("unit", UNITS)
async def test_commit_of_an_application_is_lost(scene: Scene, unit: str, fault: Fault) -> None:
    """Whether a COMMIT whose answer never came has happened, the catalog and the ledger say."""
    plan = await scene.planned()
    trap = scene.proxy.set_trap(Trap(after=UNITS[unit], at="COMMIT", fault=fault))
    application = await scene.succeed(await scene.start(plan))

    assert trap.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER], ids=["request-lost", "answer-lost"])
@pytest.mark.parametrize("unit", UNDOING)
async def test_commit_of_a_rollback_is_lost(scene: Scene, unit: str, fault: Fault) -> None:
    """A rollback goes on where it was, too."""
    application = await scene.succeed(await scene.start(await scene.planned()))
    trap = scene.proxy.set_trap(Trap(after=UNDOING[unit], at="COMMIT", fault=fault))
    await scene.roll_back(application)

    assert trap.sprung.is_set()


#: A statement outside a transaction, one inside, and the end of one.
MOMENTS = {
    "index": Trap(at="CREATE INDEX CONCURRENTLY"),
    "validate": Trap(at="VALIDATE CONSTRAINT"),
    "batch-commit": Trap(after="DELETE FROM", at="COMMIT"),
}


def trap_at(scene: Scene, moment: Trap, fault: Fault) -> Trap:
    """Lay the trap of a moment."""
    return scene.proxy.set_trap(Trap(after=moment.after, at=moment.at, fault=fault))


async def suffer(scene: Scene, moment: Trap, fault: Fault) -> None:
    """Apply a plan with one fault; the job ends by itself, and rolling back ends equal."""
    plan = await scene.planned()
    trap = trap_at(scene, moment, fault)
    application = await scene.succeed(await scene.start(plan))

    assert trap.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)


@pytest.mark.parametrize("fault", [Fault.SILENCE_REQUEST, Fault.SILENCE_ANSWER], ids=["request", "answer"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_connection_goes_silent(scene: Scene, moment: str, fault: Fault) -> None:
    """A connection that nobody resets and nobody answers is given up, and another one is opened."""
    await suffer(scene, MOMENTS[moment], fault)


async def test_host_vanishes(scene: Scene) -> None:
    """When packets are not even acknowledged, the kernel's probes end the connection."""
    await suffer(scene, MOMENTS["validate"], Fault.VANISH)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_half_closed_connection(scene: Scene, moment: str) -> None:
    """A server's half that ends is a connection that ends."""
    await suffer(scene, MOMENTS[moment], Fault.HALF_CLOSE)


async def test_everything_is_silent_for_a_while(scene: Scene) -> None:
    """While nobody can be reached the job waits, and it goes on when the network is back."""
    plan = await scene.planned()

    async def fall_silent() -> None:
        scene.proxy.is_silent = True

    trap = scene.proxy.set_trap(Trap(after="NOT VALID", at="COMMIT", meanwhile=fall_silent))
    job = await scene.start(plan)
    await trap.happened()
    await asyncio.sleep(8)
    scene.proxy.heal()
    application = await scene.succeed(job)

    await scene.check_applied(application)
    await scene.roll_back(application)


async def test_nobody_is_let_through_for_a_while(scene: Scene) -> None:
    """All connections cut and new ones refused: the job tries again, ever more slowly, and ends."""
    plan = await scene.planned()

    async def cut() -> None:
        scene.proxy.is_refusing = True
        scene.proxy.reset()

    trap = scene.proxy.set_trap(Trap(after="DELETE FROM", at="COMMIT", meanwhile=cut))
    job = await scene.start(plan)
    await trap.happened()
    await asyncio.sleep(5)
    tried = scene.proxy.accepted
    scene.proxy.heal()
    application = await scene.succeed(job)

    assert 4 < tried < 40
    await scene.check_applied(application)
    await scene.roll_back(application)


@pytest.mark.parametrize(("delay", "rate"), [(0.05, 0), (0.0, 50_000)], ids=["far", "narrow"])
async def test_slow_line(scene: Scene, delay: float, rate: int) -> None:
    """A line of 100 ms there and back, or of 50 kB a second, is slow, not broken: nothing is tried again."""
    plan = await scene.planned()
    scene.proxy.delay_seconds, scene.proxy.bytes_per_second = delay, rate
    application = await scene.succeed(await scene.start(plan), within=120)
    scene.proxy.heal()
    events = await scene.events(application)

    assert not [event for event in events if event.happening.kind is EventKind.RETRY]
    await scene.check_applied(application)
    await scene.roll_back(application)


#: Who holds up the build in which phase.
PHASES = {
    "waiting for writers": "UPDATE reports SET note = 'busy' WHERE id = 1",
    "waiting for old snapshots": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM lines",
}


@pytest.mark.parametrize("phase", PHASES)
async def test_cut_in_a_phase_of_the_index_build(scene: Scene, phase: str) -> None:
    """However far the build had come, what it left half built is built again."""
    plan = await scene.planned()
    holder = await asyncpg.connect(scene.dsn)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(PHASES[phase])
    job = await scene.start(plan)
    await scene.wait_until(f"SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase LIKE '{phase}%'")
    scene.proxy.reset()
    await asyncio.sleep(0.2)
    await transaction.rollback()
    await holder.close()
    application = await scene.succeed(job)

    await scene.check_applied(application)
    await scene.roll_back(application)
