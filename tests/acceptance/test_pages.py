"""The commands that pages of docs/ and the README show are typed as they stand: every block marked `<!-- run: shop -->`, page by page.

Each page has the sample database to itself, as `shop`. `PLAN`, `JOB` and other names stand for ids: of what the page has made before,
or of what its reader must have made by then. docs/getting_started.md, docs/operations.md and docs/intent.md have tests of their own.
"""

import asyncio
import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.cli.main import run
from holdfast.v1 import core_pb2 as core
from samples.load import load_sample
from support.postgres import Server
from support.service import Service, apply_default_plan, final, register

ROOT = Path(__file__).resolve().parents[2]
MARKED = re.compile(r"^<!-- run: shop -->\n```(?:sh)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name != "operations.md" and MARKED.search(page.read_text(encoding="utf-8"))
]
#: What audits, gates and lists of findings end with when there are findings.
FINE = (0, 1)
#: Programs of others that an export is made for, and the test that runs them on one.
ELSEWHERE = {
    "psql": "integration/exports/test_plans.py",
    "alembic": "support/migration_tools.py",
    "python": "support/migration_tools.py",
    "bin/rails": "support/migration_tools.py",
    "flyway": "integration/exports/test_plans.py",
    "liquibase": "support/migration_tools.py",
    "npx": "support/node.py",
}
_DSN = "postgresql://me:secret@db.internal/shop"
#: Stations that reports and charging sessions name and that are gone, loaded after all.
_LOAD_WHAT_IS_MISSING = """
INSERT INTO public.stations
SELECT (jsonb_populate_record(NULL::public.stations, to_jsonb(one) || jsonb_build_object('id', missing.id))).*
FROM (SELECT * FROM public.stations LIMIT 1) AS one, (
  SELECT (row_image::public.reports).station_id AS id FROM holdfast.backup WHERE table_name = 'reports'
  UNION
  SELECT (row_image::public.charging_sessions).station_id FROM holdfast.backup WHERE table_name = 'charging_sessions'
) AS missing
"""


class Reader:
    """Somebody who types what a page says, in a folder of their own, and has done by then what it takes for granted."""

    def __init__(self, client: Holdfast, dsn: str) -> None:
        self._client = client
        self._dsn = dsn

    async def type(self, line: str) -> tuple[int, str]:
        """Run a line; return its exit code and what it printed, which a redirection puts into its file."""
        command, _, file = re.sub(r"\s+#.*", "", line).partition(" > ")
        words = [await self._meant(word) for word in shlex.split(command)]
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = await asyncio.to_thread(run, words[1:])
        if file:
            Path(file).write_text(out.getvalue(), encoding="utf-8")
        return code, out.getvalue()

    async def _meant(self, word: str) -> str:
        match word:
            case "PLAN":
                return await self._plan()
            case "JOB":
                return await self._application()
            case "AUDIT" | "HEAD":
                return (await self._client.list_audits(database="shop")).audits[0].id
            case "BASE":
                return (await self._client.list_audits(database="shop")).audits[1].id
            case "R":
                return "reports.station_id"
            case _:
                return self._dsn if word == _DSN else word

    async def _plan(self) -> str:
        made = (await self._client.list_plans(database="shop")).plans
        return made[0].id if made else (await self._client.plan("shop")).id

    async def _application(self) -> str:
        """The newest; the first one is followed by the day when somebody loads what was missing."""
        made = (await self._client.list_jobs(database="shop", kind=core.JOB_KIND_APPLICATION)).jobs
        if made:
            return made[0].id
        _, job = await apply_default_plan(self._client, "shop")
        await execute(self._dsn, _LOAD_WHAT_IS_MISSING)
        return job.id


async def execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def dsn(postgres: Server) -> str:
    """The sample database, with a table that is filled every night."""
    dsn = await postgres.create_database()
    await load_sample(dsn, "ev_charging")
    await execute(dsn, "CREATE TABLE public.staging (note text)")
    return dsn


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Holdfast]:
    """A client that forgets the database of the page at its end."""
    async with service.client() as connected:
        yield connected
        await connected.remove_database("shop")


@pytest.fixture
def folder(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader is, the log of the service at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_SERVER", service.listen)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "holdfastd.log").write_text(service.log, encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_every_command_of_a_page_works(page: Path, client: Holdfast, dsn: str) -> None:
    """None ends with an error; a page that registers no database begins with one that was audited twice."""
    shown = "\n".join(MARKED.findall(page.read_text(encoding="utf-8")))
    # What stands under two headings is typed once: files are not overwritten.
    lines = list(dict.fromkeys(line for line in shown.splitlines() if line))
    if not any(line.startswith("holdfast databases add") for line in lines):
        await register(client, "shop", dsn)
        await final(client.audit("shop"))
        await final(client.audit("shop"))
    reader = Reader(client, dsn)
    failed: dict[str, str] = {}
    for line in lines:
        if line.startswith("holdfast "):
            code, printed = await reader.type(line)
            failed |= {} if code in FINE else {line: printed}
        else:
            assert shlex.split(line)[0] in ELSEWHERE, line

    assert not failed, failed


@pytest.mark.usefixtures("folder")
async def test_orphan_details_are_as_shown(client: Holdfast, dsn: str) -> None:
    """docs/orphans.md shows those of the sample."""
    await register(client, "shop", dsn)
    await final(client.audit("shop"))
    quoted = re.search(r"```json\n(.*?)```", (ROOT / "docs/orphans.md").read_text(encoding="utf-8"), re.DOTALL)
    assert quoted

    _, shown = await Reader(client, dsn).type("holdfast -o json relationships shop")

    found = {each["id"]: each for each in json.loads(shown)["relationships"]}
    assert json.loads(quoted[1]) == found["public.reports(station_id)->public.stations(id)"]["orphan_details"]


async def test_the_program_of_the_readme_follows_an_audit(client: Holdfast, dsn: str, service: Service) -> None:
    """As it stands, but for the port."""
    await register(client, "shop", dsn)
    (program,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    command = [sys.executable, "-c", program.replace("127.0.0.1:7443", service.listen)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "JOB_STATE_SUCCEEDED" in done.stdout


@pytest.mark.parametrize(("program", "test"), ELSEWHERE.items())
def test_what_is_run_elsewhere_is(program: str, test: str) -> None:
    """The test that is named knows the program."""
    known = {"python": "django", "npx": "drizzle-kit"}.get(program, Path(program).name)

    assert known in (ROOT / "tests" / test).read_text(encoding="utf-8").lower()
