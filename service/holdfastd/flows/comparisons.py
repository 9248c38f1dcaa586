"""Comparing two audits of a database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from holdfastd.errors import InvalidField, NotFound, Reason, Refused
from holdfastd.findings.differences import FindingChange, RelationshipChange, derive_finding_changes, derive_relationship_changes
from holdfastd.findings.model import Ignored
from holdfastd.flows.context import Services
from holdfastd.store import audits, databases, ignored
from holdfastd.store.model import AuditRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs."""

    base: AuditRecord
    head: AuditRecord
    relationships: Sequence[RelationshipChange]
    findings: Sequence[FindingChange]
    #: Decisions to live with findings that hold now, by the id of the finding.
    ignored: Mapping[str, Ignored]


async def compare(services: Services, database: str, base_id: str, head_id: str) -> Comparison:
    """Compare two audits; without ids the last two that succeeded. Refused NO_AUDIT when there are not two."""
    now = datetime.now(UTC)
    async with services.store.connection() as connection:
        database_id = (await databases.get(connection, database)).id
        head = await _named(connection, database, head_id, "head") if head_id else await _last(connection, database, database_id)
        base = await _named(connection, database, base_id, "base") if base_id else await _last(connection, database, database_id, head)
        _check_order(base, head)
        relationships = [await audits.all_relationships(connection, audit.id) for audit in (base, head)]
        findings = [await audits.all_findings(connection, audit.id) for audit in (base, head)]
        finding_changes = derive_finding_changes(*findings)
        decisions = await ignored.read(connection, database_id, [change.finding.id for change in finding_changes])
    return Comparison(
        base=base,
        head=head,
        relationships=await asyncio.to_thread(derive_relationship_changes, *relationships),
        findings=finding_changes,
        ignored={id_: decision for id_, decision in decisions.items() if decision.holds_at(now)},
    )


async def _named(connection: Any, database: str, audit_id: str, which: str) -> AuditRecord:
    """Return an audit of the database that the caller names, and that has ended well."""
    try:
        audit = await audits.get(connection, audit_id)
    except NotFound:
        message = f"There is no audit {audit_id} of database {database}; old audits are pruned, `holdfast audits list` shows what is left."
        raise NotFound(message, reason=Reason.AUDIT_NOT_FOUND, facts={"audit": audit_id, "database": database}) from None
    if audit.database != database:
        message = f"{which}_audit_id is an audit of database {audit.database}, not of {database}; only audits of one database compare."
        raise InvalidField(f"{which}_audit_id", message)
    if audit.summary is None:
        message = f"Audit {audit_id} is {audit.state}; wait until it succeeds, or name one that did."
        raise Refused(message, reason=Reason.NO_AUDIT, facts={"audit": audit_id, "state": audit.state})
    return audit


async def _last(connection: Any, database: str, database_id: str, before: AuditRecord | None = None) -> AuditRecord:
    """Return the last audit that succeeded, or the last before another."""
    found = await audits.latest_succeeded(connection, database_id, before="" if before is None else before.id)
    if found is None:
        which = "earlier finished audit" if before else "finished audit"
        message = f"There is no {which} of database {database} to compare with; run `holdfast audit {database}` first."
        raise Refused(message, reason=Reason.NO_AUDIT, facts={"database": database})
    return found


def _check_order(base: AuditRecord, head: AuditRecord) -> None:
    if base.id == head.id:
        raise InvalidField("base_audit_id", "Both audits are the same; name an earlier one, or none for the last two.")
    if base.id > head.id:
        raise InvalidField("base_audit_id", "base_audit_id is the later audit; name the earlier one first.")
