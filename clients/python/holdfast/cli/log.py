"""`holdfast log`: who did what to which database when, kept in a file, and proof that nobody changed it."""

import re
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.failures import ExitCode, InputError
from holdfast.cli.render import log as tables
from holdfast.cli.session import Session, command
from holdfast.log_export import NoSuchEntry, export
from holdfast.log_file import Anchor, Verdict, anchors_in, verify
from holdfast.v1.audit_log_service_pb2 import VerifyEntriesResponse

commands = typer.Typer()

#: A page of the service.
_SHOWN = 1000

_DATABASE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")

NameOrFile = Annotated[
    str,
    typer.Argument(metavar="[NAME|FILE]", help="Only entries about this database; with --verify, an exported file.", show_default=False),
]
Verify = Annotated[bool, typer.Option("--verify", help="Recompute all hashes instead; end with 1 when the log was tampered with.")]
Anchors = Annotated[
    list[str] | None,
    typer.Option(
        "--anchor", metavar="SEQ:HASH", help="With --verify: an entry that was noted earlier. May be repeated.", show_default=False
    ),
]
AnchorsFile = Annotated[
    Path | None,
    typer.Option("--anchors-file", metavar="FILE", help="With --verify: a text with SEQ:HASH in it, or the log of holdfastd."),
]
Export = Annotated[Path | None, typer.Option("--export", metavar="FILE", help="Write the log to a file, or go on where it ends.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Show so many entries; 1000 without.", show_default=False)]
After = Annotated[int, typer.Option("--after", metavar="SEQ", min=0, help="With --export: begin a new file after this entry.")]


@command(commands, "log", example="holdfast log --verify")
async def log(
    session: Session,
    name: NameOrFile = "",
    verify_: Verify = False,
    anchor: Anchors = None,
    anchors_file: AnchorsFile = None,
    export_: Export = None,
    after: After = 0,
    limit: Limit = None,
) -> ExitCode:
    """Show the audit log, newest first, or export or verify it."""
    if limit and (verify_ or export_):
        raise InputError("--limit is for showing entries; all are verified and exported.")
    _refuse_mixture(verify=verify_, exports=export_ is not None, anchored=bool(anchor or anchors_file), after=after, name=name)
    if export_ is not None:
        return await _export(session, export_, after)
    if not verify_:
        await _list(session, name, limit or _SHOWN)
        return ExitCode.FINE
    anchors = _anchors(anchor or [], anchors_file)
    if _is_file(name):
        return _verify_file(session, Path(name), anchors)
    if name:
        await _refuse_unknown(session, name)
    verified = await session.client.verify_entries(anchors)
    session.show(verified)
    return ExitCode.FINE if verified.intact else ExitCode.FINDINGS


async def _list(session: Session, name: str, limit: int) -> None:
    """Show the newest entries: a log is never pruned, and a table of all would take minutes."""
    whole = await session.client.list_entries(database=name, page_size=min(limit, _SHOWN))
    while whole.next_page_token and (wanted := limit - len(whole.entries)) > 0:
        more = await session.client.list_entries(database=name, page_size=min(wanted, _SHOWN), page_token=whole.next_page_token)
        whole.entries.extend(more.entries)
        whole.next_page_token = more.next_page_token
    session.show(whole)
    if whole.next_page_token:
        session.tell(f"There are older entries; --limit shows more than {limit}, --export keeps all.")


async def _export(session: Session, path: Path, after: int) -> ExitCode:
    try:
        verdict = await export(session.client.export_entries, path, after=after)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give another file.") from None
    except NoSuchEntry as error:
        raise InputError(str(error)) from None
    return _show(session, verdict)


def _verify_file(session: Session, path: Path, anchors: list[Anchor]) -> ExitCode:
    try:
        verdict = verify(path, anchors)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a file that `holdfast log --export` wrote.") from None
    start = verdict.start.sequence
    if start:
        session.tell(f"The file begins after entry {start}; keep the files before it, or an anchor {verdict.start}.")
    if left_out := sum(anchor.sequence < start for anchor in anchors):
        session.tell(f"Not compared, because they lie before the file: {left_out} of {len(anchors)} anchors.")
    return _show(session, verdict)


def _show(session: Session, verdict: Verdict) -> ExitCode:
    response = VerifyEntriesResponse(
        intact=verdict.intact,
        entries=verdict.entries,
        first_broken_sequence=verdict.first_broken_sequence,
        head_hash=verdict.head.hash,
        message=verdict.message,
    )
    session.show(response, tables.verified(response, after=verdict.start.sequence))
    if verdict.intact and verdict.head.sequence:
        session.tell(f"Keep this where the store's owner cannot write: {verdict.head}")
    return ExitCode.FINE if verdict.intact else ExitCode.FINDINGS


async def _refuse_unknown(session: Session, name: str) -> None:
    """Refuse the name of a file that is not there: the log of the service would be verified in its place, and be intact."""
    known = await session.client.list_entries(database=name, page_size=1)
    if not known.entries:
        raise InputError(f"There is no file {name}, and no entry about a database of that name; correct it, or leave it away.")
    session.tell(f"Verified is the whole log of the service, not only what concerns {name}: hashes chain all entries.")


def _is_file(name: str) -> bool:
    """Tell whether an exported file is meant. A word that may be a database is one: the log of the service is verified whole."""
    if not name or not _DATABASE_NAME.match(name):
        return bool(name)
    if Path(name).exists():
        raise InputError(f"{name} may be a database or a file; for the file say ./{name}, for the log of the service leave it away.")
    return False


def _anchors(texts: list[str], path: Path | None) -> list[Anchor]:
    anchors = []
    for text in texts:
        anchor = Anchor.parse(text)
        if anchor is None:
            raise InputError("--anchor is the number of an entry, a colon, and its hash: 64 lower-case hexadecimal digits.")
        anchors.append(anchor)
    if path is not None:
        try:
            found = list(anchors_in(path.read_text(errors="replace")))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); correct --anchors-file.") from None
        if not found:
            raise InputError(f"{path} holds no anchor; an anchor is the number of an entry, a colon, and its hash.")
        anchors += found
    return list(dict.fromkeys(anchors))


def _refuse_mixture(*, verify: bool, exports: bool, anchored: bool, after: int, name: str) -> None:
    if verify and exports:
        raise InputError("--export verifies what it writes; give --verify or --export, not both.")
    if anchored and not verify:
        raise InputError("Anchors are compared by --verify; add it.")
    if after and not exports:
        raise InputError("--after says where an exported file begins; give --export FILE, too.")
    if exports and name:
        raise InputError("The log is exported whole, because hashes chain all entries; leave the name away.")
