"""docs/getting_started.md, typed line by line as it stands: each command prints what the page shows.

`HOLDFAST_WRITE_DOCS=1` writes the outputs anew (`make docs`). Ids, times and addresses differ from run to run: the page has names for them.
"""

import asyncio
import contextlib
import io
import os
import re
import shlex
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast import Holdfast
from holdfast.cli.failures import InputError
from holdfast.cli.main import run
from holdfast.cli.policy import parse_policy
from holdfast.v1.core_pb2 import ColumnSet, Relationship
from holdfast.v1.database_service_pb2 import DsnSource
from samples.load import load_sample
from support.postgres import Server
from support.service import Service, final, running_service

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/getting_started.md"
BLOCK = re.compile(r"(<!-- run -->\n```console\n)(.*?)(```)", re.DOTALL)
NAME = "ev_charging"
#: Audits and lists of findings end with 1 when there are findings.
FINE = (0, 1)


@pytest.fixture(scope="module")
async def service(postgres: Server) -> AsyncIterator[Service]:
    """A service that knows the sample database, as `make playground` leaves it."""
    dsn = await postgres.create_database()
    await load_sample(dsn, NAME)
    async with running_service() as running, Holdfast(running.listen, principal="you@laptop") as holdfast:
        await holdfast.add_database(NAME, DsnSource(inline=dsn))
        await final(holdfast.audit(NAME))
        yield running


@pytest.fixture(autouse=True)
def terminal(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page takes for granted."""
    for name, value in {"HOLDFAST_SERVER": service.listen, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)


class Reader:
    """Somebody who types what the page says, and knows what the ids are."""

    def __init__(self) -> None:
        self._today = f"(?:{datetime.now(UTC):%Y-%m-%d}|{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d})"
        self.ids: dict[str, str] = {}

    async def type(self, line: str) -> str:
        """Run a line and return what a terminal would show, ids and times by their names."""
        words = [self.ids.get(word, word) for word in shlex.split(line)]
        # Progress goes to standard error, and is another one every time.
        with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.redirect_stderr(io.StringIO()) as progress:
            code = await asyncio.to_thread(run, ["--principal", "you@laptop", *words[1:]])
        assert code in FINE, f"{line}\n{progress.getvalue()}"
        return self._named(words[1], shown.getvalue())

    def _named(self, command: str, shown: str) -> str:
        for found, kind in re.findall(r"\b((audit|plan|job)-[0-9a-f]{20})\b", shown):
            known = {value: name for name, value in self.ids.items()}
            # The job that rolls back is nobody's business later on.
            name = known.get(found) or (kind.upper() if kind != "job" or command == "apply" else "ID")
            self.ids.setdefault(name, found)
            shown = shown.replace(found, name)
        shown = re.sub(rf"{self._today} \d\d:\d\d(:\d\d)?", "2026-05-01 02:30", shown)
        shown = re.sub(r"^(took +)\S.*$", r"\g<1>0.5 s", shown, flags=re.MULTILINE)
        shown = re.sub(r"\b[0-9a-f]{16,64}(…|\b)", r"5e1f…", shown)
        return "\n".join(line.rstrip() for line in shown.rstrip().splitlines()) + "\n"


async def test_every_command_prints_what_the_page_shows() -> None:
    """From the first audit to the log, in the order of the page."""
    reader = Reader()
    page = PAGE.read_text(encoding="utf-8")
    for found in list(BLOCK.finditer(page)):
        body = ""
        for line in re.findall(r"^\$ (.*)$", found[2], re.MULTILINE):
            body += f"$ {line}\n{await reader.type(line)}"
        page = page.replace(found[0], found[1] + body + found[3], 1)
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        PAGE.write_text(page, encoding="utf-8")

    assert page == PAGE.read_text(encoding="utf-8")


async def test_the_policy_of_the_reference_can_be_planned(tmp_path: Path) -> None:
    """docs/policy.md shows a policy that the sample database takes."""
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    written = re.search(r"<!-- policy: of the sample database -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert written
    path = tmp_path / "policy.yaml"
    path.write_text(written[1], encoding="utf-8")

    shown = await Reader().type(f"holdfast plan {NAME} --policy {path}")

    assert "trust_events.station_id" in shown


def test_every_key_of_a_policy_is_in_the_reference() -> None:
    """The table of docs/policy.md has the keys that a policy may have."""
    table = (ROOT / "docs/policy.md").read_text(encoding="utf-8").partition("## Keys")[2]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    known = Relationship(id="public.a(b)->public.c(d)", referencing=ColumnSet(schema="public", table="a", columns=["b"]))

    with pytest.raises(InputError, match=f"allowed: {', '.join(listed)}"):
        parse_policy({"relationships": {"a.b": {"colour": 1}}}, [known])
