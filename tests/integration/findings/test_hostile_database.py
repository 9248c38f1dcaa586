"""A database built to mislead: nothing is raised, and PostgreSQL takes every statement that a finding suggests."""

import asyncpg
import pytest

from holdfastd.findings.model import Finding, FindingKind, Severity
from integration.evidence.test_hostile_database import HOSTILE, load
from integration.findings.audits import audit, statements
from integration.findings.test_pages import writing
from support.postgres import Server

#: What rows may have against a statement, by class: values that cannot be cast, rows that break a constraint.
_ROWS = ("22", "23")

#: Kinds whose cure is a statement, whatever the case.
_WITH_SQL = {
    *(FindingKind.NOT_VALIDATED_KEY, FindingKind.NOT_ENFORCED_KEY, FindingKind.DUPLICATE_KEY),
    *(FindingKind.UNINDEXED_KEY, FindingKind.INVALID_INDEX, FindingKind.REDUNDANT_INDEX),
    *(FindingKind.TYPE_MISMATCH, FindingKind.REFERENCED_NOT_UNIQUE),
}


async def refusal(connection: asyncpg.Connection, finding: Finding) -> str:
    """Return what PostgreSQL has against the statements of a cure, which are taken back; empty for nothing but rows."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in statements(finding):
            # What runs in a transaction shows as much as what runs CONCURRENTLY.
            await connection.execute(statement.replace(" CONCURRENTLY", ""))
    except asyncpg.PostgresError as error:
        return "" if error.sqlstate.startswith(_ROWS) else f"{finding.id}: {finding.cure}: {error.sqlstate} {error}"
    finally:
        await transaction.rollback()
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("declared", [False, True], ids=["undeclared", "declared"])
async def test_every_statement_is_one_that_postgresql_takes(any_postgres: Server, any_database: str, *, declared: bool) -> None:
    """With names of quotes, brackets, line breaks and semicolons, keys declared and not."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not here")
    await load(any_postgres, any_database)
    async with writing(any_database) as connection:
        if declared:
            await connection.execute((HOSTILE / "expected_fks.sql").read_text(encoding="utf-8"))
        findings = await audit(connection)
        refused = [why for finding in findings if (why := await refusal(connection, finding))]

    assert refused == []
    assert [finding.cure for finding in findings if finding.kind in _WITH_SQL and not statements(finding)] == []
    assert {finding.kind for finding in findings} >= {
        FindingKind.DUPLICATE_KEY,
        FindingKind.INVALID_INDEX,
        FindingKind.POLYMORPHIC_REFERENCE,
    }
    assert {finding.kind for finding in findings if finding.severity is Severity.ERROR} == {FindingKind.ORPHAN_ROWS}
