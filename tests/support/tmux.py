"""A terminal of 80×24 in tmux: commands are typed, and the screen is read as a person would read it."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

_PROMPT = "$ "


class Tmux:
    """One screen with a plain bash on it, on a tmux server of its own."""

    def __init__(self, environment: Mapping[str, str], *, columns: int = 80, rows: int = 24) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self._home = Path(tempfile.mkdtemp(prefix="holdfast-tmux-"))
        self._socket = str(self._home / "socket")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment = {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **kept, **environment}
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "bash --norc --noprofile")

    def __enter__(self) -> Self:
        self.type(f"PS1='{_PROMPT}'; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'")
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")
        shutil.rmtree(self._home, ignore_errors=True)

    def run(self, command: str, seconds: float = 60) -> str:
        """Type a command, wait until the prompt is back, and return all that it printed, however long, with itself on top."""
        self.clear()
        self.type(command)
        self.wait_until_idle(command, seconds)
        return self.history()

    def wait_until_idle(self, command: str, seconds: float = 60) -> None:
        """Wait until the command has ended: its prompt is followed by another."""
        self._wait(lambda: _has_ended(self.history(), command), f"{command} goes on", seconds)

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """Wait until words are on the screen, and return the screen."""
        self._wait(lambda: words in self.screen(), f"{words!r} is not on the screen", seconds)
        return self.screen()

    def type(self, command: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", command)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key by tmux's name, such as C-c."""
        self._tmux("send-keys", key)

    def clear(self) -> None:
        """Forget what was printed."""
        self.type("clear")
        self._wait(lambda: self.screen().strip() == _PROMPT.strip(), "the screen is not clear", 10)
        self._tmux("clear-history")

    def screen(self, *, colours: bool = False) -> str:
        """Return what is on the screen; with the sequences that colour it, if asked for."""
        return self._tmux("capture-pane", "-p", *(("-e",) if colours else ()))

    def history(self) -> str:
        """Return what is on the screen and what went off its top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def _wait(self, is_there, complaint: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_there():
            assert time.monotonic() < deadline, f"{complaint}:\n{self.screen()}"
            time.sleep(0.05)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-S", self._socket, *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True).stdout


def _has_ended(text: str, command: str) -> bool:
    lines = text.rstrip().splitlines()
    return bool(lines) and lines[-1].strip() == _PROMPT.strip() and any(line.startswith(f"{_PROMPT}{command}"[:80]) for line in lines)
