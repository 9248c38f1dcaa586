"""Making an audit: read the catalog, infer, count, advise, find, save."""

import asyncio
from datetime import UTC, datetime

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.counting.audit import Counted, count_audit
from holdfastd.evidence.counting.run import Pace
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
        counts = await count_audit(
            connection,
            lambda: reading(services, record, f"audit/{job.id}"),
            catalog,
            uncounted,
            _Teller(context, total=sum(bool(relationship.operators) for relationship in uncounted)),
            timeout_seconds=_COUNT_SECONDS,
        )
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


class _Teller:
    """Turns counts into events, and the job's wish to stop into its end."""

    def __init__(self, context: JobContext, *, total: int) -> None:
        self.raise_if_stopped = context.raise_if_stopped
        self._context = context
        self._total = total
        self._done = 0

    async def on_counted(self, counted: Counted) -> None:
        """Tell the count of one relationship, and how it was obtained."""
        self._done += 1
        count = counted.count
        text = f"{count.value} orphan rows ({counted.how})" if count.is_known else f"not counted: {count.reason}"
        happening = Happening(
            kind=EventKind.STEP_DONE,
            message=f"{counted.relationship_id}: {text}",
            relationship_id=counted.relationship_id,
            rows_done=count.value,
        )
        await self._context.record(happening, progress=self._progress())

    async def on_pace(self, relationship_id: str, pace: Pace, rows: float) -> None:
        """Tell how far a long count has come."""
        done, total = int(max(rows, 0) * pace.blocks_done / pace.blocks_total), int(max(rows, 0))
        text = f"about {done} of {total} rows, {done / max(pace.seconds, 0.001):.0f} rows/s, {pace.seconds_left:.0f} s left"
        happening = Happening(
            kind=EventKind.PROGRESS,
            message=f"{relationship_id}: {text}",
            relationship_id=relationship_id,
            rows_done=done,
            rows_total=total,
        )
        await self._context.record(happening, progress=self._progress(rows_done=done, rows_total=total))

    def _progress(self, *, rows_done: int = 0, rows_total: int = 0) -> Progress:
        return Progress(activity="Counting orphan rows", done=self._done, total=self._total, rows_done=rows_done, rows_total=rows_total)


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
