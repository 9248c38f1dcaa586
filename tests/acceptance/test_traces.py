"""Traces as a collector gets them: a real OTLP receiver, a real service, a caller with a trace of its own."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from holdfast.v1 import database_service_pb2 as databases
from holdfast.v1.audit_service_pb2 import StartAuditRequest
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from samples.load import load_sample
from support.service import Service, final, running_service

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.address = ""
        self.raw = b""
        self._more = asyncio.Event()

    async def Export(self, request, context):  # noqa: ARG002, N802 (the contract's signature)
        self.raw += request.SerializeToString()
        self.spans += [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
        self._more.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> Span:
        """The one span of that name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    async def got(self, name: str) -> None:
        """Wait until a span of that name has come."""
        async with asyncio.timeout(20):
            while name not in {span.name for span in self.spans}:
                await self._more.wait()
                self._more.clear()

    def below(self, span: Span) -> list[Span]:
        """Its children."""
        return [one for one in self.spans if one.parent_span_id == span.span_id]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a collector on loopback."""
    server, receiver = grpc.aio.server(), Receiver()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    receiver.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield receiver
    finally:
        await server.stop(0)


def attributes(span: Span) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


async def test_a_trace_leads_from_the_caller_to_the_statements(database: str) -> None:
    """A call goes on with its caller's trace, its statements are below it, and the job it asked for is linked to it; no secret, no value."""
    await load_sample(database, "ev_charging")
    dsn = database.replace("postgres@", "postgres:canary-password@")
    async with receiving() as receiver:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.address}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
        async with running_service(environment) as service:
            async with grpc.aio.insecure_channel(service.listen) as channel:
                source = databases.DsnSource(inline=dsn)
                await DatabaseServiceStub(channel).AddDatabase(databases.AddDatabaseRequest(name="ev", dsn=source))
                started = await AuditServiceStub(channel).StartAudit(StartAuditRequest(database="ev"), metadata=CALLER)
            async with service.client() as client:
                await final(client.watch(started.job.id))
            await receiver.got("job AUDIT")
            lines = [json.loads(line) for line in service.log.splitlines()]

    call, job = receiver.named("holdfast.v1.AuditService/StartAudit"), receiver.named("job AUDIT")
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert {"store INSERT INTO", "store BEGIN", "store SELECT"} <= {span.name for span in receiver.below(call)}
    assert [(link.trace_id, link.span_id) for link in job.links] == [(call.trace_id, call.span_id)]
    assert (job.trace_id != call.trace_id, job.parent_span_id) == (True, b"")
    statements = receiver.below(job)
    assert {"target SELECT", "store UPDATE"} <= {span.name for span in statements}
    assert all(job.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in statements)
    assert attributes(job)["holdfast.database"] == "ev"
    assert not [span.name for span in receiver.spans if span.name.startswith("target") and "db.query.text" in attributes(span)]
    assert [text for text in (b"canary-password", b"postgresql://") if text in receiver.raw] == []
    [line] = [line for line in lines if line["event"] == "rpc_handled" and line["rpc"].endswith("/StartAudit")]
    assert (line["trace_id"], line["database"], line["code"], line["principal"]) == (TRACE, "ev", "OK", "anonymous")
    assert {"rpc", "seconds", "request_id"} <= line.keys()


async def test_a_collector_that_is_away_keeps_nobody_waiting() -> None:
    """Calls are answered, the service stops in time, and the log tells it once."""
    service = Service({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"})
    await service.start()
    async with service.client() as client, asyncio.timeout(30):
        while "traces_not_sent" not in service.log:
            await client.list_databases()
            await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()
    code = await service.stop()
    seconds = asyncio.get_running_loop().time() - began
    told = [line["event"] for line in map(json.loads, service.log.splitlines()) if line["level"] in {"warning", "error"}]
    shutil.rmtree(service.home)

    assert code == 0
    assert told == ["traces_not_sent"]
    assert seconds < 10


async def test_missing_packages_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for traces without having installed them reads what to install; nothing else needs them."""
    service = Service({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    blocked = (
        "import sys; sys.modules['opentelemetry'] = None; sys.argv[0] = 'holdfastd'; from holdfastd.__main__ import main; sys.exit(main())"
    )

    async def run(**environment: str) -> tuple[int, str]:
        arguments = ("serve", "--listen", service.listen, "--http", service.http, "--data-dir", str(service.home / "data"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", blocked, *arguments, env=os.environ | environment, stderr=asyncio.subprocess.PIPE
        )
        _, told = await asyncio.wait_for(process.communicate(), timeout=60)
        return process.returncode or 0, told.decode()

    assert await run(**service.environment) == (
        2,
        "holdfastd: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; install holdfastd[tracing], or unset it.\n",
    )
