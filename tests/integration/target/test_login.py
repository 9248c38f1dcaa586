"""Where connections go, and what they say before they know whom they talk to: against servers that are not what they seem."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfastd.config.model import Targets
from holdfastd.errors import HoldfastError, Reason, Refused, Unavailable
from holdfastd.target.destination import Destination, TargetPolicy
from holdfastd.target.session import connect
from support.postgres import PASSWORD_GROUP, Server

CANARY = "c4n4ry-p4ssword"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
#: A TLS record that carries a handshake.
CLIENT_HELLO = b"\x16\x03"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


CLEARTEXT = message(b"R", struct.pack("!i", 3))
AUTHENTICATED = message(b"R", struct.pack("!i", 0))
PARAMETER = message(b"S", b"server_version\x0018.0\x00")


@dataclass
class Impostor:
    """Listens on loopback, says what it is told to after the startup packet, and keeps all that it hears."""

    says: bytes
    answers_tls: bytes = b"N"
    one_byte_at_a_time: bool = False
    heard: bytearray = field(default_factory=bytearray)
    dsn: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        self.heard += first
        if first == SSL_REQUEST:
            writer.write(self.answers_tls)
        if first != SSL_REQUEST:
            for part in [bytes([byte]) for byte in self.says] if self.one_byte_at_a_time else [self.says]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        while data := await reader.read(4096):
            if self.answers_tls == b"S" and data.startswith(CLIENT_HELLO):
                writer.write(b"this is no TLS")
            self.heard += data
        writer.close()


@pytest.fixture
async def deceive() -> AsyncIterator[Callable[..., Awaitable[Impostor]]]:
    """Start impostors."""
    servers: list[asyncio.Server] = []

    async def start(says: bytes, **options: object) -> Impostor:
        impostor = Impostor(says, **options)  # type: ignore[arg-type] # options of the class
        servers.append(await asyncio.start_server(impostor.serve, "127.0.0.1", 0))
        impostor.dsn = f"postgresql://me:{CANARY}@127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}/db"
        return impostor

    yield start
    for server in servers:
        server.close()


async def failure(destination: Destination | str, timeout: float = 3) -> HoldfastError:  # noqa: ASYNC109 (connecting has its own limit)
    with pytest.raises(HoldfastError) as caught:
        await connect(destination, application_name="test", read_only=True, timeout=timeout)
    assert CANARY not in f"{caught.value} {caught.value.facts}"
    return caught.value


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.parametrize(
    ("says", "slowly"),
    [
        (CLEARTEXT, False),
        (CLEARTEXT, True),
        (PARAMETER + CLEARTEXT, False),
        # asyncpg would answer even after it was let in.
        (AUTHENTICATED + CLEARTEXT, False),
        (AUTHENTICATED + PARAMETER + CLEARTEXT, True),
    ],
)
async def test_no_password_in_clear(mode: str, says: bytes, deceive: Callable[..., Awaitable[Impostor]], *, slowly: bool) -> None:
    """Whoever asks for the password itself over an unencrypted connection gets nothing, and the caller the way out."""
    impostor = await deceive(says, one_byte_at_a_time=slowly)

    error = await failure(f"{impostor.dsn}?sslmode={mode}")

    assert b"me" in impostor.heard
    assert CANARY.encode() not in impostor.heard
    if mode == "allow":
        # TLS is tried then, which the impostor refuses.
        assert error.reason is Reason.TARGET_UNREACHABLE
    else:
        assert (error.reason, error.facts) == (Reason.TARGET_TLS_REQUIRED, {"sslmode": "require"})


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_nothing_is_said_when_tls_is_refused(mode: str, deceive: Callable[..., Awaitable[Impostor]]) -> None:
    """Not even the user's name, from require on."""
    impostor = await deceive(CLEARTEXT)

    error = await failure(f"{impostor.dsn}?sslmode={mode}")

    assert error.reason is Reason.TARGET_UNREACHABLE
    assert bytes(impostor.heard) == SSL_REQUEST


async def test_prefer_stops_at_a_broken_handshake(deceive: Callable[..., Awaitable[Impostor]]) -> None:
    """Who offers TLS and breaks the handshake does not get an unencrypted connection; libpq would give it."""
    impostor = await deceive(CLEARTEXT, answers_tls=b"S")

    error = await failure(f"{impostor.dsn}?sslmode=prefer")

    assert error.reason is Reason.TARGET_UNREACHABLE
    assert CLIENT_HELLO in impostor.heard
    assert b"user" not in impostor.heard


async def test_scram_needs_no_encryption(postgres: Server) -> None:
    """It proves the password without telling it, so it may stay as it is."""
    await postgres.execute(f"DROP ROLE IF EXISTS scrammed; CREATE ROLE scrammed LOGIN PASSWORD '{CANARY}' IN ROLE {PASSWORD_GROUP}")

    connection = await connect(postgres.dsn(role="scrammed", password=CANARY) + "?sslmode=disable", application_name="test", read_only=True)
    try:
        # Cancelling opens a second connection by the same loop.
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT pg_catalog.pg_sleep(60)", timeout=0.2)
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


