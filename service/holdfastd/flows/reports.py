"""Reports, maps and exports: gather what an audit found, and hand it to what writes it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from holdfastd.errors import NotFound, Reason
from holdfastd.exports.findings import export_findings
from holdfastd.exports.model import FindingsFormat, PlanFormat
from holdfastd.exports.plans import export_plan
from holdfastd.findings.ignoring import apply_ignored
from holdfastd.findings.model import Severity
from holdfastd.flows import audits as audit_flow
from holdfastd.flows.context import Services
from holdfastd.jobs.model import Job
from holdfastd.report.build import render_report
from holdfastd.report.facts import Facts, PlanFacts, ReportFormat, Subject
from holdfastd.report.map.draw import Drawing, draw_map
from holdfastd.report.suggestions import Suggestion, severities, suggest
from holdfastd.store import audits, databases, ignored, jobs, plans
from holdfastd.store.model import AuditRecord, PlanRecord


async def report(services: Services, database: str, audit_id: str, plan_id: str, format_: ReportFormat) -> str:
    """Return the report of an audit, the latest unless one is named, with a plan and its application if there are any."""
    async with services.store.connection() as connection:
        record = await _plan(connection, database, plan_id) if plan_id else None
        audit = await audit_flow.succeeded(connection, database, audit_id or (record.audit_id if record else ""))
        facts = await _gather(connection, audit, record or await plans.latest_of_audit(connection, audit.id))
    # Thousands of relationships take seconds to lay out: not in the loop that answers calls.
    return await asyncio.to_thread(render_report, facts, format_)


async def relationship_map(services: Services, database: str, audit_id: str, *, include_review: bool) -> tuple[AuditRecord, Drawing]:
    """Return the relationship map of an audit, the latest unless one is named."""
    async with services.store.connection() as connection:
        audit = await audit_flow.succeeded(connection, database, audit_id)
        tables = await audits.all_tables(connection, audit.id)
        relationships = await audits.all_relationships(connection, audit.id)
    return audit, await asyncio.to_thread(draw_map, tables, relationships, include_review=include_review)


async def suggestions(services: Services, database: str, audit_id: str) -> tuple[AuditRecord, tuple[Suggestion, ...], str]:
    """Return what to do about an audit, and how many findings stand, in words."""
    async with services.store.connection() as connection:
        audit = await audit_flow.succeeded(connection, database, audit_id)
        facts = await _gather(connection, audit, None)
    return audit, await asyncio.to_thread(suggest, facts), severities(facts)


async def findings(
    services: Services, database: str, audit_id: str, format_: FindingsFormat, minimum_severity: Severity
) -> Mapping[str, str]:
    """Return the findings of an audit as files of another tool, path -> text."""
    async with services.store.connection() as connection:
        audit = await audit_flow.succeeded(connection, database, audit_id)
        facts = await _gather(connection, audit, None)
    return await asyncio.to_thread(export_findings, facts, format_, minimum_severity)


async def plan(services: Services, plan_id: str, format_: PlanFormat, after: str) -> Mapping[str, str]:
    """Return a plan as files of another tool, path -> text."""
    async with services.store.connection() as connection:
        record = await plans.get(connection, plan_id)
        audit = await audit_flow.succeeded(connection, record.database, record.audit_id)
        facts = await _gather(connection, audit, record)
    return await asyncio.to_thread(export_plan, facts, format_, after)


async def _plan(connection: Any, database: str, plan_id: str) -> PlanRecord:
    record = await plans.get(connection, plan_id)
    if database and record.database != database:
        message = f"Plan {plan_id} is not of database {database}; list its plans with `holdfast plans list`."
        raise NotFound(message, reason=Reason.PLAN_NOT_FOUND, facts={"plan": plan_id})
    return record


async def _gather(connection: Any, audit: AuditRecord, record: PlanRecord | None) -> Facts:
    database = await databases.get(connection, audit.database)
    found = await audits.all_findings(connection, audit.id)
    decisions = await ignored.read(connection, audit.database_id, [finding.id for finding in found])
    application, rollback = await _carried_out(connection, record)
    return Facts(
        subject=Subject(
            name=database.name,
            host=database.host,
            port=database.port,
            database_name=database.database_name,
            role=database.role,
            server_version=database.identity.version,
        ),
        audit_id=audit.id,
        create_time=audit.create_time,
        end_time=audit.end_time or audit.create_time,
        tables=await audits.all_tables(connection, audit.id),
        relationships=await audits.all_relationships(connection, audit.id),
        findings=apply_ignored(found, decisions, datetime.now(UTC)),
        plan=None if record is None else _plan_facts(record),
        application=application,
        rollback=rollback,
    )


async def _carried_out(connection: Any, record: PlanRecord | None) -> tuple[Job | None, Job | None]:
    application_id = await jobs.last_application(connection, record.id) if record else ""
    if not application_id:
        return None, None
    rollback_id = await jobs.last_rollback(connection, application_id)
    return await jobs.get(connection, application_id), await jobs.get(connection, rollback_id) if rollback_id else None


def _plan_facts(record: PlanRecord) -> PlanFacts:
    return PlanFacts(
        id=record.id,
        state=record.state,
        author=record.author,
        reviewer=record.reviewer,
        create_time=record.create_time,
        plan=record.plan,
    )
