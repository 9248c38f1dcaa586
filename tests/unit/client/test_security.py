"""A client knows whom it talks to, says who it is, and tells no token to anybody else."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from holdfast import CannotConnect, Holdfast, HoldfastError, Tls, token_in
from holdfast.log_file import Anchor
from holdfast.v1.job_service_pb2 import GetJobResponse
from support.authority import Authority, Issued
from support.scripted import Failure, ScriptedServer

TOKEN = "hf_7Yk-very.secret"


class Files:
    """An authority whose certificates are files, as clients want them."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority()
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.authority.pem)
        self.certificate, self.key = directory / "me.pem", directory / "me.key"
        self.authority.issue().write(self.certificate, self.key)

    def serving(self, issued: Issued, *, asks_for_certificate: bool = False) -> ScriptedServer:
        """A server with a certificate, which may ask for one signed by the same authority."""
        root = self.authority.pem if asks_for_certificate else None
        credentials = grpc.ssl_server_credentials([(issued.key, issued.chain)], root, require_client_auth=asks_for_certificate)
        server = ScriptedServer(credentials)
        server.answers["GetJob"] = GetJobResponse()
        return server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("ours"))


@pytest.fixture
def tls_server(files: Files) -> Iterator[ScriptedServer]:
    with files.serving(files.authority.issue(dns=["localhost"])) as server:
        yield server


@pytest.fixture
def plain_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.answers["GetJob"] = GetJobResponse()
        yield server


async def failure(address: str, tls: Tls | None = None) -> HoldfastError:
    async with Holdfast(address, tls=tls) as client:
        with pytest.raises(HoldfastError) as raised:
            await client.get_job("j1")
    assert raised.value.reason == "UNAVAILABLE"
    return raised.value


async def test_a_token_goes_over_tls(tls_server: ScriptedServer, files: Files):
    """As every other client of the ecosystem sends it."""
    async with Holdfast(tls_server.address, token=TOKEN, tls=Tls(ca=files.ca)) as client:
        await client.get_job("j1")

    assert tls_server.metadata[0]["authorization"] == f"Bearer {TOKEN}"


async def test_a_client_shows_its_certificate(files: Files):
    """Mutual TLS: without it, the service ends the connection, and the client says what may be missing."""
    with files.serving(files.authority.issue(), asks_for_certificate=True) as server:
        async with Holdfast(server.address, tls=Tls(ca=files.ca, certificate=files.certificate, key=files.key)) as client:
            await client.get_job("j1")
        error = await failure(server.address, Tls(ca=files.ca))

    assert "--cert and --key" in error.message


async def test_a_plaintext_client_is_told_of_tls(tls_server: ScriptedServer):
    """`Socket closed` helps nobody."""
    assert "if it serves TLS, give --tls or --ca FILE" in (await failure(tls_server.address)).message


async def test_a_tls_client_is_told_of_plaintext(plain_server: ScriptedServer, files: Files):
    """Nor does `WRONG_VERSION_NUMBER`."""
    error = await failure(plain_server.address, Tls(ca=files.ca))

    assert error.message == f"Holdfast at {plain_server.address} does not speak TLS; leave --tls and --ca away, or check the port."


async def test_an_unknown_authority_is_not_trusted(tls_server: ScriptedServer, tmp_path: Path):
    """Neither those of the system vouch for it, nor one of the same name."""
    unknown, namesake = await failure(tls_server.address, Tls()), await failure(tls_server.address, Tls(ca=Files(tmp_path).ca))

    assert "signed by an unknown authority; give its certificate with --ca" in unknown.message
    assert "compare --ca with the authority" in namesake.message


async def test_an_expired_certificate_is_named(files: Files):
    """Its operator is who can help."""
    with files.serving(files.authority.issue(hours=-0.5)) as server:
        assert "has expired" in (await failure(server.address, Tls(ca=files.ca))).message


