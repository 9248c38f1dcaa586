"""What lies in the store to messages: databases, audits, entries of the audit log; and checks and samples of a target."""

from collections.abc import Mapping

from holdfast.v1 import audit_log_service_pb2, audit_service_pb2, backup_service_pb2, database_service_pb2
from holdfastd.evidence.orphans import OrphanSamples
from holdfastd.execute.backups import Backup
from holdfastd.rpc.encode import timestamp
from holdfastd.rpc.enums import audit_state
from holdfastd.store.model import AuditRecord, AuditSummary, DatabaseRecord, LogEntry
from holdfastd.target.dsn import Endpoint
from holdfastd.target.pooled import recognise
from holdfastd.target.preflight.check import Check, Outcome

_CHECK_STATES: Mapping[Outcome, database_service_pb2.CheckState.ValueType] = {
    Outcome.PASSED: database_service_pb2.CHECK_STATE_PASSED,
    Outcome.WARNING: database_service_pb2.CHECK_STATE_WARNING,
    Outcome.BLOCKS_APPLICATION: database_service_pb2.CHECK_STATE_BLOCKS_APPLICATION,
    Outcome.BLOCKS_AUDIT: database_service_pb2.CHECK_STATE_BLOCKS_AUDIT,
}


def database(record: DatabaseRecord) -> database_service_pb2.Database:
    """Return a registered database. Of its DSN only the host, port, database and role are ever told."""
    reachable = record.reachable
    pooled = recognise(Endpoint(host=record.host, port=record.port, database=record.database_name, user=record.role))
    return database_service_pb2.Database(
        id=record.id,
        name=record.name,
        state=database_service_pb2.DATABASE_STATE_REACHABLE if reachable else database_service_pb2.DATABASE_STATE_UNREACHABLE,
        host=record.host,
        port=record.port,
        database_name=record.database_name,
        role=record.role,
        dsn_source=f"{record.dsn_kind}:{record.dsn_reference}" if record.dsn_reference else record.dsn_kind,
        server_version=record.identity.version,
        system_identifier=record.identity.system_identifier,
        create_time=timestamp(record.create_time),
        etag=record.etag,
        settings=database_service_pb2.DatabaseSettings(
            four_eyes=record.settings.four_eyes, max_running_jobs=record.settings.max_running_jobs
        ),
        pooler=str(pooled or ""),
    )


def check(value: Check) -> database_service_pb2.Check:
    """Return one thing that was checked."""
    return database_service_pb2.Check(
        id=value.id,
        state=_CHECK_STATES[value.outcome],
        message=value.message,
        cure=value.cure,
    )


def audit(record: AuditRecord) -> audit_service_pb2.Audit:
    """Return an audit with its summary."""
    return audit_service_pb2.Audit(
        id=record.id,
        database=record.database,
        state=audit_state(record.state),
        job_id=record.job_id,
        create_time=timestamp(record.create_time),
        end_time=timestamp(record.end_time),
        summary=_summary(record.summary) if record.summary else None,
    )


def orphan_samples(samples: OrphanSamples) -> audit_service_pb2.SampleOrphansResponse:
    """Return orphan rows as text; NULL has a flag of its own, because the empty text is a value."""
    return audit_service_pb2.SampleOrphansResponse(
        columns=samples.columns,
        samples=[
            audit_service_pb2.OrphanSample(values=["" if value is None else value for value in row], nulls=[value is None for value in row])
            for row in samples.rows
        ],
    )


def log_entry(entry: LogEntry) -> audit_log_service_pb2.AuditLogEntry:
    """Return an entry of the audit log."""
    return audit_log_service_pb2.AuditLogEntry(
        sequence=entry.sequence,
        time=timestamp(entry.time),
        principal=entry.principal,
        action=entry.action,
        database=entry.database,
        subject=entry.subject,
        outcome=entry.outcome,
        details=dict(entry.details),
        hash=entry.hash,
    )


def backup(value: Backup) -> backup_service_pb2.Backup:
    """Return the backup of one plan."""
    return backup_service_pb2.Backup(
        plan_id=value.plan_id,
        rows=value.rows,
        restored_rows=value.restored_rows,
        tables=[backup_service_pb2.BackupTable(table=table, rows=rows) for table, rows in value.tables],
        first_time=timestamp(value.first_time),
        last_time=timestamp(value.last_time),
        purge_time=timestamp(value.purge_time),
    )


def _summary(summary: AuditSummary) -> audit_service_pb2.AuditSummary:
    return audit_service_pb2.AuditSummary(
        tables=summary.tables,
        relationships=summary.relationships,
        undeclared_relationships=summary.undeclared_relationships,
        orphan_rows=summary.orphan_rows,
        not_validated_keys=summary.not_validated_keys,
        missing_indexes=summary.missing_indexes,
        findings=summary.findings,
        not_auditable=summary.not_auditable,
        estimated=summary.estimated,
    )
