"""How the Connect protocol looks on the wire: codes, errors and frames. In come statuses and bytes, out go bytes.

https://connectrpc.com/docs/protocol
"""

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from http import HTTPStatus

import grpc
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships stubs without a py.typed marker

from holdfastd.rpc.status import DETAILS

#: Metadata as gRPC has it; values are bytes for keys that end in `-bin`.
Trailers = Sequence[tuple[str, str | bytes]]

_CODES: dict[grpc.StatusCode, tuple[str, int]] = {
    # 499 is nginx's: nobody is there to read it.
    grpc.StatusCode.CANCELLED: ("canceled", 499),
    grpc.StatusCode.UNKNOWN: ("unknown", HTTPStatus.INTERNAL_SERVER_ERROR),
    grpc.StatusCode.INVALID_ARGUMENT: ("invalid_argument", HTTPStatus.BAD_REQUEST),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("deadline_exceeded", HTTPStatus.GATEWAY_TIMEOUT),
    grpc.StatusCode.NOT_FOUND: ("not_found", HTTPStatus.NOT_FOUND),
    grpc.StatusCode.ALREADY_EXISTS: ("already_exists", HTTPStatus.CONFLICT),
    grpc.StatusCode.PERMISSION_DENIED: ("permission_denied", HTTPStatus.FORBIDDEN),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("resource_exhausted", HTTPStatus.TOO_MANY_REQUESTS),
    grpc.StatusCode.FAILED_PRECONDITION: ("failed_precondition", HTTPStatus.BAD_REQUEST),
    grpc.StatusCode.ABORTED: ("aborted", HTTPStatus.CONFLICT),
    grpc.StatusCode.OUT_OF_RANGE: ("out_of_range", HTTPStatus.BAD_REQUEST),
    grpc.StatusCode.UNIMPLEMENTED: ("unimplemented", HTTPStatus.NOT_IMPLEMENTED),
    grpc.StatusCode.INTERNAL: ("internal", HTTPStatus.INTERNAL_SERVER_ERROR),
    grpc.StatusCode.UNAVAILABLE: ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    grpc.StatusCode.DATA_LOSS: ("data_loss", HTTPStatus.INTERNAL_SERVER_ERROR),
    grpc.StatusCode.UNAUTHENTICATED: ("unauthenticated", HTTPStatus.UNAUTHORIZED),
}

_END = 0b10
_PREFIX = struct.Struct(">BI")
PREFIX_BYTES = _PREFIX.size


def http_status(code: grpc.StatusCode) -> int:
    """Return the status of a unary response that is an error."""
    return _CODES[code][1]


def error(code: grpc.StatusCode, message: str, trailers: Trailers = ()) -> dict[str, object]:
    """Return the error as JSON; its details are those that gRPC carries in a trailer of their own."""
    packed = next((value for key, value in trailers if key == DETAILS), None)
    details = status_pb2.Status.FromString(packed).details if isinstance(packed, bytes) else ()
    return {"code": _CODES[code][0], "message": message, **({"details": [_detail(detail) for detail in details]} if details else {})}


def unary_headers(trailers: Trailers) -> Iterable[tuple[bytes, bytes]]:
    """Return the trailers of a unary call as what they are in HTTP: headers."""
    return ((f"trailer-{key}".encode(), value.encode("latin-1", "replace")) for key, value in trailers if isinstance(value, str))


def message_frame(data: bytes) -> bytes:
    """Return one message of a stream."""
    return _PREFIX.pack(0, len(data)) + data


def end_frame(trailers: Trailers, failure: dict[str, object] | None) -> bytes:
    """Return what ends a stream: its error, if there is one, and the trailers."""
    metadata = {key: [value] for key, value in trailers if isinstance(value, str)}
    data = json.dumps({**({"error": failure} if failure else {}), "metadata": metadata}).encode()
    return _PREFIX.pack(_END, len(data)) + data


def only_message(body: bytes) -> bytes | None:
    """Return the one message that the body of a call with one request holds; None when it is framed in another way."""
    if len(body) < PREFIX_BYTES:
        return None
    flags, size = _PREFIX.unpack_from(body)
    return body[PREFIX_BYTES:] if flags == 0 and size == len(body) - PREFIX_BYTES else None


def _detail(detail: any_pb2.Any) -> dict[str, object]:
    # Without padding, says the protocol. `debug` is for people with curl: programs read the value.
    told = {"type": detail.type_url.rpartition("/")[2], "value": base64.b64encode(detail.value).decode().rstrip("=")}
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
        message = kind()
        if detail.Unpack(message):
            return {**told, "debug": json_format.MessageToDict(message)}
    return {**told}
