"""The one table from domain errors to gRPC statuses.

In comes an exception; out goes a code and a google.rpc.Status with exactly one ErrorInfo, and a BadRequest for a malformed field.
"""

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships stubs without a py.typed marker

from holdfastd.errors import (
    AlreadyExists,
    Cancelled,
    Conflict,
    Exhausted,
    Forbidden,
    HoldfastError,
    InvalidField,
    NotFound,
    Pruned,
    Reason,
    Refused,
    Unauthenticated,
    Unavailable,
)

#: ErrorInfo.domain of every error.
DOMAIN = "holdfast"

#: Metadata key that carries the request id, both ways.
REQUEST_ID = "x-request-id"
#: The newest entry of the audit log that this replica knows of, as `SEQUENCE:HASH`: whoever keeps it can prove a change later.
AUDIT_HEAD = "x-holdfast-audit-head"

#: Metadata key of google.rpc.Status.
DETAILS = "grpc-status-details-bin"


class TookTooLong(HoldfastError):
    """The call had no deadline of its own and met the service's."""

    def __init__(self, seconds: float) -> None:
        """Take the service's deadline."""
        super().__init__(
            f"The call took longer than {seconds:g} s and was cancelled; call again with a deadline of your own.",
            reason=Reason.CANCELLED,
        )


CODES: dict[type[HoldfastError], grpc.StatusCode] = {
    InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    Pruned: grpc.StatusCode.OUT_OF_RANGE,
    Cancelled: grpc.StatusCode.CANCELLED,
    TookTooLong: grpc.StatusCode.DEADLINE_EXCEEDED,
}

# Clients refuse trailers above 8 kB (grpc.max_metadata_size) with RESOURCE_EXHAUSTED, which would hide the error. The message
# travels twice, once percent-encoded, where a byte outside ASCII takes three.
_MESSAGE_BYTES = 1000
_FACT_BYTES = 1000
_FACTS_BYTES = 2500


def code_of(error: Exception) -> grpc.StatusCode:
    """Return the code of an error; INTERNAL for everything that is not a HoldfastError."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return grpc.StatusCode.INTERNAL


def status_of(error: Exception, request_id: str) -> status_pb2.Status:
    """Return the status to send. Of an unknown error it tells nothing but the request id: its text may hold anything."""
    if not isinstance(error, HoldfastError):
        message = f"A fault of Holdfast; its log names the cause under request id {request_id}."
        return _status(grpc.StatusCode.INTERNAL, message, Reason.INTERNAL, {"request_id": request_id})
    status = _status(code_of(error), error.message, error.reason, error.facts)
    if isinstance(error, InvalidField):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(error.field, _FACT_BYTES), description=_cut(error.message, _MESSAGE_BYTES)
        )
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, Exhausted):
        # Calls take milliseconds; whoever asks at once again only asks more often.
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay={"seconds": 1}))
    return status


def _status(code: grpc.StatusCode, message: str, reason: Reason, facts: dict[str, str]) -> status_pb2.Status:
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=_cut(message, _MESSAGE_BYTES))
    info = error_details_pb2.ErrorInfo(reason=reason.value, domain=DOMAIN)
    room = _FACTS_BYTES
    for name, fact in facts.items():
        text = _cut(fact, min(_FACT_BYTES, room))
        info.metadata[name] = text
        room -= len(text.encode())
    status.details.add().Pack(info)
    return status


def _cut(text: str, size: int) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= size:
        return encoded.decode()
    return encoded[: max(size - len("…".encode()), 0)].decode(errors="ignore") + "…"
