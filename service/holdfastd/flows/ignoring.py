"""Deciding to live with a finding, and taking that back."""

from datetime import UTC, datetime

from holdfastd.findings.model import Finding, Ignored
from holdfastd.flows.audits import succeeded
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import deed
from holdfastd.store import audits, databases, ignored


async def ignore(
    services: Services, caller: Caller, database: str, finding_id: str, reason: str, expire_time: datetime | None
) -> tuple[Finding, Ignored]:
    """Ignore a finding of the latest audit, in all audits to come, until the time given."""
    async with deed(services, caller, "finding.ignore", database=database, subject=finding_id) as doing:
        record = await databases.get(doing.connection, database)
        audit = await succeeded(doing.connection, database, "")
        finding = await audits.finding(doing.connection, audit.id, finding_id)
        decision = Ignored(
            finding_id=finding.id,
            reason=reason,
            principal=caller.principal,
            create_time=datetime.now(UTC),
            expire_time=expire_time,
        )
        await ignored.put(doing.connection, record.id, decision)
        doing.details = {"reason": reason, "until": expire_time.isoformat() if expire_time else ""}
    return finding, decision


async def unignore(services: Services, caller: Caller, database: str, finding_id: str) -> None:
    """Open a finding again; the latest audit need not know it any more."""
    async with deed(services, caller, "finding.unignore", database=database, subject=finding_id) as doing:
        record = await databases.get(doing.connection, database)
        await ignored.remove(doing.connection, record.id, finding_id)
