"""Audits that begin with what applications declare, from the request to what is planned."""

from dataclasses import replace

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.findings.model import FindingKind
from holdfastd.flows import audits as flow
from holdfastd.inference.model import Intended, Tier
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.model import StepKind
from holdfastd.store import audits
from holdfastd.store.model import AuditOptions
from support.harness import CALLER, harness

#: Names tell nothing; of a1 most rows are orphans, which would speak against it.
SILENT = """
CREATE TABLE t9 (k integer PRIMARY KEY);
CREATE TABLE t8 (k uuid PRIMARY KEY);
CREATE TABLE t1 (k integer PRIMARY KEY, a1 integer, a2 integer NOT NULL, a3 integer);
INSERT INTO t9 SELECT generate_series(1, 3);
INSERT INTO t1 SELECT number, number + 1, 1, 1 FROM generate_series(1, 50) AS number;
"""


def intended(column: str, table: str, on_delete: OnDelete | None = None, *, line: int = 1) -> Intended:
    referencing, referenced = ColumnSet(TableName("", "t1"), (column,)), ColumnSet(TableName("", table), ())
    return Intended(referencing=referencing, referenced=referenced, on_delete=on_delete, origin=f"schema.prisma:{line}")


@pytest.fixture
async def silent(database):
    """A database whose names tell nothing."""
    connection = await asyncpg.connect(database)
    await connection.execute(SILENT)
    await connection.close()
    return database


async def audited(running, *intent):
    """Audit and return relationships by referencing column, and findings."""
    audit, job = await flow.start(running.services, CALLER, "shop", AuditOptions(intent=intent))
    await running.succeed(job)
    async with running.services.store.connection() as connection:
        relationships = await audits.all_relationships(connection, audit.id)
        return {each.referencing.columns[0]: each for each in relationships}, await audits.all_findings(connection, audit.id)


async def test_what_is_declared_is_found_counted_and_planned(postgres, silent):
    """With its orphan rows, its ON DELETE as declared where that can be, and what is missing told; without intent there is nothing."""
    async with harness(postgres) as running:
        await running.register(silent)
        nothing, _ = await audited(running)
        found, findings = await audited(
            running,
            intended("a1", "t9", OnDelete.SET_NULL, line=7),
            intended("a2", "t9", OnDelete.SET_NULL),
            intended("a3", "t8"),
            intended("a3", "t7", line=9),
        )
        plan = await running.plan("shop")
        again, _ = await audited(running)

    assert nothing == again == {}
    first, required, unlike = found["a1"], found["a2"], found["a3"]
    assert (first.tier, first.suggested_on_delete, first.orphan_rows.value) == (Tier.PLAN, OnDelete.SET_NULL, 48)
    assert [each.rule for each in first.evidence] == ["declared_by_application", "values_found"]
    assert (required.tier, required.rationale.endswith("would fail: a2 is NOT NULL.")) == (Tier.PLAN, True)
    assert (unlike.tier, "no operator compares them" in unlike.obstacle) == (Tier.REVIEW, True)
    assert [each.message for each in findings if each.kind is FindingKind.UNKNOWN_INTENT] == [
        "Table public.t7, which schema.prisma:9 names, does not exist."
    ]
    assert [each.object_name for each in plan.plan.steps if each.kind is StepKind.ADD_FOREIGN_KEY] == ["fk_t1_a1", "fk_t1_a2"]


async def test_a_plan_made_from_intent_can_be_applied_and_undone(postgres, silent):
    """The key that nothing but the application knew of is declared, with its action, and taken away again."""
    async with harness(postgres) as running:
        await running.register(silent)
        await audited(running, intended("a1", "t9", OnDelete.SET_NULL))
        job = await running.apply(await running.plan("shop"))
        declared, _ = await audited(running, intended("a1", "t9", OnDelete.CASCADE))
        await running.roll_back(job)
        undone, _ = await audited(running)

    assert (declared["a1"].declared, declared["a1"].declared_on_delete) == (True, OnDelete.SET_NULL)
    assert undone == {}


async def test_audits_from_before_there_was_intent_are_read(postgres, silent):
    """Their options do not speak of it."""
    async with harness(postgres) as running:
        await running.register(silent)
        audit, job = await flow.start(running.services, CALLER, "shop")
        await running.succeed(job)
        async with running.services.store.transaction() as connection:
            await connection.execute("UPDATE audits SET options = '{}' WHERE id = $1", audit.id)
            options = await audits.options_of(connection, audit.id)
            record = await audits.get(connection, audit.id)

    assert options == AuditOptions()
    assert replace(record, summary=None).id == audit.id
