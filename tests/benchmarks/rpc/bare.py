"""A bare grpc.aio server to compare with: no interceptor, one pooled fetch per call, or one message again and again.

python bare.py DSN JOB_ID ANSWER_HEX MESSAGE_HEX MESSAGES; prints its port.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import asyncpg
import grpc

QUERY = "SELECT jobs.*, databases.name AS database FROM holdfastd.jobs JOIN holdfastd.databases ON databases.id = jobs.database_id WHERE jobs.id = $1"


async def main(dsn: str, job_id: str, answer: bytes, message: bytes, messages: int) -> None:
    """Serve until killed. Requests and responses are bytes: nothing is decoded or encoded."""
    pool = await asyncpg.create_pool(dsn, min_size=10, max_size=10)

    async def get(_request: bytes, _context: Any) -> bytes:
        row = await pool.fetchrow(QUERY, job_id)
        assert row["id"] == job_id
        return answer

    async def watch(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        for _ in range(messages):
            yield message

    server = grpc.aio.server()
    handlers = {"Get": grpc.unary_unary_rpc_method_handler(get), "Watch": grpc.unary_stream_rpc_method_handler(watch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4]), int(sys.argv[5])))
