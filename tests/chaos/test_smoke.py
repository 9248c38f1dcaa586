"""One fault of each kind, in every run of the tests; the rest takes minutes."""

from collections.abc import AsyncIterator

import pytest

from chaos.scene import Scene, staged
from chaos.test_server_faults import signal_backends
from support.postgres import Server
from support.proxy import Fault, Trap


@pytest.fixture
async def scene(postgres: Server) -> AsyncIterator[Scene]:
    """A target behind a proxy."""
    async with staged(postgres, postgres) as stage:
        yield stage


async def test_job_survives_a_lost_answer_and_an_ended_session(scene: Scene) -> None:
    """The answer to a batch's COMMIT is lost, then the session of VALIDATE ends: nothing twice, nothing lost, rolled back equal."""
    plan = await scene.planned()
    lost = scene.proxy.set_trap(Trap(after="DELETE FROM", at="COMMIT", fault=Fault.LOSE_ANSWER))
    ended = scene.proxy.set_trap(Trap(at="VALIDATE CONSTRAINT", meanwhile=lambda: signal_backends(scene, "pg_terminate_backend")))
    application = await scene.succeed(await scene.start(plan))

    assert lost.sprung.is_set()
    assert ended.sprung.is_set()
    await scene.check_applied(application)
    await scene.roll_back(application)
