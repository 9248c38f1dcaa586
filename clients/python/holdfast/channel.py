"""How we connect: in comes an address, out go a channel and the metadata of a call."""

import json
from urllib.parse import quote

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from holdfast.v1 import (
    audit_log_service_pb2,
    audit_service_pb2,
    backup_service_pb2,
    database_service_pb2,
    job_service_pb2,
    migration_service_pb2,
    plan_service_pb2,
)

SERVICE_FILES: tuple[FileDescriptor, ...] = (
    audit_log_service_pb2.DESCRIPTOR,
    audit_service_pb2.DESCRIPTOR,
    backup_service_pb2.DESCRIPTOR,
    database_service_pb2.DESCRIPTOR,
    job_service_pb2.DESCRIPTOR,
    migration_service_pb2.DESCRIPTOR,
    plan_service_pb2.DESCRIPTOR,
)
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_LOOPBACK = ("127.", "localhost", "[::1]", "::1", "unix:")
#: A plan of a large schema outgrows the default of 4 MiB.
_LARGEST_MESSAGE = 64 * 1024 * 1024
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def open_channel(server: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """Return a channel to the service: plaintext unless credentials are given."""
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", service_config()),
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        # A service that is being restarted is found again soon.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # A proxy of the environment cannot reach our own loopback.
        ("grpc.enable_http_proxy", 0 if server.startswith(_LOOPBACK) else 1),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(server, options=options)
    return grpc.aio.secure_channel(server, credentials, options=options)


def service_config() -> str:
    """Return the retry policy: calls that are idempotent, by nature or by their request_id; streams have their own loop."""
    methods = [method for file in SERVICE_FILES for service in file.services_by_name.values() for method in service.methods]
    names = [{"service": method.containing_service.full_name, "method": method.name} for method in methods if is_repeatable(method)]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": _RETRY}]})


def is_repeatable(method: MethodDescriptor) -> bool:
    """Tell whether asking twice is the same as asking once."""
    if method.server_streaming:
        return False
    is_idempotent = method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    return is_idempotent or "request_id" in method.input_type.fields_by_name


def metadata(principal: str, request_id: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call. Header values are ASCII, so all else (and `%`) is percent-encoded."""
    pairs = [("x-request-id", request_id)]
    if principal:
        pairs.append(("x-holdfast-principal", quote(principal, safe=_PRINTABLE)))
    return tuple(pairs)
