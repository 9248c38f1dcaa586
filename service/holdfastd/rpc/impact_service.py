"""ImpactService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from datetime import UTC, datetime

from holdfast.v1 import audit_service_pb2, core_pb2
from holdfast.v1 import impact_service_pb2 as pb
from holdfast.v1.impact_service_pb2_grpc import ImpactServiceServicer
from holdfastd.errors import InvalidField
from holdfastd.evidence.impact.model import Impact
from holdfastd.flows import impact
from holdfastd.flows.context import Services
from holdfastd.rpc import encode, fields
from holdfastd.rpc.enums import to_proto
from holdfastd.rpc.interceptor import Context

_MOST_ROWS, _ROWS = 1_000_000, 100_000
_MOST_SAMPLES, _SAMPLES = 100, 5
_MOST_COLUMNS = 32


class ImpactService(ImpactServiceServicer):
    """Tells what a deletion would take along."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def GetImpact(self, request: pb.GetImpactRequest, _: Context) -> pb.GetImpactResponse:
        """Tell what deleting one row would do."""
        found = await impact.get(
            self._services,
            fields.database_name(request.database),
            fields.required(request.table, "table"),
            _key(request),
            fields.optional_identifier(request.plan_id, "plan_id"),
            most_rows=_bounded(request.max_rows, "max_rows", usual=_ROWS, most=_MOST_ROWS),
            sample_size=_bounded(request.sample_size, "sample_size", usual=_SAMPLES, most=_MOST_SAMPLES),
            allow_scans=request.allow_scans,
        )
        moment = datetime.now(UTC)
        impacts = [_impact(each, moment) for each in found.impacts]
        return pb.GetImpactResponse(blocked=found.is_blocked, exact=not found.unknown, impacts=impacts, unknown=found.unknown)


def _key(request: pb.GetImpactRequest) -> tuple[str, ...]:
    if not request.key:
        raise InvalidField("key", "key is empty; give the values of the primary key.")
    if len(request.key) > _MOST_COLUMNS:
        raise InvalidField("key", f"key has more than {_MOST_COLUMNS} values.")
    return tuple(fields.text(value, f"key[{position}]") for position, value in enumerate(request.key))


def _bounded(value: int, field: str, *, usual: int, most: int) -> int:
    if value < 0:
        raise InvalidField(field, f"{field} is negative; 0 means {usual}.")
    return min(value or usual, most)


def _impact(value: Impact, moment: datetime) -> pb.Impact:
    if value.is_complete:
        exactness = core_pb2.EXACTNESS_EXACT
    else:
        exactness = core_pb2.EXACTNESS_ESTIMATED if value.rows else core_pb2.EXACTNESS_NOT_COUNTED
    reason = "" if value.is_complete or value.rows else value.reason
    return pb.Impact(
        table=str(value.table),
        action=to_proto(value.action),
        relationship_id=value.relationship_id,
        constraint_name=value.constraint_name,
        rows=core_pb2.RowCount(value=value.rows, exactness=exactness, as_of=encode.timestamp(moment), reason=reason),
        depth=value.depth,
        sample_columns=value.sample_columns,
        samples=[
            audit_service_pb2.OrphanSample(values=[each or "" for each in row], nulls=[each is None for each in row])
            for row in value.samples
        ],
        reason=value.reason,
    )
