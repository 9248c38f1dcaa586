"""Keeping the audit log in a file: in come the entries that the service sends, out comes a file that `log_file` verifies."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from holdfast.log_file import BEGINNING, Anchor, Chain, Entry, Verdict, start_line, start_of, verify
from holdfast.v1.audit_log_service_pb2 import AuditLogEntry, ExportEntriesResponse

#: `Holdfast.export_entries`.
Export = Callable[[int], AsyncGenerator[ExportEntriesResponse, None]]

_EPOCH = datetime.fromtimestamp(0, UTC)


class NoSuchEntry(Exception):
    """The log does not reach the entry that a new file was to begin after; the message is the sentence to print."""


async def export(entries_after: Export, path: Path, *, after: int = 0) -> Verdict:
    """Write the log to a new file, or go on where an existing one ends; every hash is verified on the way.

    `after` begins a new file later than at the first entry. What is wrong with the log is written, too: it is evidence. A file that is
    itself broken, or that another log goes on with, is left as it is. OSError, HoldfastError; NoSuchEntry when `after` is too late.
    """
    place, is_new = Anchor(after, ""), True
    if path.exists() and path.stat().st_size > 0:
        if start_of(path) is not None:
            _cut_unfinished_line(path)
        found = verify(path)
        if not found.intact:
            return found
        place, is_new = found.head, False
    was_there = path.exists()
    try:
        return await _go_on(entries_after, path, place, is_new=is_new)
    finally:
        if not was_there and path.exists() and path.stat().st_size == 0:
            path.unlink()


async def _go_on(entries_after: Export, path: Path, place: Anchor, *, is_new: bool) -> Verdict:
    """Write what comes after a place to the end of a file."""
    chain = None if place.sequence else Chain()
    with path.open("ab") as file:
        # One entry more than is needed: it tells that the log is still the one that the file goes on with.
        async with aclosing(entries_after(max(0, place.sequence - 1))) as batches:
            async for batch in batches:
                entries = [entry_of(message) for message in batch.entries]
                if chain is None:
                    chain = _chain_after(place, entries.pop(0))
                    if not chain.verdict().intact:
                        return chain.verdict()
                if is_new:
                    file.write(f"{start_line(chain.head)}\n".encode())
                    is_new = False
                _append(file, entries, chain)
        if chain is None:
            return _gone(place).verdict()
        if is_new:
            file.write(f"{start_line(BEGINNING)}\n".encode())
        os.fsync(file.fileno())
    return chain.verdict()


def _append(file: BinaryIO, entries: list[Entry], chain: Chain) -> None:
    for entry in entries:
        file.write(f"{entry.line()}\n".encode())
        chain.take(entry)
    file.flush()


def entry_of(message: AuditLogEntry) -> Entry:
    """Return an entry as it is written to files: with its time as the text that was hashed."""
    time = _EPOCH + timedelta(seconds=message.time.seconds, microseconds=message.time.nanos // 1000)
    return Entry(
        sequence=message.sequence,
        time=time.isoformat(timespec="microseconds"),
        principal=message.principal,
        action=message.action,
        database=message.database,
        subject=message.subject,
        outcome=message.outcome,
        details=dict(message.details),
        hash=message.hash,
    )


def _chain_after(place: Anchor, entry: Entry) -> Chain:
    """Follow the log from the entry where the file ends, which must be the same in both."""
    found = Anchor(entry.sequence, entry.hash)
    if found.sequence != place.sequence:
        return _gone(place)
    chain = Chain(found)
    if place.hash and place != found:
        chain.fail(place.sequence, f"Entry {place.sequence} has another hash than in the file: the log was rewritten since.")
    return chain


def _gone(place: Anchor) -> Chain:
    if not place.hash:
        message = f"The log has no entry {place.sequence} that a file could begin after; give a smaller --after."
        raise NoSuchEntry(message)
    chain = Chain(place)
    chain.fail(place.sequence, f"The log has no entry {place.sequence} any more: it was shortened, or put back from a backup.")
    return chain


def _cut_unfinished_line(path: Path) -> None:
    """Drop what an export that was interrupted had begun to write."""
    with path.open("r+b") as file:
        content_end = file.seek(0, os.SEEK_END)
        position = content_end
        while position > 0:
            position = max(0, position - 4096)
            file.seek(position)
            newline = file.read(4096).rfind(b"\n")
            if newline >= 0:
                position += newline + 1
                break
        if position < content_end:
            file.truncate(position)
