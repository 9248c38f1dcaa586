"""The hash chain of the audit log: in come entries, oldest first, and places noted elsewhere; out comes the first thing wrong.

Documented in docs/audit_log.md so that others can compute it. The client has an implementation of its own, which needs no service.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC

import msgspec

from holdfastd.store.model import Anchor, LogEntry, LogVerification


def hash_of(previous_hash: str, entry: LogEntry) -> str:
    """Return SHA-256 over the previous hash and the entry as canonical JSON: fields in this order, details sorted, time in UTC."""
    texts = (entry.principal, entry.action, entry.database, entry.subject, entry.outcome)
    content = (entry.sequence, entry.time.astimezone(UTC).isoformat(timespec="microseconds"), *texts, dict(entry.details))
    return hashlib.sha256(previous_hash.encode() + msgspec.json.encode(content, order="sorted")).hexdigest()


class Chain:
    """Follows a log from its first entry on. Only the first fault is told: what follows a broken place proves nothing."""

    def __init__(self, anchors: Sequence[Anchor] = ()) -> None:
        """Take what was noted elsewhere."""
        self._noted: dict[int, set[str]] = {}
        for anchor in anchors:
            self._noted.setdefault(anchor.sequence, set()).add(anchor.hash)
        self._last = Anchor(0, "")
        #: The last entry that was noted and found as noted.
        self._proven = 0
        self._entries = 0
        self._broken_at = 0
        self._message = ""

    def take(self, entry: LogEntry) -> None:
        """Check the next entry."""
        self._entries += 1
        due = self._last.sequence + 1
        if entry.sequence > due:
            missing = f"Entry {due} is" if entry.sequence == due + 1 else f"Entries {due} to {entry.sequence - 1} are"
            self._break(due, f"{missing} missing.")
        elif entry.sequence < due:
            self._break(max(1, entry.sequence), f"Entry {entry.sequence} is where entry {due} belongs.")
        elif entry.hash != hash_of(self._last.hash, entry):
            self._break(due, f"Entry {due} was changed: its hash is not that of its content after entry {due - 1}.")
        else:
            self._compare(entry)
        self._last = Anchor(entry.sequence, entry.hash)

    def verdict(self) -> LogVerification:
        """Return what was found; call it after the last entry."""
        beyond = min((sequence for sequence in self._noted if sequence > self._last.sequence), default=0)
        if beyond:
            self._break(
                self._last.sequence + 1, f"The log ends at entry {self._last.sequence}, but entry {beyond} was noted: its end is missing."
            )
        return LogVerification(
            intact=not self._broken_at,
            entries=self._entries,
            first_broken_sequence=self._broken_at,
            head_hash=self._last.hash,
            message=self._message,
        )

    def _compare(self, entry: LogEntry) -> None:
        noted = self._noted.get(entry.sequence, set())
        if noted - {entry.hash}:
            first = self._proven + 1
            where = f"Entry {first}" if first == entry.sequence else f"One of the entries {first} to {entry.sequence}"
            self._break(first, f"{where} was rewritten with all later hashes: entry {entry.sequence} had another hash when it was noted.")
        elif noted:
            self._proven = entry.sequence

    def _break(self, sequence: int, message: str) -> None:
        if not self._broken_at:
            self._broken_at, self._message = sequence, message
