"""The audit log as a file, verified without a service: in come lines and places noted elsewhere, out comes what is wrong and where.

The format and the hashes are documented in docs/audit_log.md. Needs the standard library only.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

FORMAT = 1
_TEXTS = ("time", "principal", "action", "database", "subject", "outcome")
_FIELDS = {"sequence", *_TEXTS, "details", "hash"}
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_ANCHOR = re.compile(r"\b([1-9][0-9]{0,17}):([0-9a-f]{64})\b")
#: What an anchor can name; nobody writes as many entries.
_MOST = 10**18 - 1
#: Longer than any entry that the service can send; a file may be anybody's.
_LONGEST_LINE = 16 * 1024 * 1024


class Anchor(NamedTuple):
    """A place in the audit log: an entry and its hash. Written `SEQUENCE:HASH`."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        """Return it as it is noted."""
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the place that a text names; None when it names none."""
        match = _ANCHOR.fullmatch(text.strip())
        return cls(int(match[1]), match[2]) if match else None


#: Before the first entry.
BEGINNING = Anchor(0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it was exported; the time is text, because its text is what was hashed."""

    sequence: int
    time: str
    principal: str
    action: str
    database: str
    subject: str
    outcome: str
    details: Mapping[str, str]
    hash: str

    def hash_after(self, previous_hash: str) -> str:
        """Return the hash that this entry must have after an entry with the given one."""
        content = [self.sequence, *(getattr(self, name) for name in _TEXTS), dict(self.details)]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256((previous_hash + text).encode()).hexdigest()

    def line(self) -> str:
        """Return the entry as a line of a file, without the line's end."""
        fields = {"sequence": self.sequence} | {name: getattr(self, name) for name in _TEXTS}
        return json.dumps(fields | {"details": dict(self.details), "hash": self.hash}, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verifying showed."""

    #: What the log was verified after; `BEGINNING` for a whole one.
    start: Anchor
    #: The last entry; `start` when there is none.
    head: Anchor
    entries: int
    #: 0 when intact.
    first_broken_sequence: int
    #: What is wrong; empty when intact.
    message: str

    @property
    def intact(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.first_broken_sequence


class Chain:
    """Follows a log entry by entry. Only the first fault is told: what follows a broken place proves nothing."""

    def __init__(self, start: Anchor = BEGINNING, anchors: Iterable[Anchor] = ()) -> None:
        """Take the place to verify after, and what was noted elsewhere."""
        self._start = self.head = start
        self._noted: dict[int, set[str]] = {}
        for anchor in anchors:
            self._noted.setdefault(anchor.sequence, set()).add(anchor.hash)
        #: The last place that was noted and found as noted.
        self._proven = 0
        self._entries = 0
        self._broken_at = 0
        self._message = ""
        self._compare(start)

    def take(self, entry: Entry) -> None:
        """Check the next entry."""
        self._entries += 1
        due = self.head.sequence + 1
        if entry.sequence > due:
            missing = f"Entry {due} is" if entry.sequence == due + 1 else f"Entries {due} to {entry.sequence - 1} are"
            self.fail(due, f"{missing} missing.")
        elif entry.sequence < due:
            self.fail(max(1, entry.sequence), f"Entry {entry.sequence} is where entry {due} belongs.")
        elif entry.hash != entry.hash_after(self.head.hash):
            self.fail(due, f"Entry {due} was changed: its hash is not that of its content after entry {due - 1}.")
        else:
            self._compare(Anchor(entry.sequence, entry.hash))
        self.head = Anchor(entry.sequence, entry.hash)

    def verdict(self) -> Verdict:
        """Return what was found; call it after the last entry."""
        head = self.head.sequence
        if beyond := min((sequence for sequence in self._noted if sequence > head), default=0):
            self.fail(head + 1, f"The log ends at entry {head}, but entry {beyond} was noted: export it again, or its end is missing.")
        return Verdict(
            start=self._start,
            head=self.head,
            entries=self._entries,
            first_broken_sequence=self._broken_at,
            message=self._message,
        )

    def fail(self, sequence: int, message: str) -> None:
        """Remember what is wrong, unless something was before."""
        if not self._broken_at:
            self._broken_at, self._message = sequence, message

    def _compare(self, place: Anchor) -> None:
        noted = self._noted.get(place.sequence, set())
        if noted - {place.hash}:
            first = max(self._start.sequence, self._proven) + 1 if place.sequence > self._start.sequence else place.sequence
            where = f"Entry {first}" if first == place.sequence else f"One of the entries {first} to {place.sequence}"
            self.fail(first, f"{where} was rewritten with all later hashes: entry {place.sequence} had another hash when it was noted.")
        elif noted:
            self._proven = place.sequence


def verify(path: Path, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Verify an exported file in one pass, a line at a time; OSError when it cannot be read.

    Anchors before the file's first entry cannot be compared and are left out.
    """
    with path.open("rb") as lines:
        start = _start(lines.readline(_LONGEST_LINE))
        if start is None:
            chain = Chain()
            chain.fail(1, "The first line is not that of an exported audit log.")
            return chain.verdict()
        chain = Chain(start, anchors)
        for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), b""), start=2):
            entry = _entry(line)
            if entry is None:
                chain.fail(
                    chain.head.sequence + 1,
                    f"Line {number} is not a whole entry of the audit log, where entry {chain.head.sequence + 1} belongs.",
                )
                break
            chain.take(entry)
    return chain.verdict()