async def test_a_certificate_for_another_name_is_refused(files: Files):
    """Unless that name is the one expected."""
    with files.serving(files.authority.issue(dns=["holdfast.internal"], addresses=[])) as server:
        error = await failure(server.address, Tls(ca=files.ca))
        async with Holdfast(server.address, tls=Tls(ca=files.ca, server_name="holdfast.internal")) as client:
            await client.get_job("j1")

    assert "made out for another name" in error.message


async def test_several_replicas_share_the_name_of_the_first(tls_server: ScriptedServer, files: Files, unused_tcp_port: int):
    """A list of addresses is one service: one that is away is passed over, and TLS still checks a name."""
    async with Holdfast(f"localhost:{unused_tcp_port},{tls_server.address}", tls=Tls(ca=files.ca)) as client:
        for _ in range(4):
            await client.get_job("j1")

    assert len(tls_server.requests) == 4


async def test_a_token_stays_away_from_plaintext(plain_server: ScriptedServer):
    """Loopback is as private as the machine; elsewhere it must be asked for by name."""
    async with Holdfast(plain_server.address, token=TOKEN) as client:
        await client.get_job("j1")
    for server in ("db.example:7443", "127.evil.example:7443", "localhost.evil.example:1", "127.0.0.1:1,10.0.0.1:1", "dns:///holdfast:1"):
        with pytest.raises(CannotConnect, match="--allow-plaintext-token") as refused:
            Holdfast(server, token=TOKEN)
        assert TOKEN not in str(refused.value)

    assert plain_server.metadata[0]["authorization"] == f"Bearer {TOKEN}"
    await Holdfast("10.0.0.1:1", token=TOKEN, allow_plaintext_token=True).close()


async def test_a_renewed_token_is_used_at_once(plain_server: ScriptedServer, tmp_path: Path):
    """Tokens of orchestrators live for minutes, watches for hours."""
    file = tmp_path / "token"
    async with Holdfast(plain_server.address, token=token_in(file)) as client:
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            await client.get_job("j1")
        file.unlink()
        with pytest.raises(CannotConnect, match="cannot be read"):
            await client.get_job("j1")

    assert [metadata["authorization"] for metadata in plain_server.metadata] == ["Bearer first", "Bearer second"]


async def test_a_damaged_token_is_not_repeated(plain_server: ScriptedServer, tmp_path: Path):
    """Not in the error either."""
    (tmp_path / "empty").touch()
    for token in ("hf secret", "hf_sécret", token_in(tmp_path / "empty")):
        async with Holdfast(plain_server.address, token=token) as client:
            with pytest.raises(CannotConnect, match="copy it again") as refused:
                await client.get_job("j1")
            assert "cret" not in str(refused.value)
    assert not plain_server.requests


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("-----BEGIN RSA PRIVATE KEY-----", "holds no certificate"), ("", "holds no certificate")],
)
def test_tls_files_are_looked_at_first(tmp_path: Path, content: str | None, words: str):
    """Later, gRPC would say something else of them."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(CannotConnect, match=words):
        Tls(ca=file).credentials()


def test_certificate_and_key_belong_together(files: Files):
    """One without the other is a slip."""
    with pytest.raises(CannotConnect, match="give both"):
        Tls(certificate=files.certificate).credentials()


async def test_the_head_of_the_audit_log_comes_with_every_answer(plain_server: ScriptedServer):
    """Errors included; the newest is kept, because replicas learn of each other's entries a moment later."""
    seen = []
    async with Holdfast(plain_server.address) as client:
        for value in ("4:" + "a" * 64, "7:" + "b" * 64, "5:" + "c" * 64, "damaged"):
            plain_server.trailing = (("x-holdfast-audit-head", value),)
            await client.get_job("j1")
            seen.append(client.audit_head)
        plain_server.trailing = (("x-holdfast-audit-head", "8:" + "d" * 64),)
        plain_server.answers["GetJob"] = Failure(code=grpc.StatusCode.ABORTED, message="Busy.")
        with pytest.raises(HoldfastError):
            await client.get_job("j1")

    assert [head and head.sequence for head in seen] == [4, 7, 7, 7]
    assert client.audit_head == Anchor(8, "d" * 64)
