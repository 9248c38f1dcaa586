"""A plan as the schema of an object mapper: what its own tools make of it equals the database after `apply`."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.intent.drizzle.read import from_drizzle
from holdfast.intent.files import Source
from holdfast.intent.model import Intent
from holdfast.intent.prisma import from_prisma
from holdfast.v1 import core_pb2 as core
from holdfast.v1.export_service_pb2 import PLAN_FORMAT_DRIZZLE, PLAN_FORMAT_PRISMA
from samples.load import SAMPLES, load_sample, read_expected
from support.declared import declared, execute
from support.node import compile_typescript, drizzle_kit, judge_prisma, lay_out, require_node
from support.postgres import Server, database_name
from support.service import Service, apply_default_plan, every_relationship, final, register

SHARED = Path(__file__).resolve().parents[3] / "shared"
#: Besides the gas sample, whose document asks for this very file. Databases that others designed are skipped where they are not at hand.
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("ev_charging", "northwind", "pagila")]
#: drizzle-kit 0.31 reads the columns of composite keys in an order of its own, and makes some again as they were.
KIT_MAKES_AGAIN = {
    "ev_charging": {"ev_vehicles_brand_model_year_key"},
    "northwind": {"pk_customer_customer_demo", "pk_employee_territories", "pk_order_details"},
    "pagila": {"film_actor_pkey", "payment_pkey"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A database after its plan, and what was exported from that plan before."""

    name: str
    dsn: str
    #: Referencing and referenced columns and the action of every key that the plan adds or validates.
    planned: frozenset[tuple[str, str, int]]
    drizzle: dict[str, str]
    prisma: dict[str, str]


@pytest.fixture(scope="module", params=["gaztime", *OTHERS])
async def applied(request: pytest.FixtureRequest, service: Service, postgres: Server) -> AsyncIterator[Applied]:
    """Audit, plan, export, apply."""
    dsn = await postgres.create_database()
    name = str(request.param)
    if name in SAMPLES:
        await load_sample(dsn, name)
    elif (SHARED / "data" / name).is_dir():
        loader = [sys.executable, str(SHARED / "tools/corpus.py"), "load", str(SHARED / "data" / name), dsn]
        subprocess.run(loader, check=True, capture_output=True)
    else:
        pytest.skip("../shared/data is not here")
    async with service.client() as client:
        yield await _apply(client, name, dsn)
        await client.remove_database(f"{name.replace('_', '-')}-schemas")
    await postgres.drop_database(database_name(dsn))


