"""Exports as users make and run them: typed at the command line, read by the tools that they are for."""

import json
import sys
from pathlib import Path

import asyncpg
import jsonschema
import pytest
from junitparser import JUnitXml

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from samples.load import load_sample, read_expected
from support.equality import state_of
from support.migration_tools import TOOLS, Workplace, without_own_tables
from support.postgres import Server
from support.service import Service, apply_default_plan, final, register

SCHEMA = Path(__file__).parents[1] / "node" / "node_modules" / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
ALEMBIC = TOOLS[0]


async def holdfast(service: Service, folder: Path, *arguments: str) -> str:
    """Type a command."""
    place = Workplace(folder=folder, files={}, dsn="")
    return await place.run(sys.executable, "-m", "holdfast.cli", "--server", service.listen, *arguments)


@pytest.mark.parametrize("sample", ["ev_charging", pytest.param("gaztime", marks=pytest.mark.slow)])
async def test_alembic_does_to_a_sample_what_apply_does(
    postgres: Server, database: str, service: Service, client: Holdfast, tmp_path: Path, sample: str
) -> None:
    """Keys, rows and sequences as `holdfast apply` leaves them; after the downgrade as they were."""
    await load_sample(database, sample)
    await register(client, "exported", database)
    await final(client.audit("exported"))
    before = await state_of(postgres, database)
    plan, application = await apply_default_plan(client, "exported")
    by_service = await state_of(postgres, database)
    await final(client.roll_back(application.id))

    await holdfast(service, tmp_path, "export", "plan", plan.id, "--format", "alembic", "--directory", str(tmp_path / "out"))
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    place = Workplace(folder=tmp_path / "project", files=files, dsn=database)
    ALEMBIC.prepare(place)
    await ALEMBIC.forward(place)
    async with without_own_tables(database, ALEMBIC):
        by_alembic = await state_of(postgres, database)
    connection = await asyncpg.connect(database)
    keys = await connection.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated")
    checks = [await connection.fetchval(check.sql) for check in read_expected(sample).final_checks]
    await connection.close()
    await ALEMBIC.back(place)
    async with without_own_tables(database, ALEMBIC):
        after = await state_of(postgres, database)
    await client.remove_database("exported")

    assert by_alembic == by_service != before
    assert keys >= len(read_expected(sample).relationships)
    assert not any(checks)
    assert after == before


async def test_findings_of_a_sample_are_read_by_their_tools(database: str, service: Service, client: Holdfast, tmp_path: Path) -> None:
    """Every finding is there, and what was ignored with its reason; the file and the printed text are the same."""
    await load_sample(database, "ev_charging")
    await register(client, "exported", database)
    await final(client.audit("exported"))
    found = await client.list_findings("exported", page_size=1000)
    await client.ignore_finding("exported", found.findings[0].id, reason="known since 2024")
    sarif = json.loads(await holdfast(service, tmp_path, "export", "findings", "exported"))
    await holdfast(service, tmp_path, "export", "findings", "exported", "--format", "junit", "--output", "found.xml", "--severity", "warn")
    document = JUnitXml.fromfile(str(tmp_path / "found.xml"))
    await client.remove_database("exported")

    (run,) = sarif["runs"]
    if SCHEMA.exists():
        jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(sarif)
    assert {result["properties"]["finding"] for result in run["results"]} == {finding.id for finding in found.findings}
    assert [result["suppressions"][0]["justification"] for result in run["results"] if result["suppressions"]] == ["known since 2024"]
    assert document.failures == sum(finding.severity >= core.SEVERITY_WARN for finding in found.findings) - 1
    assert document.skipped == 1
    assert document.tests > document.failures + document.skipped
