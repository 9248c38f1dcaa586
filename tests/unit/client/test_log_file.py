"""An exported audit log is verified without a service."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.log_file import BEGINNING, Anchor, Entry, anchors_in, start_line, verify

Lines = list[str]


def chained(count: int, after: Anchor = BEGINNING, principal: str = "ann") -> list[Entry]:
    """Entries as the service would have written them."""
    entries: list[Entry] = []
    previous = after
    for number in range(after.sequence + 1, after.sequence + count + 1):
        fields = {
            "sequence": number,
            "time": f"2026-01-01T00:00:{number:02}.000000+00:00",
            "principal": principal,
            "action": "plan.approve",
        }
        unsigned = Entry(**fields, database="shop", subject=f"plan-{number}", outcome="OK", details={"b": "ü\n", "a": '"'}, hash="")
        entries.append(
            Entry(
                **fields,
                database="shop",
                subject=f"plan-{number}",
                outcome="OK",
                details={"b": "ü\n", "a": '"'},
                hash=unsigned.hash_after(previous.hash),
            )
        )
        previous = Anchor(number, entries[-1].hash)
    return entries


def written(directory: Path, lines: Lines) -> Path:
    path = directory / "audit.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def lines_of(entries: list[Entry], after: Anchor = BEGINNING) -> Lines:
    return [start_line(after), *(entry.line() for entry in entries)]


def anchor(entry: Entry) -> Anchor:
    return Anchor(entry.sequence, entry.hash)


def test_the_hash_is_that_of_the_documentation():
    """A vector that other languages can be checked against; it must never change."""
    first = Entry(
        sequence=1, time="2026-01-02T03:04:05.000006+00:00", principal="Zoë", action="plan.approve", database="shop", subject="plan-1",
        outcome="OK", details={"b": "two\nlines", "a": 'a "quote"'}, hash="",
    )  # fmt: skip

    assert first.hash_after("") == "0fc00600eb3f588a789bd74b41f66a4f684f4bf5528d51a06b738c929132ee3d"
    assert (
        first.hash_after("0fc00600eb3f588a789bd74b41f66a4f684f4bf5528d51a06b738c929132ee3d")
        == "a321690449a89ca4c2ccc1e0971c57bc316d4acc05c30ee81f0824f2517c2a21"
    )


def test_an_untouched_file_is_intact(tmp_path: Path):
    """Head and number of entries are told, and right anchors change nothing."""
    entries = chained(5)
    verdict = verify(written(tmp_path, lines_of(entries)), [anchor(entries[1]), anchor(entries[4])])

    assert (verdict.intact, verdict.entries, verdict.message) == (True, 5, "")
    assert verdict.head == anchor(entries[-1])


def test_a_file_may_begin_later(tmp_path: Path):
    """Then it is verified against the hash of the entry before it."""
    earlier = chained(3)
    later = chained(2, anchor(earlier[-1]))
    verdict = verify(written(tmp_path, lines_of(later, anchor(earlier[-1]))), [anchor(earlier[-1]), anchor(later[0])])

    assert (verdict.intact, verdict.entries, verdict.start, verdict.head.sequence) == (True, 2, anchor(earlier[-1]), 5)


def _changed(number: int, **fields: object) -> Callable[[Lines], Lines]:
    return lambda lines: [json.dumps(json.loads(line) | fields) if i == number else line for i, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("tamper", "sequence", "word"),
    [
        (_changed(3, principal="eve"), 3, "changed"),
        (_changed(3, time="2026-01-01T00:00:03.000001+00:00"), 3, "changed"),
        (_changed(3, details={}), 3, "changed"),
        (_changed(3, hash="0" * 64), 3, "changed"),
        (_changed(1, outcome="FAILED"), 1, "changed"),
        (_changed(3, note="Bob agreed."), 3, "Line 4 is not"),
        (_changed(3, principal=None), 3, "Line 4 is not"),
        (_changed(3, sequence=True), 3, "Line 4 is not"),
        (_changed(3, sequence=3.0), 3, "Line 4 is not"),
        (_changed(3, sequence=10**20), 3, "Line 4 is not"),
        (_changed(3, sequence=-(10**20)), 3, "Line 4 is not"),
        (_changed(0, after_sequence=10**20, after_hash="0" * 64), 1, "first line"),
        (_changed(3, principal="\ud800"), 3, "Line 4 is not"),
        (lambda lines: [line.replace('"principal": "ann"', '"principal": "eve", "principal": "ann"') for line in lines], 1, "Line 2 is not"),
        (lambda lines: lines[:3] + lines[4:], 3, "Entry 3 is missing"),
        (lambda lines: lines[:1] + lines[3:], 1, "Entries 1 to 2 are missing"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 3, "missing"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], 3, "where entry 4 belongs"),
        (lambda lines: [*lines[:3], "", *lines[3:]], 3, "Line 4 is not"),
        (lambda lines: [*lines[:3], '{"sequence": [', *lines[3:]], 3, "Line 4 is not"),
        (lambda lines: lines[1:], 1, "first line"),
        (_changed(0, after_sequence=1, after_hash="0" * 64), 1, "where entry 2 belongs"),
        (_changed(0, after_hash="0" * 64), 1, "first line"),
        (_changed(0, holdfast_audit_log=2), 1, "first line"),
        (lambda _: [], 1, "first line"),
    ],
)  # fmt: skip
def test_tampering_is_found(tmp_path: Path, tamper: Callable[[Lines], Lines], sequence: int, word: str):
    """What was changed, removed, reordered, doubled or added is named with its place."""
    verdict = verify(written(tmp_path, tamper(lines_of(chained(5)))))

    assert (verdict.intact, verdict.first_broken_sequence) == (False, sequence)
    assert word in verdict.message


def test_a_line_that_was_cut_off_is_no_entry(tmp_path: Path):
    """Whoever removes the end of the last line is found without an anchor."""
    path = written(tmp_path, lines_of(chained(3)))
    path.write_bytes(path.read_bytes()[:-1])

    assert (verify(path).first_broken_sequence, verify(path).intact) == (3, False)


def test_only_an_anchor_tells_of_a_log_that_was_written_anew(tmp_path: Path):
    """Hashes prove that the entries belong together, not that they are the ones that were written."""
    original, forged = chained(5), chained(5, principal="eve")
    path = written(tmp_path, lines_of(forged))
    verdict = verify(path, [anchor(original[3])])

    assert verify(path).intact
    assert (verdict.first_broken_sequence, verdict.intact) == (1, False)
    assert "One of the entries 1 to 4 was rewritten" in verdict.message


def test_anchors_that_fit_narrow_down_what_was_rewritten(tmp_path: Path):
    """What lies before the last right one was not touched."""
    kept = chained(3)
    original = [*kept, *chained(2, anchor(kept[-1]))]
    forged = [*kept, *chained(2, anchor(kept[-1]), principal="eve")]
    verdict = verify(written(tmp_path, lines_of(forged)), map(anchor, original))

    assert (verdict.first_broken_sequence, verdict.message.split(" was")[0]) == (4, "Entry 4")


def test_only_an_anchor_tells_of_a_log_that_was_shortened(tmp_path: Path):
    """A log without its end is a right log of an earlier time."""
    entries = chained(5)
    path = written(tmp_path, lines_of(entries[:3]))
    verdict = verify(path, [anchor(entries[1]), anchor(entries[4])])

    assert verify(path).intact
    assert verdict.first_broken_sequence == 4
    assert verdict.message == "The log ends at entry 3, but entry 5 was noted: export it again, or its end is missing."


def test_two_hashes_of_one_entry_cannot_both_be_right(tmp_path: Path):
    """Whichever was noted first, the log was changed in between."""
    original, forged = chained(2), chained(2, principal="eve")

    assert not verify(written(tmp_path, lines_of(original)), [anchor(original[1]), anchor(forged[1])]).intact


def test_a_start_that_was_noted_otherwise_is_found(tmp_path: Path):
    """A file that begins later stands on the hash in its first line."""
    earlier, forged = chained(3), chained(3, principal="eve")
    path = written(tmp_path, lines_of(chained(2, anchor(forged[-1])), anchor(forged[-1])))

    assert verify(path).intact
    assert verify(path, [anchor(earlier[-1])]).first_broken_sequence == 3


def test_anchors_are_found_in_what_people_keep():
    """Lists, mails, and the log of the service; anything that only looks like one is left out."""
    digest = "ab" * 32
    text = f"""
        2:{digest}
        x-holdfast-audit-head: 3:{digest}
        {{"level": "info", "event": "audit_log_appended", "rpc": "x", "sequence": 4, "hash": "{digest}", "action": "plan.approve"}}
        5:{digest}0 06:{digest} 7:{digest[:-1]}
    """

    assert [found.sequence for found in anchors_in(text)] == [2, 3, 4]


def test_anchors_in_a_log_of_the_service_are_its_own_words():
    """Who calls has a say in some fields of a line; none of them may accuse the log."""
    digest, forged = "ab" * 32, "0" * 64
    lines = (
        {"event": "audit_log_appended", "sequence": 2, "hash": digest, "principal": f"\u20283:{forged}"},
        {"event": "rpc_handled", "principal": f"4:{forged}", "request_id": f'"audit_log_appended", "sequence": 5, "hash": "{forged}"'},
        {"hash": digest, "event": "audit_log_appended", "sequence": 6},
        {"event": "audit_log_rewritten", "known": f"7:{digest}", "found": f"7:{forged}"},
        {"event": "audit_log_appended", "sequence": True, "hash": digest},
    )
    text = "\n".join(f"2026-01-01T00:00:00Z stdout F {json.dumps(line, ensure_ascii=False)}" for line in lines)

    assert list(anchors_in(text)) == [Anchor(number, digest) for number in (2, 6, 7)]


def test_a_line_without_end_is_not_read_whole(tmp_path: Path):
    """A file may be anybody's: memory stays within what an entry can need."""
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.write(f"{start_line(BEGINNING)}\n".encode())
        file.truncate(2**40)
    verdict = verify(path)

    assert (verdict.first_broken_sequence, verdict.message.split(" of")[0]) == (1, "Line 2 is not a whole entry")


def test_the_documentation_verifies(tmp_path: Path):
    """Its file is intact, and its few lines of Python say the same of files as we do."""
    page = (Path(__file__).parents[3] / "docs/audit_log.md").read_text()
    shown = next(block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "after_hash" in block)
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert program
    entries = chained(4)
    files = {"shown": shown, "right": "\n".join(lines_of(entries)), "wrong": "\n".join(lines_of([*entries[:2], *entries[3:]]))}
    said = {}
    for name, text in files.items():
        path = written(tmp_path, text.strip().splitlines())
        done = subprocess.run([sys.executable, "-c", program[1], str(path)], capture_output=True, text=True, check=False)
        said[name] = (done.returncode, verify(path).intact, done.stdout.strip() or done.stderr.strip())

    assert said["shown"][:2] == (0, True)
    assert said["right"] == (0, True, f"intact up to {anchor(entries[-1])}")
    assert said["wrong"] == (1, False, "broken at entry 3")
