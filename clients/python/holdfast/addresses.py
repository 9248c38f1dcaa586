"""Where Holdfast is: in comes what was typed, out comes what gRPC understands, and whether it stays on this machine.

`HOST:PORT`, several of them with commas between, or any address of gRPC's own such as `dns:///holdfast:7443`.
"""

import ipaddress
import socket
from dataclasses import dataclass

_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")
_PORTS = range(1, 65_536)
_LOCAL_SCHEMES = ("unix:", "unix-abstract:")


class CannotConnect(ValueError):
    """What was said about the connection cannot be meant; the message is the sentence to print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """One or several replicas of one service."""

    #: For gRPC.
    target: str
    #: What certificates must be made out for, where the target does not say; empty: it does.
    authority: str = ""
    #: Nobody else can listen.
    is_loopback: bool
    #: Calls are spread over them, and go elsewhere when one stops.
    are_several: bool


def parse(server: str) -> Addresses:
    """Return the addresses; CannotConnect when they cannot be meant, or when one of several names leads nowhere."""
    if server.startswith(_LOCAL_SCHEMES):
        return Addresses(target=server, is_loopback=True, are_several=False)
    scheme, _, rest = server.partition(":") if server.startswith(_SCHEMES) else ("", "", server)
    places = [_split(place) for place in rest.rpartition("/")[2].split(",")]
    for host, port in places:
        _check(host, port)
    is_loopback = all(_is_loopback(host) for host, _ in places)
    if scheme or len(places) == 1:
        return Addresses(target=server, is_loopback=is_loopback, are_several=len(places) > 1 or scheme == "dns")
    if not all(host and port for host, port in places):
        raise CannotConnect("Several addresses are HOST:PORT with commas between; one of them lacks its host or its port.")
    return Addresses(target=_resolved(places), authority=places[0][0], is_loopback=is_loopback, are_several=True)


def _resolved(places: list[tuple[str, str]]) -> str:
    """Return one target for several places: gRPC takes lists of numbers only, of one family."""
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        found = [_number(host, port, family) for host, port in places]
        if all(found):
            return f"{scheme}:{','.join(found)}"
    hosts = ", ".join(host for host, _ in places)
    raise CannotConnect(f"Not all of {hosts} can be resolved to addresses of one family; correct the list, or give dns:///NAME:PORT.")


def _number(host: str, port: str, family: socket.AddressFamily) -> str:
    try:
        (_, _, _, _, address), *_ = socket.getaddrinfo(host, int(port), family, socket.SOCK_STREAM)
    except (OSError, ValueError):
        return ""
    return f"[{address[0]}]:{port}" if family is socket.AF_INET6 else f"{address[0]}:{port}"


def _split(place: str) -> tuple[str, str]:
    place = place.strip()
    host, colon, port = place.rpartition(":")
    if not colon or (place.count(":") > 1 and "]" not in host):
        return place.strip("[]"), ""
    return host.strip("[]"), port


def _check(host: str, port: str) -> None:
    """Refuse what gRPC would take and then complain about in words of its own."""
    if not (host or port):
        raise CannotConnect("An address is missing; give HOST:PORT, several with commas between.")
    if port and not (port.isascii() and port.isdecimal() and int(port[:6]) in _PORTS):
        raise CannotConnect("A port is not a number from 1 to 65535; give HOST:PORT, several with commas between.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # Any other name may lead anywhere.
        return host == "localhost"
