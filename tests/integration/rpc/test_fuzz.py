"""Hostile requests are answered like any other: with a code that says whose fault it is, by a server that goes on as before."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_status import rpc_status

from holdfast import Holdfast
from holdfastd.rpc.listener import _SERVICES
from support.hostile import Attacker
from support.postgres import Server, database_name
from support.service import register, running_service

METHODS = [method for service in _SERVICES for method in service.methods]
NOT_OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
GROWTH_MB = 40


async def attack(address: str, seed: int, count: int) -> Counter[str]:
    """Send the requests, some at once, and count the codes; a code that says "our fault" fails."""
    print("seed", seed)
    codes: Counter[str] = Counter()
    requests = Attacker(seed).requests(METHODS, count)
    async with grpc.aio.insecure_channel(address) as channel:

        async def one_after_another() -> None:
            for method, body, metadata in requests:
                path = f"/{method.containing_service.full_name}/{method.name}"
                error = await send(channel, path, body, metadata, streams=method.server_streaming)
                codes[error.code().name if error else "OK"] += 1
                if error is not None:
                    assert error.code() not in NOT_OURS, f"seed {seed}: {path} {body[:300]!r} {metadata} {error.code()} {error.details()}"
                    status = rpc_status.from_call(error)
                    # What gRPC refuses by itself has none. A server that is gone has none, either, and is UNAVAILABLE.
                    assert status is not None or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, (
                        f"seed {seed}: {path} {error.details()}"
                    )

        await asyncio.gather(*(one_after_another() for _ in range(16)))
    return codes


async def send(channel, path, body, metadata, *, streams):
    """Call and return the error, if any; of a stream that goes on, the beginning is enough."""
    try:
        if streams:
            call = channel.unary_stream(path)(body, metadata=metadata, timeout=30)
            for _ in range(5):
                if await call.read() is grpc.aio.EOF:
                    return None
            call.cancel()
        else:
            await channel.unary_unary(path)(body, metadata=metadata, timeout=30)
    except grpc.aio.AioRpcError as error:
        return error
    return None


def resident_mb(pid: int) -> float:
    """What a process holds in memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def survives(database: str, target: str, count: int) -> None:
    async with running_service({"HOLDFAST_STORE_URL": database}) as service:
        seed = random.randrange(10**6)
        async with Holdfast(service.listen) as client:
            await register(client, "shop", target)
        # What the first calls load stays.
        await attack(service.listen, seed + 1, 300)
        before = resident_mb(service.process.pid)
        codes = await attack(service.listen, seed, count)
        grown = resident_mb(service.process.pid) - before
        async with Holdfast(service.listen) as client:
            await client.list_jobs()
        print(codes, f"grown by {grown:.1f} MB")

        assert service.process.returncode is None
        assert "rpc_failed" not in service.log
        assert codes["INVALID_ARGUMENT"] > count / 3
        assert grown < GROWTH_MB


@pytest.fixture
async def target(postgres: Server) -> AsyncIterator[str]:
    """A database to register."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(database_name(dsn))


async def test_a_thousand_hostile_requests(database, target):
    """No INTERNAL, no UNKNOWN, no restart, no growth, and details with every error."""
    await survives(database, target, 1_000)


@pytest.mark.slow
async def test_twenty_thousand_hostile_requests(database, target):
    """The same, longer: what leaks a little shows here."""
    await survives(database, target, 20_000)
