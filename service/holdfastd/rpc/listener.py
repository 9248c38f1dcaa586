"""The gRPC server: options, services, health and reflection."""

import socket
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

from holdfast.v1 import (
    audit_log_service_pb2,
    audit_log_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    backup_service_pb2,
    backup_service_pb2_grpc,
    database_service_pb2,
    database_service_pb2_grpc,
    export_service_pb2,
    export_service_pb2_grpc,
    gate_service_pb2,
    gate_service_pb2_grpc,
    impact_service_pb2,
    impact_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    migration_service_pb2,
    migration_service_pb2_grpc,
    plan_service_pb2,
    plan_service_pb2_grpc,
    report_service_pb2,
    report_service_pb2_grpc,
    schedule_service_pb2,
    schedule_service_pb2_grpc,
)
from holdfastd.config.model import Address, Limits
from holdfastd.flows.context import Services
from holdfastd.identity.certificates import Certificates
from holdfastd.identity.recognition import Recognition
from holdfastd.metrics.rpc import RpcMetrics
from holdfastd.rpc.audit_log_service import AuditLogService
from holdfastd.rpc.audit_service import AuditService
from holdfastd.rpc.backup_service import BackupService
from holdfastd.rpc.connect.app import ConnectApp
from holdfastd.rpc.connect.doorway import Doorway, Openness
from holdfastd.rpc.database_service import DatabaseService
from holdfastd.rpc.export_service import ExportService
from holdfastd.rpc.gate_service import GateService
from holdfastd.rpc.guard import Guard
from holdfastd.rpc.handlers import Handlers
from holdfastd.rpc.handshake import server_credentials
from holdfastd.rpc.impact_service import ImpactService
from holdfastd.rpc.interceptor import Interceptor
from holdfastd.rpc.job_service import JobService
from holdfastd.rpc.limits import Places
from holdfastd.rpc.migration_service import MigrationService
from holdfastd.rpc.plan_service import PlanService
from holdfastd.rpc.report_service import ReportService
from holdfastd.rpc.rules import read_rules
from holdfastd.rpc.schedule_service import ScheduleService

MAX_REQUEST_BYTES = 4 * 1024 * 1024

OPTIONS: Sequence[tuple[str, int]] = (
    # On by default, and then a second server on the same port shares its calls without a word.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    # Tokens list the groups of their owner. Above the first number gRPC refuses by chance, above the second one always.
    ("grpc.max_metadata_size", 24 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    # Dead clients are noticed, and quiet watches survive clients that ping often. The often quoted
    # min_recv_ping_interval_without_data_ms is ignored.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Clients move to other replicas now and then; watches that are cut go on by their resume token.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 5 * 60_000),
)

_SERVICES: Sequence[ServiceDescriptor] = tuple(
    service
    for module in (
        database_service_pb2,
        audit_service_pb2,
        report_service_pb2,
        plan_service_pb2,
        export_service_pb2,
        impact_service_pb2,
        gate_service_pb2,
        migration_service_pb2,
        backup_service_pb2,
        job_service_pb2,
        schedule_service_pb2,
        audit_log_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)

_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


class RpcListener:
    """Serves the API until stopped."""

    def __init__(
        self,
        services: Services,
        metrics: RpcMetrics,
        *,
        recognition: Recognition | None = None,
        certificates: Certificates | None = None,
        limits: Limits | None = None,
        openness: Openness | None = None,
    ) -> None:
        """Take what the flows work with, where to count, and how much at once.

        And who knows callers (None: all may do all), the certificate (None: no TLS), and what is allowed over HTTP (None: nothing unusual).
        """
        for kind, service, method in methods():
            metrics.expect(kind, service, method)
        rules, places = read_rules(_SERVICES), Places(limits or Limits())
        guard, doorway = Guard(services, rules, recognition), Doorway(services, rules, recognition, openness or Openness())
        # The same places and metrics, whichever way calls come.
        interceptor, over_http = (
            Interceptor(metrics, guard=each, audit_head=services.store.log_head.noted, places=places) for each in (guard, doorway)
        )
        options = (*OPTIONS, ("grpc.max_concurrent_streams", places.streams_per_connection))
        self._server = grpc.aio.server(interceptors=(interceptor,), options=options)
        self._credentials = server_credentials(certificates) if certificates else None
        self._health = HealthServicer()
        handlers = Handlers(self._server)
        self._add_services(services, handlers)
        #: The same methods over HTTP.
        self.over_http = ConnectApp(_SERVICES, handlers.by_path, over_http, max_bytes=MAX_REQUEST_BYTES)
        #: Tells of a request over HTTP whether a foreign page may have made it.
        self.is_suspect = doorway.is_suspect

    async def start(self, address: Address) -> Address:
        """Listen, and return the actual address; OSError when the address cannot be had."""
        # gRPC would write the reason to standard error itself, and raise an error without it.
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        socket.create_server((address.host, address.port), family=family).close()
        if self._credentials is None:
            port = self._server.add_insecure_port(str(address))
        else:
            port = self._server.add_secure_port(str(address), self._credentials)
        await self._server.start()
        for service in _SERVICES:
            await self._health.set(service.full_name, health_pb2.HealthCheckResponse.SERVING)
        return Address(address.host, port)

    async def drain(self) -> None:
        """Tell load balancers to send nothing more."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Take no more calls, and cut those that do not end within the grace (seconds)."""
        await self._server.stop(grace)

    def _add_services(self, services: Services, server: Any) -> None:
        database_service_pb2_grpc.add_DatabaseServiceServicer_to_server(DatabaseService(services), server)
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(services), server)
        report_service_pb2_grpc.add_ReportServiceServicer_to_server(ReportService(services), server)
        export_service_pb2_grpc.add_ExportServiceServicer_to_server(ExportService(services), server)
        plan_service_pb2_grpc.add_PlanServiceServicer_to_server(PlanService(services), server)
        gate_service_pb2_grpc.add_GateServiceServicer_to_server(GateService(services), server)
        impact_service_pb2_grpc.add_ImpactServiceServicer_to_server(ImpactService(services), server)
        migration_service_pb2_grpc.add_MigrationServiceServicer_to_server(MigrationService(services), server)
        backup_service_pb2_grpc.add_BackupServiceServicer_to_server(BackupService(services), server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(JobService(services), server)
        schedule_service_pb2_grpc.add_ScheduleServiceServicer_to_server(ScheduleService(services), server)
        audit_log_service_pb2_grpc.add_AuditLogServiceServicer_to_server(AuditLogService(services), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _add_reflection(self._server)


def methods() -> Iterator[tuple[str, str, str]]:
    """Yield kind, service and name of every method of the API, as metrics label them."""
    for service in _SERVICES:
        for method in service.methods:
            yield "server_stream" if method.server_streaming else "unary", service.full_name, method.name


def _add_reflection(server: grpc.aio.Server) -> None:
    names = (*(service.full_name for service in _SERVICES), "grpc.health.v1.Health", reflection.SERVICE_NAME, _REFLECTION_V1)
    servicer = ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]  # untyped
    # The package knows v1alpha only; v1 has the same messages under another name.
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    generic = grpc.method_handlers_generic_handler(_REFLECTION_V1, {"ServerReflectionInfo": handler})
    server.add_generic_rpc_handlers((generic,))
