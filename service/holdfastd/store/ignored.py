"""Findings that somebody decided to live with, by database: they outlast the audits that found them."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from holdfastd.errors import NotFound, Reason
from holdfastd.findings.model import Ignored
from holdfastd.store.documents import searchable, storable


async def put(connection: Any, database_id: str, ignored: Ignored) -> None:
    """Ignore a finding of a database, in place of what was decided about it before. NotFound when the database was removed meanwhile."""
    query = """
        INSERT INTO ignored_findings (database_id, finding_hash, finding_id, reason, principal, create_time, expire_time)
        VALUES ($1, sha256(convert_to($2, 'UTF8')), $2, $3, $4, $5, $6)
        ON CONFLICT (database_id, finding_hash) DO UPDATE
        SET reason = excluded.reason, principal = excluded.principal,
            create_time = excluded.create_time, expire_time = excluded.expire_time
    """
    try:
        await connection.execute(
            query, database_id, ignored.finding_id, storable(ignored.reason), ignored.principal, ignored.create_time, ignored.expire_time
        )
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("The database was removed just now.", reason=Reason.DATABASE_NOT_FOUND) from None


async def remove(connection: Any, database_id: str, finding_id: str) -> None:
    """Forget the decision about a finding, if there is one."""
    await connection.execute("DELETE FROM ignored_findings WHERE database_id = $1 AND finding_id = $2", database_id, searchable(finding_id))


async def read(connection: Any, database_id: str, finding_ids: Sequence[str]) -> dict[str, Ignored]:
    """Return what was decided about these findings, expired decisions included, by the finding's id."""
    query = """
        SELECT finding_id, reason, principal, create_time, expire_time FROM ignored_findings
        WHERE database_id = $1 AND finding_id = ANY ($2::text[])
    """
    return {row["finding_id"]: Ignored(**row) for row in await connection.fetch(query, database_id, list(finding_ids))}
