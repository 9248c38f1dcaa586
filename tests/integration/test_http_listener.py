"""The HTTP server itself: answers at once, and with a certificate encrypted, with the newest one that can be used."""

import asyncio
import socket
import ssl

import pytest

from holdfastd.config.model import Address, ConfigError, Tls
from holdfastd.http import listener as listening
from holdfastd.http.app import make_app
from holdfastd.http.encryption import Encryption
from holdfastd.http.listener import HttpListener
from holdfastd.metrics.registry import Metrics
from support.authority import Authority
from support.connect import ask


async def ready():
    """Nothing speaks against it."""
    return ""


async def shown(address, authority):
    """Ask for /healthz over TLS; the certificate that was shown (DER) and the answer."""
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    host, _, port = str(address).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=True), await reader.read()
    finally:
        writer.close()


@pytest.fixture
def tls(tmp_path):
    """Where a certificate goes."""
    return Tls(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")


async def test_a_renewed_certificate_is_shown_to_the_next_caller(tls):
    """Without a restart; files that cannot be used change nothing."""
    authority = Authority()
    authority.issue().write(tls.certificate, tls.key)
    listener = HttpListener(make_app(Metrics("1").registry, ready), Encryption(tls))
    address = await listener.start(Address("127.0.0.1", 0))
    try:
        first, answer = await shown(address, authority)
        authority.issue().write(tls.certificate, tls.key)
        second, _ = await shown(address, authority)
        tls.certificate.write_text("nonsense")
        third, _ = await shown(address, authority)
    finally:
        await listener.stop()

    assert answer.endswith(b"ok\n")
    assert first != second == third


def test_files_that_are_no_certificate_are_named(tls):
    """Before anything is served."""
    tls.certificate.write_text("nonsense")
    tls.key.write_text("nonsense")

    with pytest.raises(ConfigError, match="not a certificate"):
        Encryption(tls)


@pytest.mark.parametrize("text", [b"", b"GET /healthz HTTP/1.1\r\nhost: x\r\n", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /hea"])
async def test_connections_on_which_nothing_comes_are_closed(text, monkeypatch):
    """Nothing at all, half a request, or half a second one: each would keep a place among the open files for ever."""
    monkeypatch.setattr(listening, "_QUIET_SECONDS", 0.05)
    listener = HttpListener(make_app(Metrics("1").registry, ready))
    address = await listener.start(Address("127.0.0.1", 0))
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(text)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    finally:
        await listener.stop()

    # It has ended, which is all: on a slow machine even before the whole request was there.
    assert answer.count(b"ok\n") <= text.count(b"\r\n\r\n")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_all_addresses_are_those_of_both_kinds():
    """As over gRPC: `--http [::]:7480` answers callers that come over IPv4, too."""
    listener = HttpListener(make_app(Metrics("1").registry, ready))
    address = await listener.start(Address("::", 0))
    try:
        answers = [await ask(f"{host}:{address.port}", "GET", "/healthz") for host in ("127.0.0.1", "[::1]")]
    finally:
        await listener.stop()

    assert [answer.status for answer in answers] == [200, 200]


async def test_who_takes_longer_than_the_grace_is_cut_off(monkeypatch, caplog):
    """A reader that does not read keeps no server from stopping, and that is no fault to be logged."""
    monkeypatch.setattr(listening, "_GRACE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def endless(_, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    listener = HttpListener(endless)
    address = await listener.start(Address("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"first")
    await listener.stop()
    writer.close()

    assert ended.is_set()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_answers_wait_neither_for_acknowledgements_nor_for_readers_for_ever():
    """Headers and body leave in two packets, the second one at once; who takes nothing for a minute is cut off. Sockets inherit both."""
    listener = HttpListener(make_app(Metrics("1").registry, ready))
    await listener.start(Address("127.0.0.1", 0))
    try:
        [accepting] = [each for server in listener._server.servers for each in server.sockets]
        options = [accepting.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_NODELAY, socket.TCP_USER_TIMEOUT)]
    finally:
        await listener.stop()

    assert options == [1, 60_000]