def start_of(path: Path) -> Anchor | None:
    """Return the place that a file goes on after; None when it is no exported log."""
    with path.open("rb") as lines:
        return _start(lines.readline(_LONGEST_LINE))


def start_line(start: Anchor) -> str:
    """Return the first line of a file that goes on after a place, without the line's end."""
    return json.dumps({"holdfast_audit_log": FORMAT, "after_sequence": start.sequence, "after_hash": start.hash})


def anchors_in(text: str) -> Iterator[Anchor]:
    """Yield the places that a text names: `SEQUENCE:HASH` anywhere but in JSON, and what the service logs of the audit log."""
    # Not splitlines: it also ends lines where JSON does not.
    for line in text.split("\n"):
        _, brace, rest = line.partition("{")
        logged = _object(f"{brace}{rest}\n".encode(errors="replace")) if brace else None
        if logged is None:
            yield from (Anchor(int(match[1]), match[2]) for match in _ANCHOR.finditer(line))
        elif (place := _logged(logged)) is not None:
            yield place


def _logged(line: Mapping[str, Any]) -> Anchor | None:
    """Return the place that a line of the service's log tells of. Its other fields may hold what callers say of themselves."""
    match line:
        case {"event": "audit_log_appended", "sequence": int(sequence), "hash": str(hash_)}:
            return Anchor.parse(f"{sequence}:{hash_}")
        case {"event": "audit_log_rewritten", "known": str(known)}:
            return Anchor.parse(known)
    return None


def _start(line: bytes) -> Anchor | None:
    fields = _object(line)
    if fields is None or set(fields) != {"holdfast_audit_log", "after_sequence", "after_hash"} or fields["holdfast_audit_log"] != FORMAT:
        return None
    sequence, hash_ = fields["after_sequence"], fields["after_hash"]
    if type(sequence) is not int or sequence > _MOST or not isinstance(hash_, str):
        return None
    is_right = _HASH.match(hash_) if sequence > 0 else (sequence, hash_) == BEGINNING
    return Anchor(sequence, hash_) if is_right else None


def _entry(line: bytes) -> Entry | None:
    fields = _object(line)
    # A field that is not hashed could be added by anybody.
    if fields is None or set(fields) != _FIELDS or type(fields["sequence"]) is not int or abs(fields["sequence"]) > _MOST:
        return None
    details = fields["details"]
    texts = [fields[name] for name in (*_TEXTS, "hash")]
    if not isinstance(details, dict) or not all(isinstance(text, str) for text in (*texts, *details.values())):
        return None
    return Entry(**fields)


def _object(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line.decode(), object_pairs_hook=_without_twins)
        # A lone surrogate is JSON but no text.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that is there twice: readers differ in which one they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
