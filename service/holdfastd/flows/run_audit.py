"""Making an audit: read the catalog, infer, look at rows, count, look closer, find, save."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.outline import outline
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.counting.audit import count_audit
from holdfastd.evidence.details.read import detail_orphans
from holdfastd.evidence.model import Exactness
from holdfastd.evidence.overlap.observe import observe
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding
from holdfastd.flows.audit_progress import AuditProgress
from holdfastd.flows.audit_waits import naming_blockers
from holdfastd.flows.context import Services
from holdfastd.flows.targets import reading
from holdfastd.inference.candidates import conclude, form_hypotheses
from holdfastd.inference.hints.intent import Meant, assume, match_intent
from holdfastd.inference.hints.joins import find_joins
from holdfastd.inference.hints.weigh import weigh_joins, weigh_partitions
from holdfastd.inference.model import Candidate, Hypothesis, Relationship, Tier
from holdfastd.inference.purposes.assign import with_purposes
from holdfastd.inference.relationships import derive_relationships
from holdfastd.inference.rows.propose import propose
from holdfastd.inference.rows.weigh import weigh_rows
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import Verification
from holdfastd.store import audits, databases, orphan_counts
from holdfastd.store.model import AuditSummary, DatabaseRecord
from holdfastd.target.session import Connection

#: One relationship's count may take this long before it is given up and reported as not counted.
_COUNT_SECONDS = 3_600.0
#: Looking at samples of rows, and looking closer at orphan rows, may take so long in all; what is left out says so.
_SAMPLES_SECONDS = 60.0
_DETAILS_SECONDS = 300.0


async def run_audit(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Make the audit of a job and save it."""
    job = context.job
    async with services.store.connection() as store:
        record = await databases.get(store, job.database)
        options = await audits.options_of(store, job.audit_id)
    progress = AuditProgress(context)
    session = f"audit/{job.id}"
    async with naming_blockers(services, record, session, progress), reading(services, record, session) as connection:
        catalog = await _read(connection, progress)
        matched = await asyncio.to_thread(match_intent, catalog, options.intent)
        candidates = await _infer(connection, catalog, matched.meant, progress)
        relationships = await _count(services, record, connection, catalog, candidates, progress, options.estimate_after)
        relationships = await _look_closer(connection, catalog, relationships, progress)
    findings = await asyncio.to_thread(derive_findings, catalog, relationships, matched.unknown)
    tables = await asyncio.to_thread(lambda: with_purposes(outline(catalog), relationships))
    end_time = datetime.now(UTC)
    async with context.transaction() as store:
        await audits.save_result(
            store,
            job.audit_id,
            tables=tables,
            relationships=relationships,
            findings=findings,
            summary=summarise(catalog, relationships, findings),
            end_time=end_time,
        )
        await orphan_counts.record(store, record.id, job.audit_id, relationships, end_time)
    return ()


async def _read(connection: Connection, progress: AuditProgress) -> Catalog:
    await progress.begin("Read the catalog")
    return await progress.unless_stopped(read_catalog(connection, with_definitions=True, on_progress=progress.on_part))


async def _infer(connection: Connection, catalog: Catalog, meant: tuple[Meant, ...], progress: AuditProgress) -> tuple[Candidate, ...]:
    """Think of relationships, those that applications declare first, then let rows speak for and against them."""
    await progress.begin("Infer relationships")
    # Names of thousands of tables take seconds to compare: not in the loop that answers calls.
    hypotheses = await asyncio.to_thread(_think, catalog, meant)
    await progress.begin("Look at samples of rows")
    overlaps = await progress.unless_stopped(
        observe(connection, catalog, hypotheses, budget_seconds=_SAMPLES_SECONDS, on_progress=progress.on_part)
    )
    return await asyncio.to_thread(lambda: conclude(catalog, weigh_rows(catalog, hypotheses, overlaps), meant))


def _think(catalog: Catalog, meant: tuple[Meant, ...]) -> tuple[Hypothesis, ...]:
    """Form hypotheses of all that the catalog says: names, types and keys, then the queries it holds, and of what applications say."""
    thought = weigh_joins(catalog, form_hypotheses(catalog), find_joins(catalog))
    return propose(catalog, assume(weigh_partitions(catalog, thought), meant))


async def _count(
    services: Services,
    record: DatabaseRecord,
    connection: Connection,
    catalog: Catalog,
    candidates: tuple[Candidate, ...],
    progress: AuditProgress,
    estimate_after: timedelta | None,
) -> tuple[Relationship, ...]:
    uncounted = await asyncio.to_thread(derive_relationships, catalog, candidates, {})
    await progress.begin("Count orphan rows", total=sum(bool(relationship.operators) for relationship in uncounted))
    counts = await count_audit(
        connection,
        lambda: reading(services, record, f"audit/{progress.job_id}"),
        catalog,
        uncounted,
        progress,
        timeout_seconds=_COUNT_SECONDS,
        estimate_after=estimate_after,
    )
    return await asyncio.to_thread(derive_relationships, catalog, candidates, counts)


async def _look_closer(
    connection: Connection, catalog: Catalog, relationships: tuple[Relationship, ...], progress: AuditProgress
) -> tuple[Relationship, ...]:
    """Add why there are orphan rows, since when, and what deleting them would take along."""
    await progress.begin("Look closer at orphan rows", total=sum(bool(each.orphan_rows.value) for each in relationships))
    details = await progress.unless_stopped(
        detail_orphans(connection, catalog, relationships, budget_seconds=_DETAILS_SECONDS, on_detailed=progress.on_detailed)
    )
    return tuple(replace(each, orphan_details=details.get(each.id)) for each in relationships)


def summarise(catalog: Catalog, relationships: tuple[Relationship, ...], findings: tuple[Finding, ...]) -> AuditSummary:
    """Return the numbers of an audit; rows under a key that is declared twice count once."""
    counts = {relationship.id: relationship.orphan_rows for relationship in relationships}
    return AuditSummary(
        tables=len(catalog.tables),
        relationships=len(relationships),
        undeclared_relationships=sum(relationship.tier is Tier.PLAN for relationship in relationships),
        orphan_rows=sum(count.value for count in counts.values() if count.is_known),
        not_validated_keys=sum(relationship.declared and not relationship.validated for relationship in relationships),
        missing_indexes=sum(not relationship.indexed and relationship.tier is not Tier.REVIEW for relationship in relationships),
        findings=len(findings),
        not_auditable=sum(not relationship.orphan_rows.is_known for relationship in relationships),
        estimated=sum(count.exactness is Exactness.ESTIMATED for count in counts.values()),
    )
