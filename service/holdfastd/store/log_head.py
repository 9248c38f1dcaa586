"""The newest entry of the audit log that this replica knows of, told to whoever calls, so that it is noted outside the store.

In come entries as their transactions commit, and what the store says now and then; out come the head, and a log line per entry.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from holdfastd.store.model import Anchor, LogEntry

log = structlog.get_logger()

_appended: ContextVar[list[LogEntry] | None] = ContextVar("appended", default=None)


def was_appended(entry: LogEntry) -> None:
    """Remember an entry until its transaction ends; only `LogHead.following` makes it known."""
    entries = _appended.get()
    if entries is not None:
        entries.append(entry)


class LogHead:
    """The head, as far as this replica knows."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self.newest = Anchor(0, "")

    def noted(self) -> str:
        """Return the head as `SEQUENCE:HASH`; empty while none is known."""
        return str(self.newest) if self.newest.sequence else ""

    @contextmanager
    def following(self) -> Iterator[None]:
        """Surround a transaction: what it appended is made known once it is committed, and forgotten when it is not."""
        outer, entries = _appended.get(), list[LogEntry]()
        _appended.set(entries)
        try:
            yield
        finally:
            # By hand: a token could only be used in the very context it comes from.
            _appended.set(outer)
        for entry in entries:
            if entry.sequence > self.newest.sequence:
                self.newest = Anchor(entry.sequence, entry.hash)
            log.info("audit_log_appended", sequence=entry.sequence, hash=entry.hash, action=entry.action)

    def compare(self, read: Anchor, known: Anchor) -> None:
        """Take the head that the store gave, and what was known before it was asked: a log never gets shorter."""
        if read.sequence < known.sequence or (read.sequence == known.sequence and read.hash != known.hash):
            # Also after the store was put back from a backup; either way somebody must know.
            log.error("audit_log_rewritten", known=str(known), found=str(read))
            self.newest = read
        elif read.sequence > self.newest.sequence:
            self.newest = read
