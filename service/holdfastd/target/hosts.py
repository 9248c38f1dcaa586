"""Which hosts the service may connect to. Pure: in come a list, a host as typed and what it resolved to; out goes yes or no.

Names are believed where the operator listed them, addresses where nothing else was listed. Addresses that hand out credentials to
whoever asks from inside (link-local ones, where clouds keep their metadata) are refused unless they are listed as addresses.
"""

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from typing import Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_PORT = 65_535
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?")

#: Never meant by somebody who registers a database: link-local, this host by another name, several hosts at once, and the
#: metadata services that clouds put elsewhere (AWS, Google, Azure, Alibaba, Oracle).
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            *("169.254.0.0/16", "fe80::/10", "0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32"),
            *("fd00:ec2::/32", "fd20:ce::254/128", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
        ),
    )
)
#: `10.0.0.256`, `010.0.0.1`, `0x7f.1`: no host is called so, and resolvers take some of it for an address.
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """One entry of the list; exactly one of name, network and directory says something."""

    #: In lower case; `*.` stands for one or more labels.
    name: str = ""
    network: Network | None = None
    #: Of a unix socket.
    directory: str = ""
    #: 0: any.
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name, `*.name`, address, network or `/directory`, each with or without `:port`; ValueError with a sentence.

        IPv6 with a port stands in brackets: `[fd00::/8]:5432`.
        """
        bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
        # Of several colons none separates a port: an IPv6 address without brackets.
        has_port = text.count(":") == 1
        host, port = bracketed.groups() if bracketed else text.rsplit(":") if has_port else (text, None)
        number = _port(port, text)
        if host.startswith("/"):
            return cls(directory=posixpath.normpath(host), port=number)
        try:
            return cls(network=ipaddress.ip_network(host), port=number)
        except ValueError:
            if bracketed or not _NAME.fullmatch(host.lower()) or _NUMERIC_END.fullmatch(host.lower()):
                message = f"{text!r} is no host name, *.name, address, network (whose host bits are 0) or /directory, with or without :port"
                raise ValueError(message) from None
        return cls(name=_plain(host), port=number)

    def fits_port(self, port: int) -> bool:
        """Tell whether the entry is about that port."""
        return self.port in (0, port)

    def fits_name(self, host: str) -> bool:
        """Tell whether the entry names the host."""
        return host == self.name if not self.name.startswith("*.") else host.endswith(self.name[1:]) and host != self.name[1:]


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The list; empty: anywhere but the addresses that are never meant."""

    rules: tuple[HostRule, ...] = ()

    @classmethod
    def parse(cls, texts: tuple[str, ...]) -> Self:
        """Read the entries. ValueError with a sentence about the first wrong one."""
        return cls(tuple(map(HostRule.parse, texts)))

    def admits_directory(self, directory: str, port: int) -> bool:
        """Tell whether the socket in the directory may be connected to."""
        fitting = (rule.directory for rule in self.rules if rule.fits_port(port))
        return not self.rules or posixpath.normpath(directory) in fitting

    def names(self, host: str, port: int) -> bool:
        """Tell whether the host, as typed, is listed by its name."""
        return any(rule.name and rule.fits_port(port) and rule.fits_name(_plain(host)) for rule in self.rules)

    def may_admit(self, host: str, port: int) -> bool:
        """Tell whether it is worth resolving the host; a name that cannot be admitted is not even asked for."""
        return not self.rules or self.names(host, port) or any(rule.network and rule.fits_port(port) for rule in self.rules)

    def admits(self, host: str, port: int, address: str) -> bool:
        """Tell whether the address, to which the host resolved, may be connected to."""
        meant = _meant(ipaddress.ip_address(address.partition("%")[0]))
        if any(rule.network and rule.fits_port(port) and meant in _unmapped(rule.network) for rule in self.rules):
            return True
        is_never = any(meant in network for network in _NEVER)
        return not is_never and (not self.rules or self.names(host, port))


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _unmapped(network: Network) -> Network:
    """Return `::ffff:10.0.0.0/104` as `10.0.0.0/8`, the form that addresses are compared in."""
    first = network.network_address
    mapped_bits = 96
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped and network.prefixlen >= mapped_bits:
        return ipaddress.ip_network((int(first.ipv4_mapped), network.prefixlen - mapped_bits))
    return network


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _port(text: str | None, whole: str) -> int:
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) <= _MAX_PORT:
        message = f"{whole!r} ends with a port that is no number from 1 to {_MAX_PORT}"
        raise ValueError(message)
    return int(text)
