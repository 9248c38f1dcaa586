"""How `holdfast` is told whom to trust and who calls."""

import inspect
from pathlib import Path

import grpc
import pytest
import typer

from holdfast.cli.main import app
from holdfast.v1 import database_service_pb2 as database_pb
from support.authority import Authority
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import RESPONSES

TOKEN = "hf_7Yk-very.secret"


@pytest.fixture
def listing(server: ScriptedServer) -> ScriptedServer:
    server.answers["ListDatabases"] = RESPONSES["databases list"]
    return server


def test_a_token_comes_from_a_file_or_the_environment(
    listing: ScriptedServer, holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The option wins over the variable."""
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("HOLDFAST_TOKEN", "from-environment")
    results = [holdfast("databases", "list"), holdfast("databases", "list", "--token-file", str(tmp_path / "token"))]
    monkeypatch.setenv("HOLDFAST_TOKEN_FILE", str(tmp_path / "token"))
    results.append(holdfast("databases", "list"))

    assert [result.code for result in results] == [0, 0, 0]
    assert [sent["authorization"].removeprefix("Bearer ") for sent in listing.metadata] == ["from-environment", "from-file", "from-file"]


def test_no_option_takes_a_token():
    """Everybody on a machine can read the arguments of its processes."""
    options = {name for each in typer.main.get_command(app).params for name in each.opts}

    assert "--token-file" in options
    assert "--token" not in options


@pytest.mark.parametrize("arguments", [("--server", "holdfast.example:7443"), ("--server", "10.0.0.1:1,10.0.0.2:1")])
def test_a_token_is_kept_from_plaintext(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]):
    """Said before anything is sent, without the token."""
    monkeypatch.setenv("HOLDFAST_TOKEN", TOKEN)
    result = holdfast("databases", "list", *arguments)

    assert result.code == 2
    assert "--allow-plaintext-token where the network is trusted. [INVALID_FIELD]" in result.err
    assert TOKEN not in result.out + result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--token-file", "/nowhere"), "correct --token-file"),
        (("--ca", "/nowhere"), "correct its path"),
        (("--ca", "/dev/null"), "holds no certificate in PEM"),
        (("--cert", "/dev/null"), "give both"),
        (("--server", "a:1,b"), "lacks its host or its port"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(holdfast: Holdfast, arguments: tuple[str, ...], words: str):
    """Not a traceback, and not an error of gRPC."""
    result = holdfast(*arguments, "databases", "list")

    assert result.code == 2
    assert words in result.err


def test_tls_by_options_and_by_environment(holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On either side of the command."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    authority.issue().write(tmp_path / "me.pem", tmp_path / "me.key")
    issued = authority.issue(dns=["holdfast.internal"], addresses=[])
    credentials = grpc.ssl_server_credentials([(issued.key, issued.chain)], authority.pem, require_client_auth=True)
    options = ("--ca", str(tmp_path / "ca.pem"), "--cert", str(tmp_path / "me.pem"), "--key", str(tmp_path / "me.key"))
    with ScriptedServer(credentials) as server:
        server.answers["ListDatabases"] = RESPONSES["databases list"]
        monkeypatch.setenv("HOLDFAST_SERVER", server.address)
        by_options = holdfast("databases", "list", *options, "--server-name", "holdfast.internal")
        for name, value in zip(("CA", "CERT", "KEY"), options[1::2], strict=True):
            monkeypatch.setenv(f"HOLDFAST_{name}", value)
        monkeypatch.setenv("HOLDFAST_SERVER_NAME", "holdfast.internal")
        by_environment = holdfast("--tls", "databases", "list")

    assert (by_options.code, by_environment.code) == (0, 0)


def test_settings_of_a_database(ready: ScriptedServer, holdfast: Holdfast):
    """What is not said when registering is left to the service."""
    holdfast("databases", "add", "shop", "--dsn-env", "X")
    holdfast("databases", "add", "shop", "--dsn-env", "X", "--four-eyes", "--max-running-jobs", "3")

    plain, asked = ready.requests
    assert not plain.HasField("settings")
    assert asked.settings == database_pb.DatabaseSettings(four_eyes=True, max_running_jobs=3)


def test_changing_one_setting_keeps_the_others(ready: ScriptedServer, holdfast: Holdfast):
    """Also those that somebody else changes at the same time: the etag goes along."""
    present = database_pb.Database(name="shop", etag="e7", settings=database_pb.DatabaseSettings(four_eyes=True, max_running_jobs=3))
    ready.answers["GetDatabase"] = database_pb.GetDatabaseResponse(database=present)
    shown = holdfast("databases", "show", "shop")
    changed = holdfast("databases", "update", "shop", "--no-four-eyes")

    assert (shown.code, changed.code) == (0, 0)
    assert inspect.cleandoc(shown.out).count("somebody else than the author") == 1
    settings = database_pb.DatabaseSettings(four_eyes=False, max_running_jobs=3)
    assert ready.requests[-1] == database_pb.UpdateDatabaseRequest(name="shop", settings=settings, etag="e7")


def test_an_update_says_what_it_updates(ready: ScriptedServer, holdfast: Holdfast):
    """Nothing asked for is a slip."""
    result = holdfast("databases", "update", "shop")

    assert result.code == 2
    assert "--dsn-env, --dsn-file and --dsn" in result.err
