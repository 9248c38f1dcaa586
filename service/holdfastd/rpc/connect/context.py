"""A call over HTTP, as handlers and the interceptor know calls: the part of gRPC's ServicerContext that they use."""

import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from holdfastd.rpc.connect.wire import Trailers


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a call came."""

    #: Address of the other end; empty when there is none.
    address: str
    port: int
    #: It came over TLS.
    is_encrypted: bool
    #: What the caller took us for: the `Host` header without its port.
    host: str

    @property
    def is_local(self) -> bool:
        """Tell whether the other end is on this machine."""
        return is_loopback(self.address)


def is_loopback(address: str) -> bool:
    """Tell whether an address is of this machine only; names are not looked up."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


class HttpContext:
    """One call."""

    def __init__(self, way: Way, metadata: Trailers, seconds: float | None, write: Callable[[Any], Awaitable[None]]) -> None:
        """Take how it came, its headers, how long it may take (None: as long as it likes), and what sends a message of a stream."""
        self.way = way
        self.write = write
        self._metadata = metadata
        self._end = None if seconds is None else time.monotonic() + seconds
        self._trailers: Trailers = ()
        self._code: grpc.StatusCode | None = None
        self._details = ""

    def invocation_metadata(self) -> Trailers:
        """Return the headers, their names in lower case."""
        return self._metadata

    def auth_context(self) -> Mapping[str, tuple[bytes, ...]]:
        """Return what a certificate says: browsers are asked for none."""
        return {}

    def peer(self) -> str:
        """Return the other end as gRPC writes it."""
        return f"ipv6:[{self.way.address}]:{self.way.port}" if ":" in self.way.address else f"ipv4:{self.way.address}:{self.way.port}"

    def time_remaining(self) -> float | None:
        """Return the seconds that are left, at least 0; None when the caller set no deadline."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)

    def set_trailing_metadata(self, trailers: Trailers) -> None:
        """Note what is sent last."""
        self._trailers = trailers

    def trailing_metadata(self) -> Trailers:
        """Return what is sent last."""
        return self._trailers

    def code(self) -> grpc.StatusCode | None:
        """Return the code of the error that ended the call; None without one."""
        return self._code

    def details(self) -> str:
        """Return the sentence of that error."""
        return self._details

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Trailers = ()) -> None:
        """End the call with an error."""
        self._code, self._details, self._trailers = code, details, trailing_metadata
        raise grpc.aio.AbortError
