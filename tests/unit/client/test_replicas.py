"""Several replicas of one service share the calls."""

import asyncio

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from holdfast import Holdfast
from holdfast.v1.job_service_pb2 import GetJobResponse
from support.scripted import ScriptedServer


@pytest.fixture
def replicas():
    with ScriptedServer() as first, ScriptedServer() as second:
        for server in (first, second):
            server.answers["GetJob"] = GetJobResponse()
        yield first, second


async def until_asked(client: Holdfast, server: ScriptedServer) -> None:
    async with asyncio.timeout(10):
        while not server.requests:
            await client.get_job("j1")


async def test_calls_take_turns(replicas: tuple[ScriptedServer, ScriptedServer]):
    """Two replicas do half of the work each."""
    first, second = replicas
    async with Holdfast(f"{first.address},{second.address}") as client:
        for server in replicas:
            await until_asked(client, server)
        before = [len(server.requests) for server in replicas]
        for _ in range(10):
            await client.get_job("j1")

    assert [len(server.requests) - number for server, number in zip(replicas, before, strict=True)] == [5, 5]


async def test_a_replica_that_stops_gets_no_calls():
    """It says so by its health, and answers what is under way."""
    health = HealthServicer()
    draining, serving = ScriptedServer(), ScriptedServer()
    health_pb2_grpc.add_HealthServicer_to_server(health, draining._server)
    health.set("holdfast.v1.JobService", health_pb2.HealthCheckResponse.SERVING)
    with draining, serving:
        for server in (draining, serving):
            server.answers["GetJob"] = GetJobResponse()
        async with Holdfast(f"{draining.address},{serving.address}") as client:
            for server in (draining, serving):
                await until_asked(client, server)
            health.set("holdfast.v1.JobService", health_pb2.HealthCheckResponse.NOT_SERVING)
            # The news takes a moment; then all calls go to the other, and none fails.
            in_a_row = 0
            async with asyncio.timeout(10):
                while in_a_row < 6:
                    before = len(draining.requests)
                    await client.get_job("j1")
                    in_a_row = in_a_row + 1 if len(draining.requests) == before else 0
