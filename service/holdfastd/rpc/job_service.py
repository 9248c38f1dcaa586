"""JobService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from collections.abc import AsyncIterator
from contextlib import aclosing

from holdfast.v1 import job_service_pb2 as pb
from holdfast.v1.job_service_pb2_grpc import JobServiceServicer
from holdfastd.flows import jobs
from holdfastd.flows.context import Services
from holdfastd.jobs.model import JobKind
from holdfastd.rpc import decode, encode, fields, tokens
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import Context
from holdfastd.rpc.watch import EventMessages, encode_watch


class JobService(JobServiceServicer):
    """Follows, pauses and cancels jobs."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services
        self._events = EventMessages()

    async def GetJob(self, request: pb.GetJobRequest, _: Context) -> pb.GetJobResponse:
        """Return one job."""
        job = await jobs.get(self._services, fields.identifier(request.id, "id"))
        return pb.GetJobResponse(job=encode.job(job))

    async def ListJobs(self, request: pb.ListJobsRequest, _: Context) -> pb.ListJobsResponse:
        """List jobs, newest first."""
        database, kind = fields.database_filter(request.database), from_proto(JobKind, request.kind, "kind")
        page = fields.page(request.page_size, request.page_token, "ListJobs", database, kind)
        found = await jobs.list_page(self._services, database, kind, page.after, page.limit, decode.caller().visible)
        items, token = page.cut(found, lambda item: (item.id,))
        return pb.ListJobsResponse(jobs=map(encode.job, items), next_page_token=token)

    async def WatchJob(self, request: pb.WatchJobRequest, _: Context) -> AsyncIterator[pb.WatchJobResponse]:
        """Stream a snapshot, events, heartbeats in silence, and the final state."""
        job_id = fields.identifier(request.id, "id")
        sequence = tokens.resume_sequence(request.resume_token, job_id)
        async with aclosing(encode_watch(jobs.watch(self._services, job_id, sequence), job_id, sequence, self._events)) as responses:
            async for response in responses:
                yield response

    async def CancelJob(self, request: pb.CancelJobRequest, _: Context) -> pb.CancelJobResponse:
        """Ask a job to stop at the next safe point."""
        job = await jobs.cancel(self._services, decode.caller(), fields.identifier(request.id, "id"))
        return pb.CancelJobResponse(job=encode.job(job))

    async def PauseJob(self, request: pb.PauseJobRequest, _: Context) -> pb.PauseJobResponse:
        """Ask a job to hold still at the next safe point."""
        job = await jobs.pause(self._services, decode.caller(), fields.identifier(request.id, "id"))
        return pb.PauseJobResponse(job=encode.job(job))

    async def ResumeJob(self, request: pb.ResumeJobRequest, _: Context) -> pb.ResumeJobResponse:
        """Let a paused job go on."""
        job = await jobs.resume(self._services, decode.caller(), fields.identifier(request.id, "id"))
        return pb.ResumeJobResponse(job=encode.job(job))
