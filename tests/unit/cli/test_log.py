"""`holdfast log` keeps the audit log in files and verifies them."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.log_export import entry_of
from holdfast.log_file import BEGINNING, Anchor, verify
from holdfast.v1 import audit_log_service_pb2 as pb
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast

DIGEST = "ab" * 32


def logged(count: int, principal: str = "ann") -> list[pb.AuditLogEntry]:
    """A log as the service keeps it."""
    entries: list[pb.AuditLogEntry] = []
    previous = ""
    for number in range(1, count + 1):
        entry = pb.AuditLogEntry(
            sequence=number, principal=principal, action="plan.approve", database="shop", outcome="OK", details={"a": "ü"}
        )
        entry.time.FromDatetime(datetime(2026, 1, 1, 0, 0, number, 120, tzinfo=UTC))
        entry.hash = previous = entry_of(entry).hash_after(previous)
        entries.append(entry)
    return entries


def serve(server: ScriptedServer, entries: list[pb.AuditLogEntry]) -> None:
    """Send the entries after the one asked for, two at a time."""

    def export(request: pb.ExportEntriesRequest) -> list[pb.ExportEntriesResponse]:
        wanted = entries[request.after_sequence :]
        return [pb.ExportEntriesResponse(entries=wanted[at : at + 2]) for at in range(0, len(wanted), 2)]

    server.answers["ExportEntries"] = export


def anchor(entry: pb.AuditLogEntry) -> str:
    return f"{entry.sequence}:{entry.hash}"


def test_an_exported_log_verifies_without_the_service(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Nothing is connected to; the head is told so that it can be kept elsewhere."""
    entries, file = logged(5), str(tmp_path / "audit.log")
    serve(server, entries)
    exported = holdfast("log", "--export", file)
    asked = len(server.requests)
    verified = holdfast("--ca", "/nowhere", "log", "--verify", file, "--anchor", anchor(entries[2]))

    assert (exported.code, verified.code, len(server.requests)) == (0, 0, asked)
    assert "intact" in exported.out
    assert anchor(entries[4]) in exported.err.replace("\n", "")
    assert anchor(entries[4]) in verified.err.replace("\n", "")


