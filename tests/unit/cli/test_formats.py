"""-o json and -o yaml work for every command, and on every terminal; colours and signs degrade."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from holdfast.cli.encoding import make_plain
from holdfast.v1 import core_pb2 as core
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import FINDINGS, JOB_ID, PLAN_ID, RESPONSES
from unit.cli.scripts import PLAIN
from unit.cli.test_commands import commands

#: Commands that wait for a job.
WAITING = (("audit", "charging"), ("apply", PLAN_ID), ("rollback", JOB_ID), ("restore", JOB_ID))
#: Commands whose result is a file, in a format of its own.
FILES = {"report", "export findings", "export plan", "completion"}


def leaves() -> set[str]:
    paths = {" ".join(path) for path in commands()}
    return {path for path in paths if path and not any(other.startswith(f"{path} ") for other in paths)}


def test_every_command_is_looped_over():
    """A new command is not done before its JSON is looked at."""
    looped = {" ".join(line[: len(path.split())]) for line in (*PLAIN, *WAITING) for path in leaves() if " ".join(line).startswith(path)}

    assert leaves() - looped - FILES - {"watch", "init"} == set()


@pytest.mark.parametrize("arguments", WAITING, ids=" ".join)
def test_waiting_commands_print_nothing_but_the_result(ready: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...]):
    """However much happens meanwhile; YAML is the same value."""
    as_json, as_yaml = holdfast("-o", "json", *arguments), holdfast("-o", "yaml", *arguments)

    assert (as_json.code, as_json.err, as_yaml.err) == (0, "", "")
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out)


def test_watch_and_init(ready: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Watching prints a line per message as JSON, and as YAML the job as it ended; init prints what it wrote a file from."""
    lines = holdfast("watch", JOB_ID, "-o", "json").out.splitlines()
    relationships = json.loads(holdfast("-o", "json", "init", "charging", "--output", str(tmp_path / "p.yaml")).out)

    assert [json.loads(line) for line in lines]
    assert yaml.safe_load(holdfast("watch", JOB_ID, "-o", "yaml").out)["job"]["id"] == JOB_ID
    assert len(relationships["relationships"]) == len(RESPONSES["relationships"].relationships)


def run(server: ScriptedServer, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, in a pipe."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "TERM"}
    }
    command = [sys.executable, "-m", "holdfast.cli", "--server", server.address, *arguments]
    return subprocess.run(command, env=kept | {"COLUMNS": "80"} | environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("environment", "option", "has_colour"),
    [
        ({}, (), False),
        ({"CLICOLOR_FORCE": "1"}, (), True),
        ({"CLICOLOR_FORCE": "0"}, (), False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, (), False),
        ({"CLICOLOR_FORCE": "1"}, ("--no-color",), False),
    ],
    ids=str,
)
def test_colours(ready: ScriptedServer, environment: dict[str, str], option: tuple[str, ...], *, has_colour: bool):
    """None in a pipe, unless asked for; NO_COLOR and --no-color always win."""
    done = run(ready, "findings", "charging", *option, TERM="xterm", **environment)

    assert done.returncode == 0
    assert bool(re.search(rb"\x1b\[[\d;]*3\dm", done.stdout)) is has_colour


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [
        ("ascii", ("relationships", "charging")),
        ("iso-8859-1", ("apply", PLAN_ID)),
        ("ascii", ("--help",)),
        ("ascii", ("history", "charging")),
    ],
    ids=str,
)
def test_terminals_without_unicode(ready: ScriptedServer, encoding: str, arguments: tuple[str, ...]):
    """Arrows become ->, lines become dashes; nothing fails, and nothing becomes a question mark."""
    done = run(ready, *arguments, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    text = done.stdout.decode(encoding)

    assert done.returncode == 0, done.stderr
    assert text
    assert "?" not in text.replace("? ", "").replace("?\n", "")
    if "relationships" in arguments:
        assert "->" in text


def test_names_survive_a_terminal_without_unicode(ready: ScriptedServer):
    """JSON and YAML escape what the terminal cannot write; a script is a file, and files are UTF-8."""
    finding = core.Finding()
    finding.CopyFrom(FINDINGS[0])
    finding.message = "8 rows of Müllstraße → 道路"
    response = type(RESPONSES["findings"])(findings=[finding])
    ready.answers["ListFindings"] = response
    ready.answers["RenderPlan"] = type(RESPONSES["script"])(script='SELECT 1 FROM "道路";\n')
    printed = [run(ready, "-o", kind, "findings", "charging", PYTHONIOENCODING="ascii", PYTHONUTF8="0").stdout for kind in ("json", "yaml")]
    script = run(ready, "script", PLAN_ID, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert json.loads(printed[0])["findings"][0]["message"] == finding.message
    assert yaml.safe_load(printed[1])["findings"][0]["message"] == finding.message
    assert script.stdout.decode() == 'SELECT 1 FROM "道路";\n'


def test_signs_have_plain_spellings():
    """Every sign that the command prints; what a database holds beyond that becomes a question mark."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    make_plain(stream)
    stream.write("a → b · c – d … ≈3 × 4 █▁ é")
    stream.flush()

    assert stream.buffer.getvalue() == b"a -> b - c - d ... ~3 x 4 #_ ?"
