"""Starting audits and reading what they found. run_audit.py makes them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from holdfastd.catalog.outline import TableOutline
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import NotFound, Reason, Refused
from holdfastd.evidence.orphans import OrphanSamples
from holdfastd.evidence.orphans import sample_orphans as read_samples
from holdfastd.findings.ignoring import apply_ignored
from holdfastd.findings.model import Finding, Ignored, Severity
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import deed, once
from holdfastd.flows.targets import reading
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import Job, JobKind
from holdfastd.store import audits, databases, ignored, jobs
from holdfastd.store.model import USUAL_OPTIONS, AuditOptions, AuditRecord


async def start(services: Services, caller: Caller, database: str, options: AuditOptions = USUAL_OPTIONS) -> tuple[AuditRecord, Job]:
    """Queue an audit and return it with its job."""
    asked = _describe(options)
    async with deed(services, caller, "audit.start", database=database) as doing:
        connection = doing.connection
        record = await databases.get(connection, database)
        doing.details = asked

        async def create() -> str:
            audit_id = await audits.create(connection, record.id, options)
            await jobs.enqueue(
                connection,
                kind=JobKind.AUDIT,
                database=record.name,
                database_id=record.id,
                principal=caller.principal,
                audit_id=audit_id,
            )
            return audit_id

        doing.subject = await once(doing, caller, "StartAudit", {"database": database} | asked, create)
        audit = await audits.get(connection, doing.subject)
        return audit, await jobs.get(connection, audit.job_id)


def _describe(options: AuditOptions) -> dict[str, str]:
    """Return what was asked for, as the audit log has it and as two requests are told apart."""
    asked = {"estimate_after": str(options.estimate_after)} if options.estimate_after else {}
    if options.intent:
        digest = hashlib.sha256(repr(options.intent).encode("utf-8", "backslashreplace")).hexdigest()
        asked["intent"] = f"{len(options.intent)} declared by applications, sha256 {digest}"
    return asked


async def get(services: Services, audit_id: str) -> AuditRecord:
    """Return one audit."""
    async with services.store.connection() as connection:
        return await audits.get(connection, audit_id)


async def list_page(
    services: Services, database: str, after: str, limit: int, visible: frozenset[str] | None = None
) -> Sequence[AuditRecord]:
    """Return audits, newest first; of the visible databases only."""
    async with services.store.connection() as connection:
        if database:
            await databases.get(connection, database)
        return await audits.list_page(connection, database=database, after=after, limit=limit, visible=visible)


async def relationships_page(
    services: Services, database: str, audit_id: str, after_position: int, limit: int
) -> tuple[AuditRecord, Sequence[tuple[int, Relationship]]]:
    """Return relationships with their positions, and the audit they come from."""
    async with services.store.connection() as connection:
        audit = await succeeded(connection, database, audit_id)
        page = await audits.relationships_page(connection, audit.id, after_position, limit)
    return audit, list(enumerate(page, start=after_position + 1))


async def tables_page(
    services: Services, database: str, audit_id: str, after_position: int, limit: int
) -> tuple[AuditRecord, Sequence[tuple[int, TableOutline]]]:
    """Return tables with their positions, and the audit that saw them."""
    async with services.store.connection() as connection:
        audit = await succeeded(connection, database, audit_id)
        page = await audits.tables_page(connection, audit.id, after_position, limit)
    return audit, list(enumerate(page, start=after_position + 1))


async def findings_page(
    services: Services,
    database: str,
    audit_id: str,
    minimum_severity: Severity | None,
    after_position: int,
    limit: int,
    *,
    include_ignored: bool,
) -> tuple[AuditRecord, Sequence[tuple[int, Finding, Ignored | None]]]:
    """Return findings with their positions (the worst first, so that a minimum only shortens the list), and their audit."""
    found: list[tuple[int, Finding, Ignored | None]] = []
    now = datetime.now(UTC)
    async with services.store.connection() as connection:
        audit = await succeeded(connection, database, audit_id)
        while len(found) < limit:
            # Ignored findings keep their positions, so a page may take several reads to fill.
            page = await audits.findings_page(connection, audit.id, minimum_severity or Severity.INFO, after_position, limit)
            decisions = await ignored.read(connection, audit.database_id, [finding.id for finding in page])
            marked = enumerate(apply_ignored(page, decisions, now), start=after_position + 1)
            found += [(number, finding, mark) for number, (finding, mark) in marked if include_ignored or mark is None]
            after_position += len(page)
            if len(page) < limit:
                break
    return audit, found[:limit]


async def succeeded(connection: object, database: str, audit_id: str) -> AuditRecord:
    """Return the audit of that id, or the latest of the database. Refused NO_AUDIT when there is none that succeeded."""
    if audit_id:
        audit = await audits.get(connection, audit_id)
        if database and audit.database != database:
            message = f"Audit {audit_id} is not of database {database}; list its audits with `holdfast audits list`."
            raise NotFound(message, reason=Reason.AUDIT_NOT_FOUND, facts={"audit_id": audit_id})
        found = audit if audit.summary is not None else None
    else:
        found = await audits.latest_succeeded(connection, (await databases.get(connection, database)).id)
    if found is None:
        message = f"There is no finished audit of {database or audit_id}; run `holdfast audit NAME` first."
        raise Refused(message, reason=Reason.NO_AUDIT, facts={"database": database})
    return found


async def sample_orphans(
    services: Services, caller: Caller, database: str, relationship_id: str, limit: int, columns: tuple[str, ...], *, masked: bool
) -> OrphanSamples:
    """Return some orphan rows as they are now: keys, and the columns asked for; masked: their shapes. Asking goes into the audit log."""
    async with deed(services, caller, "orphans.sample", database=database) as doing:
        record = await databases.get(doing.connection, database)
        audit = await succeeded(doing.connection, database, "")
        relationship = await audits.relationship(doing.connection, audit.id, relationship_id)
        doing.subject = audit.id
        doing.details = {"relationship": relationship_id, "columns": ", ".join(columns)} | ({"masked": "true"} if masked else {})
    async with reading(services, record, "sample") as connection:
        catalog = await read_catalog(connection)
        samples = await read_samples(connection, catalog, relationship, limit=limit, columns=columns)
    return samples.masked() if masked else samples
