"""What is sent back: one message with its headers, or a stream of frames. In come messages and errors, out go ASGI's events."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from holdfastd.rpc.connect import wire
from holdfastd.rpc.connect.codec import Codec
from holdfastd.rpc.connect.request import Send

Headers = Iterable[tuple[bytes, bytes]]

#: Answers are of this moment, and for this caller.
_ALWAYS = ((b"cache-control", b"no-store"),)


class Answer(Protocol):
    """The answer to one call."""

    async def write(self, message: Any) -> None:
        """Take a message."""

    async def end(self, trailers: wire.Trailers) -> None:
        """End well."""

    async def fail(self, code: grpc.StatusCode, message: str, trailers: wire.Trailers = (), *, closes: bool = False) -> None:
        """End with an error; `closes` the connection when the rest of the request is not read."""


class UnaryAnswer:
    """One message, or an error instead."""

    def __init__(self, send: Send, codec: Codec) -> None:
        """Take where to send, and the form of the message."""
        self._send = send
        self._codec = codec
        self._body = b""
        self._is_sent = False

    async def write(self, message: Message) -> None:
        """Keep the message: its headers come first, and they are known last."""
        self._body = await self._codec.write(message)

    async def end(self, trailers: wire.Trailers) -> None:
        """Send it."""
        headers = ((b"content-type", f"application/{self._codec.name}".encode()), *wire.unary_headers(trailers))
        await self._once(HTTPStatus.OK, self._body, headers)

    async def fail(self, code: grpc.StatusCode, message: str, trailers: wire.Trailers = (), *, closes: bool = False) -> None:
        """Send the error, which is JSON whatever the form of messages is."""
        body = json.dumps(wire.error(code, message, trailers), ensure_ascii=False).encode(errors="replace")
        ending = ((b"connection", b"close"),) if closes else ()
        await self._once(wire.http_status(code), body, ((b"content-type", b"application/json"), *wire.unary_headers(trailers), *ending))

    async def _once(self, status: int, body: bytes, headers: Headers) -> None:
        # A deadline may pass while the answer is on its way.
        if not self._is_sent:
            self._is_sent = True
            await _whole(self._send, status, body, headers)


class StreamAnswer:
    """Frames, the last of which tells how it ended."""

    def __init__(self, send: Send, codec: Codec) -> None:
        """Take where to send, and the form of the messages."""
        self._send = send
        self._codec = codec
        self._has_begun = False
        self._has_ended = False

    async def write(self, message: Message) -> None:
        """Send a message; returns when there is room for the next."""
        data = await self._codec.write(message)
        await self._begin()
        await self._send({"type": "http.response.body", "body": wire.message_frame(data), "more_body": True})

    async def end(self, trailers: wire.Trailers) -> None:
        """Send the last frame."""
        await self._last(wire.end_frame(trailers, None))

    async def fail(self, code: grpc.StatusCode, message: str, trailers: wire.Trailers = (), *, closes: bool = False) -> None:
        """Send the last frame, with the error."""
        await self._last(wire.end_frame(trailers, wire.error(code, message, trailers)), closes=closes)

    async def _last(self, frame: bytes, *, closes: bool = False) -> None:
        # A deadline may pass while the last frame is on its way.
        if not self._has_ended:
            self._has_ended = True
            await self._begin(closes=closes)
            await self._send({"type": "http.response.body", "body": frame, "more_body": False})

    async def _begin(self, *, closes: bool = False) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        ending = ((b"connection", b"close"),) if closes else ()
        headers = [(b"content-type", f"application/connect+{self._codec.name}".encode()), *_ALWAYS, *ending]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})


async def plain(send: Send, status: HTTPStatus, text: str, headers: Headers) -> None:
    """Send a sentence."""
    await _whole(send, status, f"{text}\n".encode(), ((b"content-type", b"text/plain; charset=utf-8"), *headers))


async def _whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    sized = [*headers, *_ALWAYS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": sized})
    await send({"type": "http.response.body", "body": body})
