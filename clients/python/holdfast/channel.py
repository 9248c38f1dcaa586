"""How we connect: in come addresses and credentials, out go a channel and the metadata of a call."""

import json
from urllib.parse import quote

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from holdfast.addresses import Addresses
from holdfast.v1 import (
    audit_log_service_pb2,
    audit_service_pb2,
    backup_service_pb2,
    database_service_pb2,
    export_service_pb2,
    gate_service_pb2,
    impact_service_pb2,
    job_service_pb2,
    migration_service_pb2,
    plan_service_pb2,
    report_service_pb2,
    schedule_service_pb2,
)

SERVICE_FILES: tuple[FileDescriptor, ...] = (
    audit_log_service_pb2.DESCRIPTOR,
    audit_service_pb2.DESCRIPTOR,
    backup_service_pb2.DESCRIPTOR,
    database_service_pb2.DESCRIPTOR,
    export_service_pb2.DESCRIPTOR,
    gate_service_pb2.DESCRIPTOR,
    impact_service_pb2.DESCRIPTOR,
    job_service_pb2.DESCRIPTOR,
    migration_service_pb2.DESCRIPTOR,
    plan_service_pb2.DESCRIPTOR,
    report_service_pb2.DESCRIPTOR,
    schedule_service_pb2.DESCRIPTOR,
)
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
#: While replicas are replaced one after the other, the one that is back may be connected to only after the longest pause below.
_PATIENT_RETRY = _RETRY | {"maxAttempts": 5, "initialBackoff": "0.4s"}
#: Trailing metadata of every answer: the newest entry of the audit log that the replica knew of, as `SEQUENCE:HASH`.
AUDIT_HEAD = "x-holdfast-audit-head"
#: The service whose health stands for a replica's: a replica that drains says so, and gets no more calls.
_HEALTH_OF = "holdfast.v1.JobService"
#: A plan of a large schema outgrows the default of 4 MiB.
_LARGEST_MESSAGE = 64 * 1024 * 1024
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def open_channel(addresses: Addresses, credentials: grpc.ChannelCredentials | None, *, server_name: str = "") -> grpc.aio.Channel:
    """Return a channel to the service: plaintext without credentials. Its certificate must be made out for the server name, if any."""
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", service_config(are_several=addresses.are_several)),
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        # A service that is being restarted is found again soon.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # A proxy of the environment cannot reach our own loopback.
        ("grpc.enable_http_proxy", 0 if addresses.is_loopback else 1),
    ]
    if addresses.authority:
        options.append(("grpc.default_authority", addresses.authority))
    if credentials is None:
        return grpc.aio.insecure_channel(addresses.target, options=options)
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.aio.secure_channel(addresses.target, credentials, options=options)


def service_config(*, are_several: bool = False) -> str:
    """Return the retry policy: calls that are idempotent, by nature or by their request_id; streams have their own loop.

    Several replicas take turns, but for those that say they are stopping.
    """
    methods = [method for file in SERVICE_FILES for service in file.services_by_name.values() for method in service.methods]
    names = [{"service": method.containing_service.full_name, "method": method.name} for method in methods if is_repeatable(method)]
    config: dict[str, object] = {"methodConfig": [{"name": names, "retryPolicy": _PATIENT_RETRY if are_several else _RETRY}]}
    if are_several:
        config |= {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": _HEALTH_OF}}
    return json.dumps(config)


def is_repeatable(method: MethodDescriptor) -> bool:
    """Tell whether asking twice is the same as asking once."""
    if method.server_streaming:
        return False
    is_idempotent = method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    return is_idempotent or "request_id" in method.input_type.fields_by_name


def metadata(principal: str, request_id: str, authorization: str = "") -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call. Header values are ASCII, so all else (and `%`) is percent-encoded."""
    pairs = [("x-request-id", request_id)]
    if principal:
        pairs.append(("x-holdfast-principal", quote(principal, safe=_PRINTABLE)))
    if authorization:
        pairs.append(("authorization", authorization))
    return tuple(pairs)
