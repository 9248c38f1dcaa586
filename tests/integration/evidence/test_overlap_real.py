"""Databases that others designed, with their rows: what looking at rows finds; skipped where they are not at hand."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from holdfastd.inference.model import Candidate
from holdfastd.target.session import connect
from integration.evidence.test_overlap_chain import infer_with_rows

SHARED = Path(__file__).resolve().parents[4] / "shared"
pytestmark = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is not here")
FOUND_FROM = 0.5
#: Relationships with orphan rows that the rows left do not tell: one value, whose only referenced row was deleted.
_UNTOLD = 1


def key_of(table: str, names: Iterable[str], referenced: str, keys: Iterable[str]) -> tuple[object, ...]:
    return table, referenced, frozenset(zip(names, keys, strict=True))


def found_of(candidates: Iterable[Candidate]) -> set[tuple[object, ...]]:
    return {
        key_of(
            f"{each.referencing.table.schema}.{each.referencing.table.name}",
            each.referencing.columns,
            f"{each.referenced.table.schema}.{each.referenced.table.name}",
            each.referenced.columns,
        )
        for each in candidates
        if each.confidence >= FOUND_FROM
    }


@pytest.mark.parametrize("name", ["northwind", "usda", "pagila", "omop", "musicbrainz"])
async def test_nine_of_ten_keys_and_all_that_have_orphan_rows(name, database):
    """Nine in ten true keys are found, and every one that has orphan rows; what is beyond them stays rare."""
    loader = [sys.executable, str(SHARED / "tools/corpus.py"), "load", str(SHARED / "data" / name), database]
    subprocess.run(loader, check=True, capture_output=True)
    connection = await connect(database, application_name="test", read_only=True)
    try:
        _, candidates = await infer_with_rows(connection)
    finally:
        await connection.close()
    relationships = json.loads((SHARED / "data" / name / "orphans.json").read_text())["relationships"]
    truth = {
        key_of(each["child"], each["child_columns"], each["parent"], each["parent_columns"]): each["orphan_rows"] for each in relationships
    }
    found = found_of(candidates)

    assert len(found & truth.keys()) >= 0.9 * len(truth)
    assert len({key for key, orphan_rows in truth.items() if orphan_rows} - found) <= _UNTOLD
    # The published schemas declare not all they mean: some of what is beyond them is right.
    assert len(found - truth.keys()) <= max(4, 0.05 * len(truth))
