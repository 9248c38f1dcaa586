"""A command on a terminal of its own, as a person would see it: keys go in, what it prints comes out."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self

CTRL_C = b"\x03"


class Terminal:
    """Runs one command; its standard streams are a terminal of so many columns."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, columns: int = 80, rows: int = 24) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = ""
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
            # The terminal sends the signals of its keys to whom it controls.
            preexec_fn=lambda: _take_over(slave),  # noqa: PLW1509
            close_fds=True,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def wait_for(self, words: str, seconds: float = 30) -> None:
        """Read on until words were printed."""
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < deadline, f"{words!r} was not printed:\n{self.seen}"
            assert self._read(), f"it ended before {words!r} was printed:\n{self.seen}"

    def end(self, seconds: float = 30) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, self.seen
        return self._process.wait(timeout=seconds)

    def _read(self) -> bool:
        if select.select([self._master], [], [], 1.0)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                # Linux says so when the last of the other side is gone.
                return False
            self.seen += data.decode(errors="replace")
            return bool(data)
        return True


def _take_over(slave: int) -> None:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
