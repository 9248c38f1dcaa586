"""A request as it comes: what kind of call it is, and its body. In come ASGI's scope and events, out go values or an answer's status."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import grpc

from holdfastd.rpc.connect.codec import CODECS, Codec
from holdfastd.rpc.connect.context import Way
from holdfastd.rpc.connect.wire import PREFIX_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: A body that comes slower than this is not waited for.
_BODY_SECONDS = 30.0
#: Of a body that is too large, so many times the limit is taken and thrown away: whoever is still sending would not hear the answer.
_PATIENCE = 4
#: Bodies are read before anybody is recognised. Small ones always, and so many larger ones at once: strangers must not fill the memory.
_SMALL_BYTES = 64 * 1024
_LARGE_AT_ONCE = 16
_TIMEOUT_DIGITS = 10


class NotACall(Exception):
    """The request is no call at all; HTTP's own statuses say so."""

    def __init__(self, status: HTTPStatus, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Take the status, the sentence, and headers to send."""
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class NotRead(Exception):
    """The body was not taken."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        """Take the code and the sentence."""
        super().__init__(text)
        self.code = code
        self.text = text


class Gone(Exception):
    """The caller has gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call, its body aside."""

    streams: bool
    codec: Codec
    metadata: tuple[tuple[str, str], ...]
    way: Way
    #: The deadline; None: none.
    seconds: float | None
    #: What is wrong with its headers.
    problem: tuple[grpc.StatusCode, str] | None


def read_request(scope: Scope, *, streams: bool) -> Request:
    """Return what the headers say; NotACall when they speak of something else."""
    metadata = tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in scope["headers"])
    headers = dict(metadata)
    if scope["method"] != "POST":
        raise NotACall(HTTPStatus.METHOD_NOT_ALLOWED, "Methods are called with POST.", ((b"allow", b"POST"),))
    # A type that pages may not send elsewhere without asking first: this is what keeps foreign pages from calling.
    prefix = "application/connect+" if streams else "application/"
    codec = CODECS.get(_bare(headers.get("content-type", "")).removeprefix(prefix))
    if codec is None or not _bare(headers["content-type"]).startswith(prefix):
        accepted = ", ".join(prefix + name for name in CODECS)
        raise NotACall(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The content type is one of {accepted}.", ((b"accept-post", accepted.encode()),))
    seconds, problem = _deadline(headers.get("connect-timeout-ms", ""))
    return Request(
        streams=streams, codec=codec, metadata=metadata, way=read_way(scope), seconds=seconds, problem=problem or _unsupported(headers)
    )


def read_way(scope: Scope) -> Way:
    """Return how a request came."""
    address, port = scope["client"] or ("", 0)
    stated = next((value for key, value in scope["headers"] if key == b"host"), b"").decode("latin-1").lower()
    # An IPv6 address stands in brackets; the colon before a port is outside of them.
    host = stated[1 : stated.find("]")] if stated.startswith("[") else stated.partition(":")[0]
    return Way(address=address, port=port, is_encrypted=scope["scheme"] == "https", host=host)


class Bodies:
    """Reads the bodies of calls."""

    def __init__(self, most: int) -> None:
        """Take how large each may be (bytes)."""
        self._most = most
        self._large = 0

    @asynccontextmanager
    async def read(self, request: Request, receive: Receive) -> AsyncIterator[bytes]:
        """Lend the body until it is decoded; NotRead when it is too large, too slow, or one of too many; Gone."""
        # A frame's prefix is no part of the message.
        most = self._most + (PREFIX_BYTES if request.streams else 0)
        body, size, is_large, has_more = bytearray(), 0, False, True
        try:
            async with _in_time():
                while has_more and size <= most * _PATIENCE:
                    part, has_more = await _next(receive)
                    size += len(part)
                    is_large = is_large or (size > _SMALL_BYTES and self._take_place())
                    if size <= (most if is_large else _SMALL_BYTES):
                        body += part
            if size > most:
                raise NotRead(grpc.StatusCode.RESOURCE_EXHAUSTED, f"The request is larger than {self._most} bytes; send less at once.")
            if len(body) < size:
                raise NotRead(
                    grpc.StatusCode.RESOURCE_EXHAUSTED, "Other large requests are coming in; try again soon, or at another replica."
                )
            yield bytes(body)
        finally:
            self._large -= is_large

    def _take_place(self) -> bool:
        if self._large >= _LARGE_AT_ONCE:
            return False
        self._large += 1
        return True


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            yield
    except TimeoutError:
        message = f"The request did not come within {_BODY_SECONDS:g} s; send it again."
        raise NotRead(grpc.StatusCode.DEADLINE_EXCEEDED, message) from None


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """Return a part of a body, and whether there are more."""
    event = await receive()
    if event["type"] == "http.disconnect":
        raise Gone
    return event.get("body", b""), event.get("more_body", False)


async def left(receive: Receive) -> None:
    """Wait until the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _bare(content_type: str) -> str:
    kind, _, parameter = content_type.lower().partition(";")
    return kind.strip() if parameter.replace(" ", "").replace('"', "") in {"", "charset=utf-8"} else ""


def _deadline(stated: str) -> tuple[float | None, tuple[grpc.StatusCode, str] | None]:
    if not stated:
        return None, None
    if not stated.isascii() or not stated.isdecimal() or len(stated) > _TIMEOUT_DIGITS:
        return None, (grpc.StatusCode.INVALID_ARGUMENT, "connect-timeout-ms is a number of milliseconds with at most ten digits.")
    return int(stated) / 1000, None


def _unsupported(headers: dict[str, str]) -> tuple[grpc.StatusCode, str] | None:
    if headers.get("connect-protocol-version", "1") != "1":
        return grpc.StatusCode.INVALID_ARGUMENT, "connect-protocol-version is 1."
    encodings = {headers.get("content-encoding", ""), headers.get("connect-content-encoding", "")}
    if encodings - {"", "identity"}:
        return grpc.StatusCode.UNIMPLEMENTED, "Requests are not compressed; send them as they are (identity)."
    return None
