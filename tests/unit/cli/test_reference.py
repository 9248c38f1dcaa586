"""docs/reference/cli.md is what the commands say."""

import subprocess
import sys
from pathlib import Path

import typer.main

from holdfast.cli.main import app
from holdfast.cli.panels import PANELS

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_is_what_the_commands_say():
    """A command that is changed is changed on the page by `make docs`."""
    checked = subprocess.run(
        [sys.executable, str(ROOT / "docs/reference/write_cli.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_every_command_has_a_heading():
    """`holdfast --help` lists each under one of four."""
    commands = typer.main.get_command(app).commands

    assert [name for name, command in commands.items() if not isinstance(command.rich_help_panel, str)] == []
    assert {name for name in PANELS if name not in commands} <= {"impact", "export"}
