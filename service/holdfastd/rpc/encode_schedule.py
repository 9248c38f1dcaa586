"""Schedules, history and comparisons to messages."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from holdfast.v1 import audit_service_pb2, core_pb2, schedule_service_pb2
from holdfastd.findings.differences import RelationshipChange
from holdfastd.flows.comparisons import Comparison
from holdfastd.inference.model import Relationship
from holdfastd.rpc import encode, encode_record
from holdfastd.rpc.enums import to_proto
from holdfastd.store.model import OrphanCount, ScheduleRecord

#: Clients take messages of 4 MiB; each of the two lists of a comparison gets less than half.
_LIST_BYTES = 1_900_000

_M = TypeVar("_M", bound=Message)


def schedule(value: ScheduleRecord) -> schedule_service_pb2.Schedule:
    """Return a schedule and what came of it."""
    recurrence = value.recurrence
    message = schedule_service_pb2.Schedule(
        database=value.database,
        time_zone=recurrence.time_zone,
        jitter=_duration(recurrence.jitter or None),
        estimate_after=_duration(value.estimate_after),
        next_time=encode.timestamp(value.next_time),
        last_time=encode.timestamp(value.last_time),
        last_audit_id=value.last_audit_id,
        missed_runs=value.missed_runs,
        missed_reason=value.missed_reason,
        principal=value.principal,
    )
    if recurrence.interval is None:
        message.cron = recurrence.cron
    else:
        message.interval.FromTimedelta(recurrence.interval)
    return message


def orphan_count(value: OrphanCount) -> audit_service_pb2.OrphanCount:
    """Return one count of the history."""
    return audit_service_pb2.OrphanCount(
        time=encode.timestamp(value.time),
        audit_id=value.audit_id,
        relationship_id=value.relationship_id,
        orphan_rows=encode.row_count(value.orphan_rows),
    )


def comparison(value: Comparison) -> audit_service_pb2.CompareAuditsResponse:
    """Return what differs between two audits: as much as fits, and how much there is."""
    return audit_service_pb2.CompareAuditsResponse(
        base=encode_record.audit(value.base),
        head=encode_record.audit(value.head),
        relationships=_fitting(map(_relationship_change, value.relationships)),
        findings=_fitting(
            audit_service_pb2.FindingChange(
                kind=to_proto(change.kind), finding=encode.finding(change.finding, value.ignored.get(change.finding.id))
            )
            for change in value.findings
        ),
        changed_relationships=len(value.relationships),
        changed_findings=len(value.findings),
    )


def _relationship_change(value: RelationshipChange) -> audit_service_pb2.RelationshipChange:
    return audit_service_pb2.RelationshipChange(
        kind=to_proto(value.kind),
        relationship_id=value.relationship_id,
        base_orphan_rows=_known_rows(value.base),
        head_orphan_rows=_known_rows(value.head),
        message=value.message,
    )


def _known_rows(value: Relationship | None) -> core_pb2.RowCount | None:
    return encode.row_count(value.orphan_rows) if value is not None and value.orphan_rows.is_known else None


def _fitting(messages: Iterable[_M]) -> Sequence[_M]:
    """Return the first messages that fit into half a response."""
    kept, size = [], 0
    for message in messages:
        # Its tag and length take up to six bytes more.
        size += message.ByteSize() + 6
        if size > _LIST_BYTES:
            break
        kept.append(message)
    return kept


def _duration(value: timedelta | None) -> Duration | None:
    if value is None:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message