@pytest.fixture(scope="module")
async def verdict(applied: Applied, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What Prisma's engines make of the schema."""
    require_node()
    return await judge_prisma(lay_out(tmp_path_factory.mktemp("prisma"), applied.prisma), applied.dsn)


async def _apply(client: Holdfast, name: str, dsn: str) -> Applied:
    registered = f"{name.replace('_', '-')}-schemas"
    await register(client, registered, dsn)
    await final(client.audit(registered))
    plan, _ = await apply_default_plan(client, registered)
    relationships = await every_relationship(client, registered)
    included = [(relationships[each.relationship_id], each.on_delete) for each in plan.decisions if each.included]
    return Applied(
        name=name,
        dsn=dsn,
        planned=frozenset((shown(each.referencing), shown(each.referenced), action) for each, action in included),
        drizzle=await client.export_plan(plan.id, PLAN_FORMAT_DRIZZLE),
        prisma=await client.export_plan(plan.id, PLAN_FORMAT_PRISMA),
    )


def test_the_documents_deliverable() -> None:
    """Nothing is missing from the list below: the gas document names eleven keys, and five of its indexes are on keys."""
    expected = read_expected("gaztime")

    assert (len(expected.relationships), len(expected.unindexed)) == (11, 5)


def test_new_keys_and_indexes_are_marked(applied: Applied) -> None:
    """Every key of the document stands in schema.ts with its action, and every index that the plan builds, each marked as new."""
    if applied.name not in SAMPLES:
        pytest.skip("what is true of the samples")
    text = applied.drizzle["schema.ts"]
    keys = set(re.findall(r'foreignKey\({ name: "\w+", columns: \[table.(\w+)\].*\.onDelete\("([a-z ]+)"\), // new', text))
    indexes = re.findall(r'index\("\w+"\)\.on\(table\.(\w+)\), // new', text)
    expected = read_expected(applied.name)

    assert keys == {(camel(item.referencing.partition(".")[2]), item.on_delete.lower()) for item in expected.relationships}
    assert text.count("foreignKey({") == len(expected.relationships)
    assert sorted(indexes) == sorted(camel(each.partition(".")[2]) for each in expected.unindexed)


def camel(column: str) -> str:
    first, *others = column.split("_")
    return first + "".join(map(str.capitalize, others))


def test_the_handbook_shows_what_comes_out(applied: Applied) -> None:
    """The two schemas that docs/exports.md quotes are parts of the exports of the gas sample."""
    if applied.name != "gaztime":
        pytest.skip("the handbook quotes the gas sample")
    page = (Path(__file__).resolve().parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    quoted = dict(re.findall(r"```(ts|prisma)\n(.*?)```", page, flags=re.DOTALL))

    assert quoted["ts"] in applied.drizzle["schema.ts"]
    assert quoted["prisma"] in applied.prisma["schema.prisma"]


async def test_drizzle_makes_the_same_database(applied: Applied, postgres: Server, tmp_path: Path) -> None:
    """schema.ts compiles strictly, and what drizzle-kit generates from it leads to the catalog of the migrated database."""
    require_node()
    lay_out(tmp_path, applied.drizzle)
    compiled = await compile_typescript(tmp_path)
    generated = await drizzle_kit(tmp_path, "export")
    other = await postgres.create_database()
    await execute(other, generated.output)

    assert (compiled.code, compiled.output) == (0, "")
    assert await declared(other) == as_drizzle_says(await declared(applied.dsn))


def as_drizzle_says(lines: set[str]) -> set[str]:
    """A primary key of one column has PostgreSQL's own name, and no key is NOT VALID: schema.ts says both in comments."""
    kept = {line.removesuffix(" NOT VALID") for line in lines}
    names = re.compile(r"constraint (\S+) (\S+) PRIMARY KEY \(\w+\)\Z")
    usual = {found[2]: f"{found[1]}_pkey" for line in kept if (found := names.match(line))}
    return {re.sub(r"(constraint \S+|INDEX) (\w+)", lambda found: f"{found[1]} {usual.get(found[2], found[2])}", line) for line in kept}


async def test_drizzle_kit_finds_nothing_to_push(applied: Applied, tmp_path: Path) -> None:
    """Against the migrated database there is nothing left to do."""
    require_node()
    outcome = await drizzle_kit(lay_out(tmp_path, applied.drizzle), "push", "--strict", "--verbose", dsn=applied.dsn)
    statements = re.findall(r"^(?:ALTER|CREATE|DROP) .*;$", outcome.output, flags=re.MULTILINE)
    again = KIT_MAKES_AGAIN.get(applied.name, set())

    assert "No changes detected" in outcome.output or again
    assert [each for each in statements if not any(f'CONSTRAINT "{name}"' in each for name in again)] == []


async def test_prisma_finds_nothing_to_migrate(applied: Applied, verdict: Any) -> None:
    """Prisma's engines take the schema as it is laid out, and find no difference to the migrated database."""
    assert verdict["formatted"] == applied.prisma["schema.prisma"]
    assert verdict["warnings"] == []
    assert "empty migration" in verdict["missing"]


async def test_prisma_makes_the_same_database(applied: Applied, postgres: Server, verdict: Any) -> None:
    """What Prisma generates differs from the migrated database only in its own ways of saying the same."""
    other = await postgres.create_database()
    await execute(other, verdict["created"])

    assert as_prisma_says(await declared(other)) == as_prisma_says(await declared(applied.dsn))


def as_prisma_says(lines: set[str]) -> set[str]:
    """Times have their precision written out, now() is CURRENT_TIMESTAMP, UNIQUE constraints are unique indexes, and no key is NOT VALID."""
    spelled = {re.sub(r"(timestamp|time) (with)", r"\1(6) \2", line.removesuffix(" NOT VALID")) for line in lines}
    spelled = {line.replace("DEFAULT now()", "DEFAULT CURRENT_TIMESTAMP") for line in spelled}
    return {line for line in spelled if not re.match(r'constraint \S+ "?\w+"? UNIQUE ', line)}


async def test_prisma_sees_every_action(applied: Applied, verdict: Any) -> None:
    """In Prisma's own reading of the schema each planned key is a relation with its ON DELETE."""
    tables = {model["name"]: model["dbName"] or model["name"] for model in verdict["models"]}
    columns = {
        (model["name"], field["name"]): field.get("dbName") or field["name"] for model in verdict["models"] for field in model["fields"]
    }
    seen = {
        (
            json.dumps([tables[model["name"]], [columns[model["name"], name] for name in field["relationFromFields"]]]),
            json.dumps([tables[field["type"]], [columns[field["type"], name] for name in field["relationToFields"]]]),
            core.OnDelete.Value("ON_DELETE_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field["relationOnDelete"]).upper()),
        )
        for model in verdict["models"]
        for field in model["fields"]
        if field.get("relationFromFields")
    }

    assert applied.planned <= seen


def test_every_planned_key_is_found_again(applied: Applied) -> None:
    """Holdfast's own import of intent reads back from either schema what the plan decided: columns and action."""
    for intent in (
        from_drizzle([Source("schema.ts", applied.drizzle["schema.ts"])]),
        from_prisma([Source("schema.prisma", applied.prisma["schema.prisma"])]),
    ):
        assert applied.planned <= found(intent)
        assert intent.unread == ()


def found(intent: Intent) -> set[tuple[str, str, int]]:
    return {(shown(item.referencing), shown(item.referenced), item.on_delete) for item in intent.relationships}


def shown(columns: core.ColumnSet) -> str:
    return json.dumps([columns.table, list(columns.columns)])
