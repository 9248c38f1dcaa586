"""TLS with a target, as libpq's sslmode says, trusting whom the service's trust store trusts."""

import asyncio
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfastd.config.model import Targets
from holdfastd.errors import Reason, Refused, Unavailable
from holdfastd.store.unprivileged import give_to, unprivileged_account
from holdfastd.target.destination import Destination, TargetPolicy
from holdfastd.target.session import connect
from support.postgres import Server, available_majors

HOST, CANARY = "db.example.test", "c4n4ry-p4ssword"
_ENCRYPTED = "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()"


def certificate_for(address: str, host: str) -> tuple[bytes, bytes]:
    """Return a certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), private


@pytest.fixture(scope="module")
async def tls_server() -> AsyncIterator[Server]:
    """A server that speaks TLS; the wheel's were built without it."""
    if 15 not in available_majors():
        pytest.skip("needs Debian's PostgreSQL 15, which was built with OpenSSL")
    server = await Server(15).start()
    try:
        certificate, key = certificate_for("127.0.0.1", HOST)
        for name, content in (("test.crt", certificate), ("test.key", key)):
            path = server.home / name
            path.write_bytes(content)
            path.chmod(0o600)
            give_to(path, unprivileged_account())
        await server.execute(f"ALTER SYSTEM SET ssl_cert_file = '{server.home}/test.crt'")
        await server.execute(f"ALTER SYSTEM SET ssl_key_file = '{server.home}/test.key'")
        await server.execute("ALTER SYSTEM SET ssl = on")
        access = server.home / "data" / "pg_hba.conf"
        access.write_text("host all in_clear 127.0.0.1/32 password\n" + access.read_text())
        await server.halt("fast")
        await server.restart()
        await server.execute(f"CREATE ROLE in_clear LOGIN PASSWORD '{CANARY}'")
        yield server
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("mode", "encrypted"), [("", True), ("?sslmode=prefer", True), ("?sslmode=require", True), ("?sslmode=disable", False)]
)
async def test_modes_that_trust_anybody(mode: str, *, encrypted: bool, tls_server: Server) -> None:
    """Encrypted wherever the server can, unless it is switched off."""
    connection = await connect(tls_server.dsn() + mode, application_name="test", read_only=True)
    try:
        assert await connection.fetchval(_ENCRYPTED) is encrypted
    finally:
        await connection.close()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_modes_that_verify_ask_the_trust_store(
    mode: str, tls_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Refused until the service trusts the authority; nothing is read from ~/.postgresql."""
    home = tmp_path / ".postgresql"
    home.mkdir()
    authority = tmp_path / "authority.pem"
    authority.write_bytes((tls_server.home / "test.crt").read_bytes())
    (home / "root.crt").write_bytes(authority.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSSLROOTCERT", str(authority))
    with pytest.raises(Unavailable, match="TLS"):
        await connect(f"{tls_server.dsn()}?sslmode={mode}", application_name="test", read_only=True)

    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    connection = await connect(f"{tls_server.dsn()}?sslmode={mode}", application_name="test", read_only=True)
    await connection.close()


@pytest.fixture
def policy(tls_server: Server, tmp_path: Path) -> TargetPolicy:
    """Trust the server's certificate, and connect to nothing but its address."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes((tls_server.home / "test.crt").read_bytes())
    return TargetPolicy.of(Targets(allowed_hosts=("127.0.0.1",), least_ssl_mode="verify-ca", ca=authority))


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve every name under .test to this machine."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def resolve(host: str, port: int, **options: object) -> object:
        return await real("127.0.0.1" if host.endswith(".test") else host, port, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)


@pytest.mark.usefixtures("names")
async def test_the_name_is_checked_at_the_address(tls_server: Server, policy: TargetPolicy) -> None:
    """The connection goes to the address that the list allowed, and the certificate must carry the name in the DSN."""
    for host, mode in ((HOST, "verify-full"), ("127.0.0.1", "verify-full"), ("other.example.test", "verify-ca")):
        dsn = f"{tls_server.dsn().replace('127.0.0.1', host)}?sslmode={mode}"
        connection = await connect(Destination(dsn=dsn, policy=policy), application_name="test", read_only=True)
        try:
            assert await connection.fetchval(_ENCRYPTED) is True
            # A request to cancel is a connection of its own, under the same context.
            with pytest.raises(TimeoutError):
                await connection.execute("SELECT pg_catalog.pg_sleep(60)", timeout=0.2)
            assert await connection.fetchval("SELECT 1") == 1
        finally:
            await connection.close()

    dsn = f"{tls_server.dsn().replace('127.0.0.1', 'other.example.test')}?sslmode=verify-full"
    with pytest.raises(Unavailable, match="TLS"):
        await connect(Destination(dsn=dsn, policy=policy), application_name="test", read_only=True)


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_other_authorities_are_not_trusted(mode: str, tls_server: Server, tmp_path: Path) -> None:
    """HOLDFAST_TARGET_CA replaces the system's authorities."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(certificate_for("127.0.0.1", HOST)[0])
    other = TargetPolicy.of(Targets(ca=authority))

    with pytest.raises(Unavailable, match="TLS"):
        await connect(Destination(dsn=f"{tls_server.dsn()}?sslmode={mode}", policy=other), application_name="test", read_only=True)


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "allow"])
async def test_passwords_in_clear_need_tls(mode: str, tls_server: Server) -> None:
    """A server that authenticates with the password itself gets it encrypted, or not at all."""
    dsn = f"{tls_server.dsn(role='in_clear', password=CANARY)}?sslmode={mode}"
    if mode == "disable":
        with pytest.raises(Refused) as caught:
            await connect(dsn, application_name="test", read_only=True)
        assert caught.value.reason is Reason.TARGET_TLS_REQUIRED
        return
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        assert await connection.fetchval(_ENCRYPTED) is True
    finally:
        await connection.close()
