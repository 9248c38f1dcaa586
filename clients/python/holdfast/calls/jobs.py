"""Calls of JobService: the work under way."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1.core_pb2 import JOB_KIND_UNSPECIFIED, JobKind
from holdfast.v1.job_service_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from holdfast.v1.job_service_pb2_grpc import JobServiceAsyncStub


class JobCalls(Caller):
    """The calls of JobService."""

    @cached_property
    def _jobs(self) -> "JobServiceAsyncStub":
        return JobServiceStub(self._channel)

    async def get_job(self, job_id: str) -> job_pb.GetJobResponse:
        """Return one job."""
        return await self._call(self._jobs.GetJob, job_pb.GetJobRequest(id=job_id))

    async def list_jobs(
        self,
        *,
        database: str = "",
        kind: JobKind.ValueType = JOB_KIND_UNSPECIFIED,
        page_size: int = 0,
        page_token: str = "",
    ) -> job_pb.ListJobsResponse:
        """List jobs, newest first."""
        request = job_pb.ListJobsRequest(database=database, kind=kind, page_size=page_size, page_token=page_token)
        return await self._call(self._jobs.ListJobs, request)

    async def cancel_job(self, job_id: str) -> job_pb.CancelJobResponse:
        """Ask a job to stop at the next safe point; what was done stays done."""
        return await self._call(self._jobs.CancelJob, job_pb.CancelJobRequest(id=job_id))

    async def pause_job(self, job_id: str) -> job_pb.PauseJobResponse:
        """Ask a job to hold still at the next safe point, until it is resumed."""
        return await self._call(self._jobs.PauseJob, job_pb.PauseJobRequest(id=job_id))

    async def resume_job(self, job_id: str) -> job_pb.ResumeJobResponse:
        """Let a paused job go on."""
        return await self._call(self._jobs.ResumeJob, job_pb.ResumeJobRequest(id=job_id))
