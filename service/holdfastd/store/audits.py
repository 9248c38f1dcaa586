"""Audits and what they found. An audit's state and times are those of its job; its results are one document per row, in order."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from holdfastd.catalog.outline import TableOutline
from holdfastd.errors import NotFound, Reason
from holdfastd.findings.model import Finding, Severity
from holdfastd.inference.model import Intended, Relationship
from holdfastd.jobs.model import JobState
from holdfastd.store.documents import decode, encode, searchable
from holdfastd.store.model import USUAL_OPTIONS, AuditOptions, AuditRecord, AuditSummary

_SELECT = """
    SELECT audits.id, databases.name AS database, audits.database_id, audits.create_time, audits.summary,
           audits.options - 'intent' AS options,
           coalesce(jobs.id, '') AS job_id, coalesce(jobs.state, 'QUEUED') AS state, coalesce(jobs.end_time, audits.end_time) AS end_time
    FROM audits
    JOIN databases ON databases.id = audits.database_id
    LEFT JOIN jobs ON jobs.audit_id = audits.id
"""


async def create(connection: Any, database_id: str, options: AuditOptions = USUAL_OPTIONS) -> str:
    """Create an audit without results and return its id; enqueue its job in the same transaction."""
    insert = "INSERT INTO audits (database_id, options) VALUES ($1, $2) RETURNING id"
    try:
        async with connection.transaction():
            return str(await connection.fetchval(insert, database_id, encode(options)))
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("The database was removed just now.", reason=Reason.DATABASE_NOT_FOUND) from None


async def get(connection: Any, audit_id: str) -> AuditRecord:
    """Return an audit; NotFound when there is none."""
    row = await connection.fetchrow(f"{_SELECT} WHERE audits.id = $1", searchable(audit_id))
    if row is None:
        message = f"There is no audit {audit_id!r}; list the audits, or start one."
        raise NotFound(message, reason=Reason.AUDIT_NOT_FOUND, facts={"audit": audit_id})
    return _record(row)


async def options_of(connection: Any, audit_id: str) -> AuditOptions:
    """Return how an audit was asked to be made."""
    return decode(await connection.fetchval("SELECT options FROM audits WHERE id = $1", audit_id), AuditOptions)


async def latest_intent(connection: Any, database_id: str) -> tuple[Intended, ...]:
    """Return what applications declare, from the latest audit of a database that was told; none when none was."""
    query = """
        SELECT options FROM audits
        WHERE database_id = $1 AND options #> '{intent, 0}' IS NOT NULL
        ORDER BY id DESC LIMIT 1
    """
    options = await connection.fetchval(query, database_id)
    return () if options is None else decode(options, AuditOptions).intent


async def list_page(
    connection: Any, *, database: str = "", after: str = "", limit: int, visible: Collection[str] | None = None
) -> tuple[AuditRecord, ...]:
    """Return audits, newest first: of one database or all, of the visible ones or all, older than the audit with the id `after`."""
    where = """
        WHERE ($1 = '' OR databases.name = $1) AND ($2 = '' OR audits.id < $2) AND ($4::text[] IS NULL OR databases.name = ANY ($4))
        ORDER BY audits.id DESC LIMIT $3
    """
    rows = await connection.fetch(f"{_SELECT} {where}", searchable(database), searchable(after), limit, visible)
    return tuple(_record(row) for row in rows)


async def save_result(
    connection: Any,
    audit_id: str,
    *,
    tables: Sequence[TableOutline] = (),
    relationships: Sequence[Relationship],
    findings: Sequence[Finding],
    summary: AuditSummary,
    end_time: datetime,
) -> None:
    """Save what an audit found, in place of what an earlier try of the same audit saved."""
    await connection.execute("DELETE FROM audit_tables WHERE audit_id = $1", audit_id)
    await connection.execute("DELETE FROM audit_relationships WHERE audit_id = $1", audit_id)
    await connection.execute("DELETE FROM audit_findings WHERE audit_id = $1", audit_id)
    await connection.executemany(
        "INSERT INTO audit_tables (audit_id, position, document) VALUES ($1, $2, $3)",
        [(audit_id, position, encode(item)) for position, item in enumerate(tables, start=1)],
    )
    ordered = sorted(relationships, key=lambda relationship: (relationship.referencing, relationship.referenced))
    await connection.executemany(
        "INSERT INTO audit_relationships (audit_id, position, id, document) VALUES ($1, $2, $3, $4)",
        [(audit_id, position, item.id, encode(item)) for position, item in enumerate(ordered, start=1)],
    )
    worst_first = sorted(findings, key=lambda finding: -finding.severity)
    await connection.executemany(
        "INSERT INTO audit_findings (audit_id, position, severity, id, document) VALUES ($1, $2, $3, $4, $5)",
        [(audit_id, position, int(item.severity), item.id, encode(item)) for position, item in enumerate(worst_first, start=1)],
    )
    await connection.execute("UPDATE audits SET summary = $2, end_time = $3 WHERE id = $1", audit_id, encode(summary), end_time)


async def tables_page(connection: Any, audit_id: str, after_position: int, limit: int) -> tuple[TableOutline, ...]:
    """Return tables by schema and name. Positions are 1, 2, 3 …: the next page is after `after_position` + length."""
    query = "SELECT document FROM audit_tables WHERE audit_id = $1 AND position > $2 ORDER BY position LIMIT $3"
    rows = await connection.fetch(query, audit_id, after_position, limit)
    return tuple(decode(row["document"], TableOutline) for row in rows)


async def all_tables(connection: Any, audit_id: str) -> tuple[TableOutline, ...]:
    """Return every table that an audit saw, by schema and name; none of audits made before tables were kept."""
    query = "SELECT document FROM audit_tables WHERE audit_id = $1 ORDER BY position"
    return tuple(decode(row["document"], TableOutline) for row in await connection.fetch(query, audit_id))


async def relationships_page(connection: Any, audit_id: str, after_position: int, limit: int) -> tuple[Relationship, ...]:
    """Return relationships by referencing table and columns. Positions are 1, 2, 3 …: the next page is after `after_position` + length."""
    query = "SELECT document FROM audit_relationships WHERE audit_id = $1 AND position > $2 ORDER BY position LIMIT $3"
    rows = await connection.fetch(query, audit_id, after_position, limit)
    return tuple(decode(row["document"], Relationship) for row in rows)


async def all_relationships(connection: Any, audit_id: str) -> tuple[Relationship, ...]:
    """Return every relationship of an audit, in order."""
    query = "SELECT document FROM audit_relationships WHERE audit_id = $1 ORDER BY position"
    return tuple(decode(row["document"], Relationship) for row in await connection.fetch(query, audit_id))


async def relationship(connection: Any, audit_id: str, relationship_id: str) -> Relationship:
    """Return one relationship of an audit; NotFound when it has none with that id."""
    query = "SELECT document FROM audit_relationships WHERE audit_id = $1 AND id = $2"
    document = await connection.fetchval(query, audit_id, searchable(relationship_id))
    if document is None:
        message = f"Audit {audit_id} found no relationship {relationship_id!r}; list its relationships."
        facts = {"audit": audit_id, "relationship": relationship_id}
        raise NotFound(message, reason=Reason.RELATIONSHIP_NOT_FOUND, facts=facts)
    return decode(document, Relationship)


async def findings_page(connection: Any, audit_id: str, minimum_severity: Severity, after_position: int, limit: int) -> tuple[Finding, ...]:
    """Return findings, the worst first. Positions are 1, 2, 3 … for any minimum: the next page is after `after_position` + length."""
    query = """
        SELECT document FROM audit_findings
        WHERE audit_id = $1 AND severity >= $2 AND position > $3
        ORDER BY position LIMIT $4
    """
    rows = await connection.fetch(query, audit_id, int(minimum_severity), after_position, limit)
    return tuple(decode(row["document"], Finding) for row in rows)


async def finding(connection: Any, audit_id: str, finding_id: str) -> Finding:
    """Return one finding of an audit; NotFound when it has none with that id."""
    query = "SELECT document FROM audit_findings WHERE audit_id = $1 AND id = $2"
    document = await connection.fetchval(query, audit_id, searchable(finding_id))
    if document is None:
        message = f"Audit {audit_id} has no finding {finding_id!r}; list its findings."
        raise NotFound(message, reason=Reason.FINDING_NOT_FOUND, facts={"audit": audit_id, "finding_id": finding_id})
    return decode(document, Finding)


async def all_findings(connection: Any, audit_id: str) -> tuple[Finding, ...]:
    """Return every finding of an audit, the worst first."""
    query = "SELECT document FROM audit_findings WHERE audit_id = $1 ORDER BY position"
    return tuple(decode(row["document"], Finding) for row in await connection.fetch(query, audit_id))


async def latest_succeeded(connection: Any, database_id: str, *, before: str = "") -> AuditRecord | None:
    """Return the newest audit of a database that succeeded, or the newest before another audit; None when there is none."""
    where = """
        WHERE audits.database_id = $1 AND jobs.state = 'SUCCEEDED' AND ($2 = '' OR audits.id < $2)
        ORDER BY audits.id DESC LIMIT 1
    """
    row = await connection.fetchrow(f"{_SELECT} {where}", database_id, before)
    return None if row is None else _record(row)


def _record(row: Any) -> AuditRecord:
    return AuditRecord(
        id=row["id"],
        database=row["database"],
        database_id=row["database_id"],
        job_id=row["job_id"],
        state=JobState(row["state"]),
        create_time=row["create_time"],
        end_time=row["end_time"],
        summary=None if row["summary"] is None else decode(row["summary"], AuditSummary),
        estimate_after=decode(row["options"], AuditOptions).estimate_after,
    )
