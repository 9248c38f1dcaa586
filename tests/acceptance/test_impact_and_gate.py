"""`holdfast impact` and `holdfast gate` on the sample database, as other programs would use them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.v1.database_service_pb2 import DsnSource
from holdfast.v1.impact_service_pb2 import GetImpactResponse, ImpactAction
from samples.load import load_sample
from support.postgres import Server
from support.service import Service, final, running_service

NAME = "ev_charging"
BUSIEST = "SELECT station_id FROM reports JOIN stations ON stations.id = station_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"


class Shop:
    """A service that has audited the sample."""

    def __init__(self, service: Service, client: Holdfast, dsn: str) -> None:
        self.client = client
        self.dsn = dsn
        self._server = service.listen

    async def run(self, *words: str) -> tuple[int, str]:
        """Run the command and return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "holdfast"),
            *words,
            env=os.environ | {"HOLDFAST_SERVER": self._server, "COLUMNS": "100"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await process.communicate())[0].decode()
        return int(process.returncode or 0), printed


@pytest.fixture(scope="module")
async def shop(postgres: Server) -> AsyncIterator[Shop]:
    dsn = await postgres.create_database()
    await load_sample(dsn, NAME)
    async with running_service() as service, Holdfast(service.listen) as client:
        await client.add_database(NAME, DsnSource(inline=dsn))
        await final(client.audit(NAME))
        yield Shop(service, client, dsn)


async def station(shop: Shop) -> tuple[str, dict[str, int]]:
    """The station with the most reports, and what references it, counted by hand."""
    connection = await asyncpg.connect(shop.dsn)
    try:
        busiest = await connection.fetchval(BUSIEST)
        tables = ("reports", "charging_sessions", "station_verifications", "trust_events")
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table} WHERE station_id = $1", busiest) for table in tables}
    finally:
        await connection.close()
    return str(busiest), {table: rows for table, rows in counts.items() if rows}


def told(response: GetImpactResponse) -> dict[str, tuple[str, int]]:
    """What happens to how many rows, by table."""
    return {
        each.table.removeprefix("public."): (ImpactAction.Name(each.action).removeprefix("IMPACT_ACTION_"), each.rows.value)
        for each in response.impacts
        if each.depth
    }


async def test_today_rows_are_left_as_orphans_and_with_the_plan_they_go(shop: Shop) -> None:
    """Without keys a deletion leaves orphan rows; under the plan the same rows are deleted or set NULL."""
    key, counts = await station(shop)
    plan = await shop.client.plan(NAME)

    today = await shop.client.get_impact(NAME, "stations", [key], allow_scans=True)
    planned = await shop.client.get_impact(NAME, "stations", [key], plan_id=plan.id, allow_scans=True)

    actions = {"reports": "DELETE", "charging_sessions": "DELETE", "station_verifications": "DELETE", "trust_events": "SET_NULL"}
    assert (today.exact, today.blocked) == (True, False)
    assert told(today) == {table: ("ORPHAN", rows) for table, rows in counts.items()}
    assert told(planned) == {table: (actions[table], rows) for table, rows in counts.items()}


async def test_impact_reads_well(shop: Shop) -> None:
    """One line per table, a verdict at the end; the exit code says whether the deletion would work."""
    key, counts = await station(shop)

    code, printed = await shop.run("impact", NAME, "stations", key, "--allow-scans")
    missing, why = await shop.run("impact", NAME, "stations", "0")

    assert code == 0
    assert f"leave {sum(counts.values()):,} orphan rows" in printed
    assert (missing, "no row with that key" in why) == (2, True)


async def test_what_a_baseline_knows_passes_and_one_more_orphan_row_fails(shop: Shop, tmp_path: Path) -> None:
    """The first run fails, writes what it knows, and from then on only news fails."""
    known = tmp_path / "known.json"

    first, _ = await shop.run("gate", NAME, "--write-baseline", str(known))
    second, passed = await shop.run("gate", NAME, "--baseline", str(known))
    less = json.loads(known.read_text())
    next(each for each in less["orphan_rows"] if each["relationship_id"].startswith("public.reports"))["rows"] = "7"
    known.write_text(json.dumps(less))
    third, failed = await shop.run("gate", NAME, "--baseline", str(known))
    fourth, _ = await shop.run("gate", NAME, "--baseline", str(known), "--max-new-orphans", "1")

    assert (first, second, third, fourth) == (1, 0, 1, 0)
    assert "Passed: nothing new." in passed
    assert "1 new orphan row" in failed


async def test_a_file_that_is_no_baseline_is_told(shop: Shop, tmp_path: Path) -> None:
    """In one sentence that says what writes one."""
    path = tmp_path / "known.json"
    path.write_text("[]")

    code, printed = await shop.run("gate", NAME, "--baseline", str(path))

    assert (code, "--write-baseline" in printed) == (2, True)
