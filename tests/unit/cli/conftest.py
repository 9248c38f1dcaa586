"""A scripted server and a way to run `holdfast` against it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from holdfast.cli.main import run
from support.scripted import ScriptedServer


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


Holdfast = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def holdfast(server: ScriptedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """Run the command in this process, 80 columns wide, against the scripted server."""
    monkeypatch.setenv("HOLDFAST_SERVER", server.address)
    monkeypatch.setenv("COLUMNS", "80")

    def holdfast(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    return holdfast
