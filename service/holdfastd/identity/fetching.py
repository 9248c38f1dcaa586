"""One answer over HTTP, whole and in time, or an error: in comes a URL, out go bytes.

Issuers are asked, and nobody else. The library's own limit is for each read, so that an answer that drips could take for ever.
"""

import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

#: A service that stops waits for a fetch that is under way.
LIMIT_SECONDS = 3.0
MAX_BYTES = 1024 * 1024


def fetch(url: str) -> bytes:
    """Return the answer. OSError, HTTPException or ValueError when there is none, when it is too large, or when it took too long."""
    began = time.monotonic()
    try:
        with _OPENER.open(url, timeout=LIMIT_SECONDS) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError):
        _refuse_late(began)
        raise
    # What was cut off in the middle looks like a short answer.
    _refuse_late(began)
    if len(content) > MAX_BYTES:
        raise ValueError("the answer is larger than 1 MiB")
    return content


def _refuse_late(began: float) -> None:
    if time.monotonic() - began >= LIMIT_SECONDS:
        message = f"the answer was not there within {LIMIT_SECONDS:g} s"
        raise TimeoutError(message) from None


def _cut_in_time(connection: socket.socket) -> None:
    """End the connection when the limit is over, whoever reads from it."""

    def cut() -> None:
        # As a plain socket: TLS would go on reading what had arrived, undeciphered. One that was closed long ago is an OSError.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(LIMIT_SECONDS, cut)
    # Nobody waits for it at the end.
    timer.daemon = True
    timer.start()


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _cut_in_time(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _cut_in_time(self.sock)


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where a redirect leads was trusted by nobody."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str) -> None:  # noqa: ARG002 (the library's names)
        return None


# Without https, an issuer is on this machine, where no proxy can reach it.
_PROXIES = {scheme: proxy for scheme, proxy in urllib.request.getproxies().items() if scheme == "https"}
_HANDLERS: tuple[Any, ...] = (_Plain, _Secure, _NoRedirects, urllib.request.ProxyHandler(_PROXIES))
_OPENER = urllib.request.build_opener(*_HANDLERS)
