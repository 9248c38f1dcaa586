"""The list of hosts: what an entry means, what is never meant, and that no way of writing an address gets past it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfastd.config.model import Targets
from holdfastd.errors import Reason, Refused
from holdfastd.target.destination import Destination, TargetPolicy, not_allowed
from holdfastd.target.dsn import SslMode, parse
from holdfastd.target.hosts import AllowedHosts

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "expected"),
    [
        ("db.example.org", "db.example.org", 5432, PUBLIC, True),
        ("db.example.org", "DB.Example.org.", 5432, PUBLIC, True),
        ("db.example.org", "xdb.example.org", 5432, PUBLIC, False),
        ("db.example.org", "db.example.org.evil.net", 5432, PUBLIC, False),
        ("db.example.org:5433", "db.example.org", 5433, PUBLIC, True),
        ("db.example.org:5433", "db.example.org", 5432, PUBLIC, False),
        ("*.example.org", "a.b.example.org", 5432, PUBLIC, True),
        ("*.example.org", "example.org", 5432, PUBLIC, False),
        ("*.example.org", ".example.org", 5432, PUBLIC, False),
        ("*.example.org", "evilexample.org", 5432, PUBLIC, False),
        ("10.0.0.0/8", "anything", 5432, "10.1.2.3", True),
        ("10.0.0.0/8", "anything", 5432, "11.1.2.3", False),
        ("10.0.0.0/8", "anything", 5432, "::ffff:10.1.2.3", True),
        ("10.0.0.0/8:5432", "anything", 5433, "10.1.2.3", False),
        ("::ffff:10.0.0.0/104", "anything", 5432, "10.1.2.3", True),
        ("10.0.0.7", "10.0.0.7", 5432, "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", 5432, "10.0.0.8", False),
        ("fd12::/16", "h", 5432, "fd12::1", True),
        ("[fd12::/16]:5432", "h", 5432, "fd12::1", True),
        ("[fd12::/16]:5432", "h", 5433, "fd12::1", False),
        ("[fd12::7]", "h", 5433, "fd12::7", True),
        # A name is no promise about where it leads: a rebound one must not reach what hands out credentials.
        ("db.example.org", "db.example.org", 5432, "169.254.169.254", False),
        ("169.254.0.0/16", "anything", 5432, "169.254.169.254", True),
    ],
)
def test_what_an_entry_admits(entry: str, host: str, port: int, address: str, *, expected: bool) -> None:
    """A name by its name, an address by where the host leads, and either for one port or for all."""
    hosts = AllowedHosts.parse((entry,))

    assert hosts.admits(host, port, address) is expected
    assert hosts.may_admit(host, port) or not expected


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1", "fd00:ec2::254", "fd20:ce::254", "0.1.2.3", "::"),
        *("168.63.129.16", "100.100.100.200", "192.0.0.192", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0"),
    ],
)
def test_what_is_never_meant(address: str) -> None:
    """Metadata services give credentials to whoever asks from inside; without a list, everything else is reachable."""
    hosts = AllowedHosts()

    assert not hosts.admits("h", 5432, address)
    assert hosts.admits("h", 5432, PUBLIC)
    assert hosts.admits("h", 5432, "10.0.0.1")
    assert hosts.admits("h", 5432, "::1")


def test_a_name_that_cannot_be_admitted_is_not_resolved() -> None:
    """Asking a name server tells somebody that it was asked, and what for."""
    hosts = AllowedHosts.parse(("db.example.org", "10.0.0.0/8:5432"))

    assert not hosts.may_admit("secret.evil.net", 5433)
    assert hosts.may_admit("some.host", 5432)


def test_sockets_are_listed_by_directory() -> None:
    """However the directory is written; a name or a network admits none."""
    hosts = AllowedHosts.parse(("/run/postgresql:5433", "10.0.0.0/8"))

    assert hosts.admits_directory("/run//postgresql/", 5433)
    assert not hosts.admits_directory("/run/postgresql", 5432)
    assert not hosts.admits_directory("/run/postgresql/../other", 5433)
    assert AllowedHosts().admits_directory("/anywhere", 5432)
    assert not AllowedHosts.parse(("db.example.org",)).admits_directory("/run/postgresql", 5432)


@pytest.mark.parametrize(
    "entry",
    [
        *("*", "*.", "a.*.b", "a*", "-a", "a b", "http://a", "a/b", "10.0.0.1/8", "10.0.0.0/33", "fd12::1/16", "[a]", "[::1"),
        *("10.0.0.256", "10.20.0", "010.0.0.1", "0x7f.1", "2130706433", "10.0.0.1.", "*.5"),
        *("a:", "a:0", "a:65536", "a:x", "10.0.0.1:", "[::1]:", "[::1]x", "é.org", "user@host"),
    ],
)
def test_what_is_no_entry(entry: str) -> None:
    """The service does not start with a list that says less or more than was meant."""
    with pytest.raises(ValueError, match=r"HOLDFAST_ALLOWED_HOSTS: '.*' (is no|ends with a port)"):
        TargetPolicy.of(Targets(allowed_hosts=(entry,)))


@given(st.text())
def test_any_text_is_an_entry_or_refused(text: str) -> None:
    """With a sentence."""
    with suppress(ValueError):
        AllowedHosts.parse((text,))


@given(st.ip_addresses(v=4))
def test_a_list_admits_nothing_but_itself(address: object) -> None:
    """Whatever a host resolves to."""
    hosts = AllowedHosts.parse(("192.0.2.0/24", "db.example.org"))

    assert hosts.admits("h", 5432, str(address)) is str(address).startswith("192.0.2.")


@pytest.mark.parametrize(
    ("least", "refused"), [("", 0), ("disable", 0), ("prefer", 2), ("require", 3), ("verify-ca", 4), ("verify-full", 5)]
)
def test_the_least_sslmode(least: str, refused: int) -> None:
    """Weaker ones are refused with the word to write; sockets know no TLS."""
    policy = TargetPolicy.of(Targets(least_ssl_mode=least))
    weaker, enough = list(SslMode)[:refused], list(SslMode)[refused:]

    for mode in weaker:
        with pytest.raises(Refused) as caught:
            policy.refuse_weak_tls(parse(f"postgresql://me@h/db?sslmode={mode}"))
        assert (caught.value.reason, caught.value.facts) == (Reason.TARGET_TLS_REQUIRED, {"sslmode": least})
    for mode in enough:
        policy.refuse_weak_tls(parse(f"postgresql://me@h/db?sslmode={mode}"))
    policy.refuse_weak_tls(parse("postgresql://me@/db?host=/run/postgresql"))


def test_authorities_must_be_there() -> None:
    """Better no start than no connection later."""
    with pytest.raises(ValueError, match="HOLDFAST_TARGET_CA: there is no file /nowhere"):
        TargetPolicy.of(Targets(ca=Path("/nowhere")))


def test_the_refusal_of_a_host_says_nothing_of_it() -> None:
    """Callers type hosts to find out what is there."""
    assert not_allowed().facts == {}
    assert "hunter2" not in repr(Destination(dsn="postgresql://me:hunter2@h/db"))