def test_an_export_goes_on_where_the_file_ends(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Also when the last one was interrupted in the middle of a line."""
    entries, file = logged(5), tmp_path / "audit.log"
    for count in (0, 2, 2, 3):
        serve(server, entries[:count])
        assert holdfast("log", "--export", str(file)).code == 0
    with file.open("a") as appended:
        appended.write('{"sequence": 4, "ti')
    serve(server, entries)
    result = holdfast("log", "--export", str(file))

    assert (result.code, verify(file).intact, verify(file).entries) == (0, True, 5)
    assert [request.after_sequence for request in server.requests] == [0, 0, 1, 1, 2]


def test_a_new_file_may_begin_later(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """One file per month, each standing on the hash of the entry before it."""
    entries, file = logged(5), tmp_path / "audit.log"
    serve(server, entries)
    result = holdfast("log", "--export", str(file), "--after", "3")
    verified = holdfast("log", "--verify", str(file), "--anchor", anchor(entries[0]), "--anchor", anchor(entries[3]))

    assert (result.code, verified.code) == (0, 0)
    assert verify(file).start == Anchor(3, entries[2].hash)
    assert verify(file).entries == 2
    assert "1 of 2 anchors" in verified.err


def test_an_export_notices_that_the_log_was_written_anew(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Or shortened: what was exported is an anchor."""
    file = tmp_path / "audit.log"
    serve(server, logged(3))
    assert holdfast("log", "--export", str(file)).code == 0
    kept = file.read_text()
    found = []
    for entries in (logged(5, principal="eve"), logged(2), []):
        serve(server, entries)
        found.append(holdfast("log", "--export", str(file)))

    assert [result.code for result in found] == [1, 1, 1]
    assert "rewritten" in found[0].out
    assert "no entry 3 any more" in " ".join(found[1].out.split())
    assert kept == file.read_text()


def test_a_broken_log_is_exported_and_told(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """It is evidence; a file that is broken is not gone on with."""
    entries, file = logged(4), tmp_path / "audit.log"
    entries[2].principal = "eve"
    serve(server, entries)
    first, second = holdfast("log", "--export", str(file)), holdfast("log", "--export", str(file))

    assert (first.code, second.code, len(server.requests)) == (1, 1, 1)
    assert "broken at entry 3" in first.out
    assert verify(file).first_broken_sequence == 3


def test_an_export_spares_what_is_no_audit_log(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """A slip in the file's name costs nothing."""
    serve(server, logged(1))
    (tmp_path / "notes").write_text("mine\nand mine")

    assert holdfast("log", "--export", str(tmp_path / "notes")).code == 1
    assert (tmp_path / "notes").read_text() == "mine\nand mine"


def test_an_empty_log_is_a_file_too(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Otherwise the first export of a new service would look like a removed one."""
    file = tmp_path / "audit.log"
    serve(server, [])

    assert holdfast("log", "--export", str(file)).code == 0
    assert (verify(file).intact, verify(file).head) == (True, BEGINNING)


def test_anchors_are_compared_by_the_service(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """Those that were typed, and those in the log that holdfastd wrote."""
    server.answers["ListEntries"] = pb.ListEntriesResponse(entries=logged(1))
    server.answers["VerifyEntries"] = pb.VerifyEntriesResponse(intact=True, entries=9, head_hash=DIGEST)
    (tmp_path / "notes").write_text(f'7:{DIGEST}\n{{"event": "audit_log_appended", "sequence": 8, "hash": "{DIGEST}"}}\n')
    result = holdfast("log", "shop", "--verify", "--anchor", f"3:{DIGEST}", "--anchors-file", str(tmp_path / "notes"))

    assert result.code == 0
    assert server.requests[1:] == [pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=number, hash=DIGEST) for number in (3, 7, 8)])]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("log", "--verify", "./nowhere.log"), "cannot be read"),
        (("log", "--verify", "--anchor", "3"), "--anchor is the number of an entry, a colon, and its hash"),
        (("log", "--verify", "--anchor", f"0:{DIGEST}"), "--anchor is the number"),
        (("log", "--verify", "--anchors-file", "/dev/null"), "holds no anchor"),
        (("log", "--verify", "--anchors-file", "/nowhere"), "correct --anchors-file"),
        (("log", "--anchor", f"1:{DIGEST}"), "compared by --verify; add it"),
        (("log", "--verify", "--export", "x"), "not both"),
        (("log", "--after", "3"), "give --export FILE"),
        (("log", "shop", "--export", "x"), "exported whole"),
        (("log", "--export", "/nowhere/audit.log"), "cannot be written"),
        (("log", "--export", "/dev/null", "--after", "9"), "give a smaller --after"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(server: ScriptedServer, holdfast: Holdfast, arguments: tuple[str, ...], words: str):
    """And ends with 2; 1 says that somebody tampered."""
    serve(server, [])
    result = holdfast(*arguments)

    assert result.code == 2
    assert words in result.err


def test_a_word_that_may_be_a_database_or_a_file_is_asked_about(
    ready: ScriptedServer, holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Verifying something else than was meant would be false comfort."""
    monkeypatch.chdir(tmp_path)
    serve(ready, logged(1))
    holdfast("log", "--export", "audit")

    assert "say ./audit" in holdfast("log", "--verify", "audit").err
    assert holdfast("log", "--verify", "./audit").code == 0
    assert holdfast("log", "--verify", "shop").code == 0


def test_a_file_that_is_not_there_is_not_verified(server: ScriptedServer, holdfast: Holdfast):
    """Its name may be that of a database; the log of the service in its place would be false comfort."""
    server.answers["ListEntries"] = pb.ListEntriesResponse()
    server.answers["VerifyEntries"] = pb.VerifyEntriesResponse(intact=True)
    result = holdfast("log", "--verify", "auditlog")

    assert (result.code, result.out) == (2, "")
    assert "no file auditlog" in result.err


def test_what_was_added_is_told_from_what_was_there(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """An export that finds nothing new would otherwise seem to have lost all."""
    serve(server, logged(3))
    results = [holdfast("log", "--export", str(tmp_path / "audit.log")) for _ in range(2)]

    assert "entries    3 " in results[0].out
    assert "entries    0 after entry 3" in results[1].out


def test_an_export_that_fails_leaves_no_file(server: ScriptedServer, holdfast: Holdfast, tmp_path: Path):
    """An empty file would look like an export."""
    serve(server, [])

    assert holdfast("log", "--export", str(tmp_path / "audit.log"), "--after", "9").code == 2
    assert list(tmp_path.iterdir()) == []


def _columns(head: str, *names: str) -> list[tuple[int, int]]:
    starts = [*(head.index(name) for name in names), 200]
    return list(pairwise(starts))


def test_nothing_falls_off_the_screen(server: ScriptedServer, holdfast: Holdfast):
    """However long names are: who, what, where and why not."""
    entry = logged(1)[0]
    entry.principal, entry.database = "spiffe://example.org/ns/build/sa/continuous-integration", "a-database-with-a-long-name"
    entry.subject, entry.outcome = "missing-index:public.charging_sessions(station_id)", "SECOND_PERSON_NEEDED"
    server.answers["ListEntries"] = pb.ListEntriesResponse(entries=[entry])
    lines = holdfast("log").out.splitlines()
    columns = [[line[start:end].strip() for line in lines[2:]] for start, end in _columns(lines[0], "Who", "What", "Database")]

    assert max(map(len, lines)) <= 80
    assert ["".join(columns[0]), "".join(columns[2])] == [entry.principal, entry.database]
    assert "".join(columns[1]) == f"{entry.action}{entry.subject}FAILED {entry.outcome}"


def test_the_newest_entries_are_shown(server: ScriptedServer, holdfast: Holdfast):
    """A log grows for years; that there is more is told, to programs by the token."""
    server.answers["ListEntries"] = pb.ListEntriesResponse(entries=reversed(logged(2)), next_page_token="more")
    first, both = holdfast("log", "--limit", "2"), holdfast("log", "--limit", "3", "-o", "json")

    assert [request.page_size for request in server.requests] == [2, 3, 1]
    assert [request.page_token for request in server.requests] == ["", "", "more"]
    assert "older entries; --limit shows more than 2" in " ".join(first.err.split())
    assert '"next_page_token": "more"' in both.out
    assert "all are verified" in holdfast("log", "--verify", "--limit", "3").err
