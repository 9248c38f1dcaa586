"""The two sample databases: every relationship of the documents with its action, and none beyond."""

import re
import tomllib
from pathlib import Path

import pytest

from holdfastd.catalog.model import Catalog
from holdfastd.inference.candidates import infer_candidates
from holdfastd.inference.model import Tier
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_table

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

_TABLE = re.compile(r"^CREATE TABLE (\w+) \((.*?)^\);", re.MULTILINE | re.DOTALL)
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX \S+ ON (\w+) \(([^)]*)\)", re.MULTILINE)
_COLUMN = re.compile(r"^\s+(\w+) (.+?)(?= NOT NULL| DEFAULT| PRIMARY KEY| UNIQUE| CHECK|,$|$)(.*)$", re.MULTILINE)
_SERIALS = {"serial": "integer", "bigserial": "bigint"}


def catalog_of(sql: str) -> Catalog:
    """Read the plain CREATE TABLE and CREATE INDEX statements of a sample: enough of SQL for these two files."""
    indexes: dict[str, list[tuple[str, ...]]] = {}
    for table, listed in _INDEX.findall(sql):
        indexes.setdefault(table, []).append(tuple(listed.split(", ")))
    tables = []
    for table, body in _TABLE.findall(re.sub(r"--.*", "", sql)):
        columns = [each for each in _COLUMN.findall(body) if each[0] not in {"PRIMARY", "UNIQUE", "CHECK", "CONSTRAINT"}]
        tables.append(
            a_table(
                table,
                *(_definition(*column) for column in columns),
                key=next(name for name, _, rest in columns if "PRIMARY KEY" in rest),
                unique=[(name,) for name, _, rest in columns if "UNIQUE" in rest],
                indexes=indexes.get(table, []),
            )
        )
    return a_catalog(*tables)


def _definition(name: str, kind: str, rest: str) -> str:
    default = " default nextval('s')" if kind in _SERIALS else ""
    return f"{name} {_SERIALS.get(kind, kind)}{' not null' if 'NOT NULL' in rest else ''}{default}"


@pytest.mark.parametrize("sample", ["ev_charging", "gaztime"])
def test_a_sample_has_the_relationships_of_its_document_and_no_other(sample):
    """13 of 13 and 11 of 11, all planned, each with the document's ON DELETE, and not one candidate more."""
    catalog = catalog_of((SAMPLES / sample / "schema.sql").read_text(encoding="utf-8"))
    expected = tomllib.loads((SAMPLES / sample / "expected.toml").read_text(encoding="utf-8"))["relationship"]
    relationships = derive_relationships(catalog, infer_candidates(catalog), {})
    found = {
        (f"{each.referencing.table.name}.{each.referencing.columns[0]}", f"{each.referenced.table.name}.{each.referenced.columns[0]}"): each
        for each in relationships
    }
    assert {pair: each.suggested_on_delete.value for pair, each in found.items()} == {
        (each["referencing"], each["referenced"]): each["on_delete"] for each in expected
    }
    assert {each.tier for each in relationships} == {Tier.PLAN}
    assert {pair: each.nullable for pair, each in found.items()} == {
        (each["referencing"], each["referenced"]): each["nullable"] for each in expected
    }
