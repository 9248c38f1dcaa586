"""Every page of docs/findings shows a problem: PostgreSQL makes it, the audit finds it, the page's cure ends it."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfastd.findings.model import FindingKind
from holdfastd.target.session import connect
from integration.findings.audits import audit, found
from support.postgres import Server, database_name

PAGES = Path(__file__).resolve().parents[3] / "docs" / "findings"
#: Kinds that depend on who audits, or on more than the page shows; tests of their own make them.
_BY_ROLE = {FindingKind.NOT_AUDITABLE, FindingKind.ROWS_HIDDEN, FindingKind.UNKNOWN_INTENT}
_NOT_ENFORCED_SINCE = 18


def blocks(kind: FindingKind) -> list[list[str]]:
    """Return the statements of the page's example, and those of its cure where it has one."""
    fences = re.findall(r"```sql\n(.*?)```", (PAGES / f"{kind.lower()}.md").read_text(encoding="utf-8"), re.DOTALL)
    return [[text.strip() for text in re.split(r";(?:\s*--.*)?\n", fence) if text.strip()] for fence in fences]


async def run(connection: asyncpg.Connection, statements: list[str]) -> None:
    """Run statements one by one; a unique index may fail to build, which is one of the problems."""
    for statement in statements:
        may_fail = statement.startswith("CREATE UNIQUE INDEX CONCURRENTLY")
        with contextlib.suppress(asyncpg.UniqueViolationError) if may_fail else contextlib.nullcontext():
            await connection.execute(statement)


@contextlib.asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(dsn, application_name="test", read_only=False)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("kind", [kind for kind in FindingKind if kind not in _BY_ROLE])
async def test_the_example_is_found_and_the_cure_ends_it(kind: FindingKind, any_postgres: Server, any_database: str) -> None:
    """The example has the page's finding; the cure leaves nothing of it."""
    if kind is FindingKind.NOT_ENFORCED_KEY and any_postgres.major < _NOT_ENFORCED_SINCE:
        pytest.skip("NOT ENFORCED came with PostgreSQL 18")
    example, cure = blocks(kind)
    async with writing(any_database) as connection:
        await run(connection, example)
        before = await found(connection, kind)
        await run(connection, cure)
        after = await found(connection, kind)

    assert len(before) == 1
    assert after == []


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        (FindingKind.ROWS_HIDDEN, 'ALTER ROLE "{role}" BYPASSRLS'),
        (FindingKind.NOT_AUDITABLE, 'GRANT SELECT ON "public"."users" TO "{role}"'),
    ],
)
async def test_what_the_auditing_role_does_not_see(kind: FindingKind, cure: str, any_postgres: Server, any_database: str) -> None:
    """The finding names the statement that helps; afterwards it is gone."""
    role = f"auditor_{database_name(any_database)}"
    async with writing(any_database) as owner:
        await run(owner, [line for line in blocks(kind)[0] if not line.startswith("--")])
        await owner.execute(f'CREATE ROLE "{role}" LOGIN; GRANT SELECT ON public.orders TO "{role}"')
        if kind is FindingKind.ROWS_HIDDEN:
            await owner.execute(f'GRANT SELECT ON public.users TO "{role}"')
        try:
            async with writing(any_postgres.dsn(database_name(any_database), role=role)) as auditor:
                (finding,) = await found(auditor, kind)
                await owner.execute(cure.format(role=role))
                after = await audit(auditor)
        finally:
            await owner.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')

    assert cure.format(role=role) in finding.cure
    assert after == ()