def policy(*hosts: str) -> TargetPolicy:
    return TargetPolicy.of(Targets(allowed_hosts=hosts))


async def test_the_list_decides(postgres: Server) -> None:
    """By name, by address, by port, by directory: what is listed is reached, and nothing else is."""
    port = postgres.port
    by_name = postgres.dsn().replace("127.0.0.1", "localhost")
    reached = [
        (postgres.dsn(), "127.0.0.0/8"),
        (postgres.dsn(), f"127.0.0.1:{port}"),
        (by_name, "localhost"),
        (by_name, f"127.0.0.1:{port}"),
        (postgres.socket_dsn(), str(postgres.home)),
    ]
    refused = [
        (postgres.dsn(), "localhost"),
        (postgres.dsn(), f"127.0.0.1:{port + 1}"),
        (postgres.dsn(), "10.0.0.0/8"),
        (by_name, "*.localhost"),
        (postgres.socket_dsn(), "127.0.0.1"),
        (postgres.socket_dsn(), "/run"),
    ]

    for dsn, entry in reached:
        connection = await connect(Destination(dsn=dsn, policy=policy(entry)), application_name="test", read_only=True)
        await connection.close()
    for dsn, entry in refused:
        assert (await failure(Destination(dsn=dsn, policy=policy(entry)))).reason is Reason.HOST_NOT_ALLOWED, (dsn, entry)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0251.0376.0251.0376", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]", "0.1.2.3"]
)
async def test_metadata_services_are_out_of_reach(host: str) -> None:
    """Without any list, and however the address is written."""
    assert (await failure(f"postgresql://me:{CANARY}@{host}/db")).reason is Reason.HOST_NOT_ALLOWED


async def test_the_list_is_no_oracle(postgres: Server, deceive: Callable[..., Awaitable[Impostor]]) -> None:
    """Who types hosts to look around learns the same of one that listens, of one that does not, and of one that is not there."""
    impostor = await deceive(CLEARTEXT)
    listed = policy("192.0.2.0/24", "db.example.org")
    dsns = [impostor.dsn, "postgresql://me@127.0.0.1:1/db", f"postgresql://me@{CANARY}.invalid/db", "postgresql://me@localhost/db"]

    errors = [await failure(Destination(dsn=dsn, policy=listed)) for dsn in dsns]

    assert len({(type(error), error.message, error.reason, str(error.facts)) for error in errors}) == 1
    assert errors[0].reason is Reason.HOST_NOT_ALLOWED
    assert impostor.heard == b""


async def test_a_listed_name_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator named it, so saying that it does not answer tells nothing new."""
    error = await failure(Destination(dsn="postgresql://me@db.invalid/db", policy=policy("db.invalid")))

    assert isinstance(error, Unavailable)


async def test_a_name_is_resolved_once(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time gets nobody anywhere: the address that was checked is connected to."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []
    real = loop.getaddrinfo

    async def rebinding(host: str, port: int, **options: object) -> object:
        asked.append(host)
        return await real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", port, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    dsn = postgres.dsn().replace("127.0.0.1", "rebound.example.org") + "?sslmode=prefer"
    connection = await connect(Destination(dsn=dsn, policy=policy("127.0.0.1")), application_name="test", read_only=True)
    await connection.close()

    assert asked == ["rebound.example.org"]


async def test_addresses_that_are_not_listed_are_left_out(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several addresses of a name only those in the list are tried."""
    loop = asyncio.get_running_loop()

    async def both(_host: str, port: int, **_: object) -> object:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("169.254.169.254", "127.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", both)
    dsn = postgres.dsn().replace("127.0.0.1", "two.example.org")
    connection = await connect(Destination(dsn=dsn, policy=policy("two.example.org")), application_name="test", read_only=True)
    await connection.close()


async def test_weak_tls_is_refused_before_anything_is_sent(deceive: Callable[..., Awaitable[Impostor]]) -> None:
    """The least sslmode of the service counts for every DSN."""
    impostor = await deceive(CLEARTEXT)
    strict = TargetPolicy.of(Targets(least_ssl_mode="verify-full"))

    error = await failure(Destination(dsn=impostor.dsn, policy=strict))

    assert isinstance(error, Refused)
    assert (error.reason, error.facts) == (Reason.TARGET_TLS_REQUIRED, {"sslmode": "verify-full"})
    assert impostor.heard == b""


async def test_authorities_that_went_away(tmp_path: Path, postgres: Server) -> None:
    """The file is read at every connection; without it nobody is trusted."""
    authorities = tmp_path / "ca.pem"
    authorities.write_text("nothing")
    strict = TargetPolicy.of(Targets(ca=authorities))

    error = await failure(Destination(dsn=postgres.dsn() + "?sslmode=verify-full", policy=strict))

    assert "HOLDFAST_TARGET_CA" in error.message
