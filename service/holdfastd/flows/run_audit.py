"""Making an audit: read the catalog, infer, count, advise, find, save."""

import asyncio
from datetime import UTC, datetime

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.model import RowCount
from holdfastd.evidence.orphans import count_orphans
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding
from holdfastd.flows.context import Services
from holdfastd.flows.targets import reading
from holdfastd.inference.candidates import infer_candidates
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.relationships import derive_relationships
from holdfastd.jobs.context import JobContext
from holdfastd.jobs.model import EventKind, Happening, Progress, Verification
from holdfastd.store import audits, databases
from holdfastd.store.model import AuditSummary
from holdfastd.target.session import Connection

#: One relationship's count may take this long before it is given up and reported as not counted.
_COUNT_SECONDS = 3_600.0


async def run_audit(services: Services, context: JobContext) -> tuple[Verification, ...]:
    """Make the audit of a job and save it."""
    job = context.job
    async with services.store.connection() as store:
        record = await databases.get(store, job.database)
    async with reading(services, record, f"audit/{job.id}") as connection:
        await context.record(_step("Read the catalog"), progress=Progress(activity="Reading the catalog"))
        catalog = await read_catalog(connection)
        # Names of thousands of tables take seconds to compare: not in the loop that answers calls.
        candidates = await asyncio.to_thread(infer_candidates, catalog)
        uncounted = await asyncio.to_thread(derive_relationships, catalog, candidates, {})
        counts = await _count(connection, context, catalog, uncounted)
    relationships = await asyncio.to_thread(derive_relationships, catalog, candidates, counts)
    findings = derive_findings(catalog, relationships)
    async with context.transaction() as store:
        await audits.save_result(
            store,
            job.audit_id,
            relationships=relationships,
            findings=findings,
            summary=summarise(catalog, relationships, findings),
            end_time=datetime.now(UTC),
        )
    return ()


async def _count(
    connection: Connection, context: JobContext, catalog: Catalog, relationships: tuple[Relationship, ...]
) -> dict[str, RowCount]:
    """Count the orphan rows of every relationship that can be counted, one short transaction each."""
    counts: dict[str, RowCount] = {}
    countable = [relationship for relationship in relationships if relationship.operators]
    for number, relationship in enumerate(countable, start=1):
        context.raise_if_stopped()
        count = await count_orphans(
            connection,
            catalog,
            relationship.referencing,
            relationship.referenced,
            relationship.operators,
            timeout_seconds=_COUNT_SECONDS,
        )
        counts[relationship.id] = count
        text = f"{count.value} orphan rows" if count.is_known else f"not counted: {count.reason}"
        happening = Happening(
            kind=EventKind.STEP_DONE, message=f"{relationship.id}: {text}", relationship_id=relationship.id, rows_done=count.value
        )
        await context.record(happening, progress=Progress(activity="Counting orphan rows", done=number, total=len(countable)))
    return counts


def summarise(catalog: Catalog, relationships: tuple[Relationship, ...], findings: tuple[Finding, ...]) -> AuditSummary:
    """Return the numbers of an audit."""
    return AuditSummary(
        tables=len(catalog.tables),
        relationships=len(relationships),
        undeclared_relationships=sum(relationship.tier is Tier.PLAN for relationship in relationships),
        orphan_rows=sum(relationship.orphan_rows.value for relationship in relationships if relationship.orphan_rows.is_known),
        not_validated_keys=sum(relationship.declared and not relationship.validated for relationship in relationships),
        missing_indexes=sum(not relationship.indexed and relationship.tier is not Tier.REVIEW for relationship in relationships),
        findings=len(findings),
        not_auditable=sum(not relationship.orphan_rows.is_known for relationship in relationships),
    )


def _step(text: str) -> Happening:
    return Happening(kind=EventKind.STEP_STARTED, message=text)
