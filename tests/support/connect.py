"""A client of the Connect protocol that knows nothing of ours: HTTP of the standard library, and bytes."""

import asyncio
import base64
import http.client
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from google.rpc import error_details_pb2

END = 0b10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a unary call, or of the last frame of a stream."""
        if self.headers["content-type"].startswith("application/connect+"):
            *_, (flags, end) = frames(self.body)
            assert flags == END
            return dict(json.loads(end).get("error", {}))
        return dict(self.json) if self.status != http.client.OK else {}

    @property
    def code(self) -> str:
        """The code of the error; empty without one."""
        return str(self.error.get("code", ""))

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        """The ErrorInfo among the details."""
        detail = next(item for item in self.error["details"] if item["type"] == "google.rpc.ErrorInfo")
        return error_details_pb2.ErrorInfo.FromString(base64.b64decode(detail["value"] + "=="))


def frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The frames of a stream that ended: flags and data."""
    while body:
        flags, size = struct.unpack_from(">BI", body)
        yield flags, body[5 : 5 + size]
        body = body[5 + size :]


def frame(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


async def post(address: str, method: str, message: object = None, *, trust: ssl.SSLContext | None = None, **headers: str) -> Answer:
    """Call a unary method by JSON; bytes are sent as they are. Headers are named with underscores."""
    body = message if isinstance(message, bytes) else json.dumps(message or {}).encode()
    return await ask(address, "POST", f"/holdfast.v1.{method}", body, {"content_type": "application/json"} | headers, trust=trust)


async def stream(address: str, method: str, message: object = None, **headers: str) -> Answer:
    """Call a method that streams, by JSON, and take all that it says."""
    body = frame(json.dumps(message or {}).encode())
    return await ask(address, "POST", f"/holdfast.v1.{method}", body, {"content_type": "application/connect+json"} | headers)


async def ask(
    address: str, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, trust: ssl.SSLContext | None = None
) -> Answer:
    """Make one request on a connection of its own; over TLS with somebody to trust."""

    def asked() -> Answer:
        if trust is None:
            connection = http.client.HTTPConnection(address, timeout=30)
        else:
            connection = http.client.HTTPSConnection(address, timeout=30, context=trust)
        try:
            connection.request(verb, path, body or None, {name.replace("_", "-"): value for name, value in (headers or {}).items()})
            answer = connection.getresponse()
            return Answer(status=answer.status, headers={key.lower(): value for key, value in answer.getheaders()}, body=answer.read())
        finally:
            connection.close()

    return await asyncio.to_thread(asked)


@asynccontextmanager
async def opened(address: str, method: str, message: object) -> AsyncIterator[asyncio.StreamReader]:
    """Begin a stream, and leave it without a word in the end; lends what comes, headers included."""
    host, _, port = address.rpartition(":")
    body = frame(json.dumps(message).encode())
    head = f"POST /holdfast.v1.{method} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/connect+json\r\ncontent-length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + body)
    try:
        yield reader
    finally:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
