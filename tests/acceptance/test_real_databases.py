"""The main job on databases that others designed, their keys dropped and rows orphaned; skipped where they are not at hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from support.equality import state_of
from support.postgres import Server
from support.service import every_relationship, final, register

SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is not here")


def key(child: str, columns: list[str], parent: str, parent_columns: list[str]) -> tuple[object, ...]:
    return child, parent, tuple(sorted(zip(columns, parent_columns, strict=True)))


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("musicbrainz", "omop", "usda")]


@pytest.mark.parametrize("name", ["northwind", "pagila", *SLOW])
async def test_counted_repaired_and_put_back(name: str, client: Holdfast, postgres: Server, database: str) -> None:
    """Counts equal brute force for every relationship found; apply ends verified; rollback ends equal."""
    loader = [sys.executable, str(SHARED / "tools/corpus.py"), "load", str(SHARED / "data" / name), database]
    subprocess.run(loader, check=True, capture_output=True)
    before = await state_of(postgres, database)
    await register(client, name, database)
    await final(client.audit(name))
    truth = {
        key(item["child"], item["child_columns"], item["parent"], item["parent_columns"]): item["orphan_rows"]
        for item in json.loads((SHARED / "data" / name / "orphans.json").read_text())["relationships"]
    }
    found = {
        key(
            f"{item.referencing.schema}.{item.referencing.table}",
            list(item.referencing.columns),
            f"{item.referenced.schema}.{item.referenced.table}",
            list(item.referenced.columns),
        ): item
        for item in (await every_relationship(client, name)).values()
    }
    plan = await client.plan(name)
    await client.approve_plan(plan.id)
    application = await final(client.apply(plan.id))
    await final(client.roll_back(application.id))
    after = await state_of(postgres, database)
    await client.remove_database(name)

    assert {id_: item.orphan_rows.value for id_, item in found.items() if id_ in truth} == {
        id_: count for id_, count in truth.items() if id_ in found
    }
    assert len(truth.keys() & found.keys()) >= len(truth) * 0.9
    assert application.verifications
    assert all(item.declared for item in application.verifications)
    assert sum(item.backed_up_rows for item in application.verifications) > 0
    assert after == before
    assert plan.state == core.PLAN_STATE_PROPOSED
