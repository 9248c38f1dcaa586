"""Judging an audit against what was known."""

from datetime import UTC, datetime

from holdfastd.findings.gate import Baseline, Verdict, judge
from holdfastd.findings.ignoring import apply_ignored
from holdfastd.findings.model import Severity
from holdfastd.flows.audits import succeeded
from holdfastd.flows.context import Services
from holdfastd.store import audits, ignored
from holdfastd.store.model import AuditRecord


async def get(
    services: Services, database: str, audit_id: str, baseline: Baseline, *, minimum_severity: Severity, max_new_orphans: int
) -> tuple[AuditRecord, Verdict]:
    """Return the audit that was judged, the latest unless one is named, and the verdict. Ignored findings are as good as none."""
    async with services.store.connection() as connection:
        audit = await succeeded(connection, database, audit_id)
        found = await audits.all_findings(connection, audit.id)
        decisions = await ignored.read(connection, audit.database_id, [finding.id for finding in found])
        relationships = await audits.all_relationships(connection, audit.id)
    standing = [finding for finding, decision in apply_ignored(found, decisions, datetime.now(UTC)) if decision is None]
    verdict = judge(standing, relationships, baseline, minimum_severity=minimum_severity, max_new_orphans=max_new_orphans)
    return audit, verdict
