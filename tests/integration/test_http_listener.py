"""The HTTP server itself: answers at once, and with a certificate encrypted, with the newest one that can be used."""

import asyncio
import socket
import ssl

import pytest

from holdfastd.config.model import Address, ConfigError, Tls
from holdfastd.http.app import make_app
from holdfastd.http.encryption import Encryption
from holdfastd.http.listener import HttpListener
from holdfastd.metrics.registry import Metrics
from support.authority import Authority


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


async def test_answers_do_not_wait_for_acknowledgements():
    """Headers and body leave in two packets; the second one waits for nobody. Sockets that are accepted have what the listening one has."""
    listener = HttpListener(make_app(Metrics("1").registry, ready))
    await listener.start(Address("127.0.0.1", 0))
    try:
        options = [
            each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for server in listener._server.servers for each in server.sockets
        ]
    finally:
        await listener.stop()

    assert options == [1]
