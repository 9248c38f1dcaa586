"""Domain values to messages: the nouns of audits and jobs. Plans, and what lies in the store, are in files of their own."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from holdfast.v1 import core_pb2
from holdfastd import names
from holdfastd.evidence.model import Exactness, OrphanDetails, RowCount
from holdfastd.findings.model import Finding, Ignored
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import Blocker, Event, Job, Verification
from holdfastd.rpc.enums import to_proto

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Return a time; None leaves the field unset."""
    if moment is None:
        return None
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def column_set(columns: names.ColumnSet) -> core_pb2.ColumnSet:
    """Return columns of one table."""
    return core_pb2.ColumnSet(schema=columns.table.schema, table=columns.table.name, columns=columns.columns)


def row_count(count: RowCount) -> core_pb2.RowCount:
    """Return a number of rows; bounds say something about estimates only."""
    is_estimate = count.exactness is Exactness.ESTIMATED
    return core_pb2.RowCount(
        value=count.value,
        exactness=to_proto(count.exactness),
        as_of=timestamp(count.as_of),
        reason=count.reason,
        low=count.low if is_estimate else None,
        high=count.high if is_estimate else None,
    )


def relationship(value: Relationship) -> core_pb2.Relationship:
    """Return a relationship with its count and advice."""
    return core_pb2.Relationship(
        id=value.id,
        referencing=column_set(value.referencing),
        referenced=column_set(value.referenced),
        declared=value.declared,
        validated=value.declared and value.validated and value.enforced,
        enforced=value.enforced or not value.declared,
        constraint_name=value.constraint_name,
        declared_on_delete=to_proto(value.declared_on_delete) if value.declared_on_delete else core_pb2.ON_DELETE_UNSPECIFIED,
        nullable=value.nullable,
        confidence=value.confidence,
        tier=to_proto(value.tier),
        evidence=[core_pb2.Evidence(rule=item.rule, text=item.text) for item in value.evidence],
        orphan_rows=row_count(value.orphan_rows),
        risk=to_proto(value.risk),
        suggested_on_delete=to_proto(value.suggested_on_delete),
        rationale=value.rationale,
        indexed=value.indexed,
        obstacle=value.obstacle,
        state=_relationship_state(value),
        reference_probability=value.reference_probability,
        target_probability=value.target_probability,
        alternatives=[
            core_pb2.Alternative(referenced=column_set(item.referenced), confidence=item.confidence) for item in value.alternatives
        ],
        other_actions=[core_pb2.OtherAction(on_delete=to_proto(item.on_delete), rationale=item.rationale) for item in value.other_actions],
        orphan_details=None if value.orphan_details is None else orphan_details(value.orphan_details),
    )


def orphan_details(value: OrphanDetails) -> core_pb2.OrphanDetails:
    """Return what is known about orphan rows beyond their number."""
    return core_pb2.OrphanDetails(
        distinct_values=value.distinct_values,
        share=value.share,
        causes=[
            core_pb2.CausedRows(cause=to_proto(item.cause), rows=item.rows, distinct_values=item.distinct_values) for item in value.causes
        ],
        seen_column=value.seen_column,
        first_seen=timestamp(value.first_seen),
        last_seen=timestamp(value.last_seen),
        taken=[core_pb2.TakenRows(table=str(item.table), rows=item.rows, share=item.share) for item in value.taken],
        blocked=value.blocked,
        unknown=value.unknown,
    )


def finding(value: Finding, ignored: Ignored | None = None) -> core_pb2.Finding:
    """Return a finding: open, unless somebody decided to live with it."""
    return core_pb2.Finding(
        id=value.id,
        kind=to_proto(value.kind),
        severity=to_proto(value.severity),
        message=value.message,
        consequence=value.consequence,
        cure=value.cure,
        relationship_id=value.relationship_id,
        table=str(value.table),
        state=core_pb2.FINDING_STATE_OPEN if ignored is None else core_pb2.FINDING_STATE_IGNORED,
        part=value.part,
        ignored=None if ignored is None else _ignored(ignored),
    )


def job(value: Job) -> core_pb2.Job:
    """Return a job as it stands."""
    progress = value.progress
    return core_pb2.Job(
        id=value.id,
        kind=to_proto(value.kind),
        state=to_proto(value.state),
        database=value.database,
        audit_id=value.audit_id,
        plan_id=value.plan_id,
        application_id=value.application_id,
        progress=core_pb2.Progress(
            activity=progress.activity,
            done=progress.done,
            total=progress.total,
            rows_done=progress.rows_done,
            rows_total=progress.rows_total,
            waiting_for=progress.waiting_for,
        ),
        error_reason=value.error_reason,
        error_message=value.error_message,
        cancel_requested=value.cancel_requested,
        principal=value.principal,
        create_time=timestamp(value.create_time),
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
        epoch=value.epoch,
        verifications=[_verification(item) for item in value.verifications],
        pause_requested=value.pause_requested,
    )


def event(value: Event) -> core_pb2.Event:
    """Return an event."""
    happening = value.happening
    return core_pb2.Event(
        job_id=value.job_id,
        sequence=value.sequence,
        kind=to_proto(happening.kind),
        time=timestamp(value.time),
        message=happening.message,
        step=happening.step,
        relationship_id=happening.relationship_id,
        rows_done=happening.rows_done,
        rows_total=happening.rows_total,
        blockers=[_blocker(item) for item in happening.blockers],
    )


def _blocker(value: Blocker) -> core_pb2.Blocker:
    return core_pb2.Blocker(pid=value.pid, application=value.application, age_seconds=value.age_seconds, query=value.query)


def _ignored(value: Ignored) -> core_pb2.Ignored:
    return core_pb2.Ignored(
        reason=value.reason,
        principal=value.principal,
        create_time=timestamp(value.create_time),
        expire_time=timestamp(value.expire_time),
    )


def _verification(value: Verification) -> core_pb2.Verification:
    return core_pb2.Verification(
        relationship_id=value.relationship_id,
        orphan_rows_before=value.orphan_rows_before,
        orphan_rows_after=value.orphan_rows_after,
        backed_up_rows=value.backed_up_rows,
        constraint_name=value.constraint_name,
        declared=value.declared,
        validated=value.validated,
    )


def _relationship_state(value: Relationship) -> core_pb2.RelationshipState.ValueType:
    if not value.declared:
        return core_pb2.RELATIONSHIP_STATE_UNDECLARED
    if not value.enforced:
        return core_pb2.RELATIONSHIP_STATE_NOT_ENFORCED
    if not value.validated:
        return core_pb2.RELATIONSHIP_STATE_NOT_VALIDATED
    return core_pb2.RELATIONSHIP_STATE_VALIDATED
