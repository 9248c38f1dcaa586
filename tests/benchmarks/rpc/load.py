"""The client of the comparison, in a process of its own: the same for both servers, bytes in and bytes out.

python load.py unary ADDRESS METHOD REQUEST_HEX CALLS_AT_ONCE SECONDS, or: load.py stream ADDRESS METHOD REQUEST_HEX STREAMS
Prints JSON: rate (calls or messages a second), p50 and p99 (seconds, of calls), count.
"""

import asyncio
import json
import os
import sys
import time

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc


async def unary(address: str, method: str, request: bytes, at_once: int, seconds: float) -> dict[str, float]:
    """Keep so many calls under way for some seconds."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(method)
        await asyncio.gather(*(call(request) for _ in range(at_once)))
        taken: list[float] = []
        begin = time.perf_counter()

        async def caller() -> None:
            while (started := time.perf_counter()) < begin + seconds:
                await call(request)
                taken.append(time.perf_counter() - started)

        await asyncio.gather(*(caller() for _ in range(at_once)))
        rate = len(taken) / (time.perf_counter() - begin)
    taken.sort()
    return {"rate": rate, "p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)], "count": len(taken)}


async def stream(address: str, method: str, request: bytes, streams: int) -> dict[str, float]:
    """Read so many streams at once to their end."""

    async def reader(channel: grpc.aio.Channel) -> int:
        count = 0
        async for _ in channel.unary_stream(method)(request):
            count += 1
        return count

    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        begin = time.perf_counter()
        counts = await asyncio.gather(*(reader(channel) for _ in range(streams)))
        return {"rate": sum(counts) / (time.perf_counter() - begin), "count": sum(counts)}


if __name__ == "__main__":
    kind, address, method, request, *numbers = sys.argv[1:]
    work = unary if kind == "unary" else stream
    found = asyncio.run(work(address, method, bytes.fromhex(request), int(numbers[0]), *map(float, numbers[1:])))  # type: ignore[operator]
    print(json.dumps(found))
