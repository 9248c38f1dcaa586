"""What people type as an address is what gRPC understands, or a sentence."""

import pytest

from holdfast.addresses import CannotConnect, parse


@pytest.mark.parametrize(
    ("typed", "target", "is_loopback", "are_several"),
    [
        ("127.0.0.1:7443", "127.0.0.1:7443", True, False),
        ("localhost:7443", "localhost:7443", True, False),
        ("[::1]:7443", "[::1]:7443", True, False),
        ("::1", "::1", True, False),
        ("unix:/run/holdfast", "unix:/run/holdfast", True, False),
        ("holdfast:7443", "holdfast:7443", False, False),
        ("127.example:7443", "127.example:7443", False, False),
        ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", False, True),
        ("127.0.0.1:1, localhost:2", "ipv4:127.0.0.1:1,127.0.0.1:2", True, True),
        ("127.0.0.1:1,10.0.0.2:2", "ipv4:127.0.0.1:1,10.0.0.2:2", False, True),
        ("[::1]:1,[fd00::2]:2", "ipv6:[::1]:1,[fd00::2]:2", False, True),
        ("dns:///holdfast:7443", "dns:///holdfast:7443", False, True),
        ("dns:///localhost:7443", "dns:///localhost:7443", True, True),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2", True, True),
    ],
)
def test_addresses(*, typed: str, target: str, is_loopback: bool, are_several: bool):
    """One or several replicas, on this machine or not."""
    parsed = parse(typed)

    assert (parsed.target, parsed.is_loopback, parsed.are_several) == (target, is_loopback, are_several)


@pytest.mark.parametrize("typed", ["", " ", "a:0", "a:99999", "a:http", "a:٣", "10.0.0.1:1,10.0.0.2:65536", "dns:///"])
def test_addresses_without_host_or_port(typed: str):
    """Otherwise the transport would complain later, in words of its own."""
    with pytest.raises(CannotConnect, match="give HOST:PORT"):
        parse(typed)


@pytest.mark.parametrize("typed", ["a:1,b", "a:1,", ",a:1", "a:1,:2", "10.0.0.1:1,[::1]:1", "10.0.0.1:1,nowhere.invalid:1"])
def test_lists_that_cannot_be_meant(typed: str):
    """A list with a hole, of two families, or with a name that leads nowhere would reach only some replicas."""
    with pytest.raises(CannotConnect):
        parse(typed)
