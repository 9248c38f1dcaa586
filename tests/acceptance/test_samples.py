"""The main job over the wire, on the two databases that teams described by hand."""

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.v1 import core_pb2 as core
from holdfast.v1.audit_service_pb2 import ListFindingsResponse
from samples.load import load_sample, read_expected
from support.equality import state_of
from support.postgres import Server
from support.service import apply_default_plan, every_relationship, final, register

NAMES = {"ev_charging": "ev", "gaztime": "gas"}


@pytest.fixture(params=NAMES)
async def sample(request: pytest.FixtureRequest, database: str, client: Holdfast):
    """A sample, loaded, registered and audited; removed afterwards."""
    name = NAMES[request.param]
    await load_sample(database, request.param)
    await register(client, name, database)
    await final(client.audit(name))
    yield request.param
    await client.remove_database(name)


def short(columns: core.ColumnSet) -> str:
    return f"{columns.table}.{','.join(columns.columns)}"


def on_delete(value: int) -> str:
    return core.OnDelete.Name(value).removeprefix("ON_DELETE_").replace("_", " ")


async def test_relationships_are_those_of_the_document(sample: str, client: Holdfast) -> None:
    """Every key, its ON DELETE, its nullability and its orphan rows; and no other key."""
    found = await every_relationship(client, NAMES[sample])
    expected = read_expected(sample).relationships

    assert {(item.referencing, item.referenced, item.on_delete, item.nullable, item.orphan_rows) for item in expected} == {
        (short(item.referencing), short(item.referenced), on_delete(item.suggested_on_delete), item.nullable, item.orphan_rows.value)
        for item in found.values()
        if item.tier == core.TIER_PLAN
    }
    assert all(item.orphan_rows.exactness == core.EXACTNESS_EXACT for item in found.values())


async def test_risk_follows_orphans_and_nullability(sample: str, client: Holdfast) -> None:
    """HIGH: orphan rows now; MEDIUM: required; LOW: nullable."""
    for item in (await every_relationship(client, NAMES[sample])).values():
        calm = core.RISK_LOW if item.nullable else core.RISK_MEDIUM
        assert item.risk == (core.RISK_HIGH if item.orphan_rows.value else calm)


async def test_missing_indexes_are_those_of_the_document(sample: str, client: Holdfast) -> None:
    """Indexes on keys only; those that only a workload explains are another matter."""
    page: ListFindingsResponse = await client.list_findings(NAMES[sample], page_size=1000)
    ids = {item.relationship_id for item in page.findings if item.kind == core.FINDING_KIND_UNINDEXED_KEY}
    found = await every_relationship(client, NAMES[sample])

    assert {short(found[id_].referencing) for id_ in ids} == set(read_expected(sample).unindexed)


async def test_applied_verified_and_rolled_back(sample: str, client: Holdfast, postgres: Server, database: str) -> None:
    """All keys validated, all orphan rows backed up and gone, the document's own checks 0; then everything as before."""
    expected = read_expected(sample)
    before = await state_of(postgres, database)
    plan, application = await apply_default_plan(client, NAMES[sample])
    connection = await asyncpg.connect(database)
    validated = await connection.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated")
    checks = {check.name: await connection.fetchval(check.sql) for check in expected.final_checks}
    await connection.close()
    rollback = await final(client.roll_back(application.id))

    assert validated == len(expected.relationships) == len(application.verifications)
    assert sum(item.orphan_rows_before for item in application.verifications) == expected.orphan_rows
    assert sum(item.backed_up_rows for item in application.verifications) == expected.orphan_rows
    assert {(item.declared, item.validated, item.orphan_rows_after) for item in application.verifications} == {(True, True, 0)}
    assert set(checks.values()) <= {0}
    assert len([step for step in plan.steps if step.kind == core.STEP_KIND_CREATE_INDEX]) == len(expected.unindexed)
    assert sum(item.orphan_rows_after for item in rollback.verifications) == expected.orphan_rows
    assert await state_of(postgres, database) == before


async def test_after_an_application_nothing_is_left_to_do(sample: str, client: Holdfast) -> None:
    """The next audit finds declared, validated, indexed keys without orphan rows, and no finding about them."""
    _, application = await apply_default_plan(client, NAMES[sample])
    await final(client.audit(NAMES[sample]))
    found = await every_relationship(client, NAMES[sample])
    findings = (await client.list_findings(NAMES[sample], minimum_severity=core.SEVERITY_WARN)).findings
    await final(client.roll_back(application.id))

    assert {item.state for item in found.values()} == {core.RELATIONSHIP_STATE_VALIDATED}
    assert [item.message for item in findings] == []
