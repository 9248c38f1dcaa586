"""What can go wrong, as one exception: in comes the status that the service sent, out go its reason and its facts."""

from collections.abc import Mapping
from typing import Self

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo  # type: ignore[import-untyped]
from grpc.aio import AioRpcError
from grpc_status import rpc_status

from holdfast.v1.core_pb2 import JOB_STATE_CANCELLED, Job

_DOMAIN = "holdfast"
_OWN_WORDS = {
    grpc.StatusCode.UNAVAILABLE: "Holdfast does not answer at {server}; check the address, and that `holdfastd serve` runs.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Holdfast at {server} did not answer in time; try again.",
    grpc.StatusCode.UNIMPLEMENTED: "Holdfast at {server} does not know this call; use a client of the server's version.",
}
_OTHER_NAME = "The certificate of {server} is made out for another name; connect by that name, or give it with --server-name."
_ENDED_EARLY = (
    "{server} ends the connection before it begins; if it serves TLS, give --tls or --ca FILE;"
    " if it asks for a certificate, give --cert and --key that its authority signed."
)
#: What the transport says of a connection that never came about, and what it means. All are UNAVAILABLE.
_NEVER_CONNECTED = {
    "WRONG_VERSION_NUMBER": "Holdfast at {server} does not speak TLS; leave --tls and --ca away, or check the port.",
    "certificate has expired": "The certificate of {server} has expired; its operator must renew it.",
    "certificate is not yet valid": "The certificate of {server} is not valid yet; compare the clocks of both machines.",
    "Hostname Verification Check failed": _OTHER_NAME,
    "is not in peer certificate": _OTHER_NAME,
    "CERTIFICATE_VERIFY_FAILED": "The certificate of {server} is signed by an unknown authority; give its certificate with --ca FILE.",
    "handshake failed": "TLS with {server} does not come about; compare --ca with the authority that signed its certificate.",
    "Socket closed": _ENDED_EARLY,
}


class HoldfastError(Exception):
    """A call or a job failed: `message` is for people, `reason` (a name of holdfast.v1.ErrorReason) is for programs."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        metadata: Mapping[str, str] | None = None,
        code: grpc.StatusCode | None = None,
        field: str = "",
        request_id: str = "",
    ) -> None:
        """Take the sentence, the reason and the facts; jobs fail without a code, `field` is the path of a malformed field."""
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.code = code
        self.field = field
        self.request_id = request_id

    @classmethod
    def from_rpc(cls, error: AioRpcError, *, server: str, request_id: str = "") -> Self:
        """Return the error that a call ended with."""
        info, violations = _details(error)
        # What carries no ErrorInfo was said by the transport; we say it in our words.
        if info is None:
            words = _words(error)
            return cls(words.format(server=server), reason=error.code().name, code=error.code(), request_id=request_id)
        field = info.metadata.get("field", "") or (violations[0].field if violations else "")
        return cls(
            error.details() or info.reason,
            reason=info.reason,
            metadata=info.metadata,
            code=error.code(),
            field=field,
            request_id=request_id,
        )

    @classmethod
    def from_job(cls, job: Job) -> Self:
        """Return the error that a failed or cancelled job ended with."""
        if job.state == JOB_STATE_CANCELLED:
            message = job.error_message or f"Job {job.id} was cancelled; what was done stays done."
            return cls(message, reason="CANCELLED", metadata={"job_id": job.id})
        message = job.error_message or f"Job {job.id} failed."
        return cls(message, reason=job.error_reason or "INTERNAL", metadata={"job_id": job.id})


def is_cut(error: AioRpcError) -> bool:
    """Tell whether a stream ended because the connection did: then going on with the resume token is right."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return True
    reset = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
    return error.code() in reset and _details(error)[0] is None


def _words(error: AioRpcError) -> str:
    said = error.details() or ""
    if error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in said:
        found = next((words for sign, words in _NEVER_CONNECTED.items() if sign in said), None)
        if found:
            return found
    return _OWN_WORDS.get(error.code()) or said.replace("{", "{{").replace("}", "}}") or "The call failed; try again."


def _details(error: AioRpcError) -> tuple[ErrorInfo | None, list[BadRequest.FieldViolation]]:
    try:
        # The aio variant of from_call wants the call, not the error; the plain one takes both.
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except (ValueError, DecodeError):
        return None, []
    found: ErrorInfo | None = None
    violations: list[BadRequest.FieldViolation] = []
    for detail in status.details if status else ():
        info, request = ErrorInfo(), BadRequest()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            found = info
        elif detail.Unpack(request):
            violations.extend(request.field_violations)
    return found, violations
