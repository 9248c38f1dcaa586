"""Following, pausing and cancelling jobs."""

from collections.abc import AsyncIterator, Sequence

from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import deed
from holdfastd.jobs.model import Event, Job, JobKind
from holdfastd.store import databases, jobs


async def get(services: Services, job_id: str) -> Job:
    """Return one job."""
    async with services.store.connection() as connection:
        return await jobs.get(connection, job_id)


async def list_page(
    services: Services, database: str, kind: JobKind | None, after: str, limit: int, visible: frozenset[str] | None = None
) -> Sequence[Job]:
    """Return jobs, newest first; of the visible databases only."""
    async with services.store.connection() as connection:
        if database:
            await databases.get(connection, database)
        return await jobs.list_page(connection, database=database, kind=kind, after=after, limit=limit, visible=visible)


async def cancel(services: Services, caller: Caller, job_id: str) -> Job:
    """Ask a job to stop at its next safe point; one that has ended stays as it is."""
    job = await get(services, job_id)
    async with deed(services, caller, "job.cancel", database=job.database, subject=job_id) as doing:
        return await jobs.request_cancel(doing.connection, job_id, caller.principal)


async def pause(services: Services, caller: Caller, job_id: str) -> Job:
    """Ask a job to hold still at its next safe point."""
    job = await get(services, job_id)
    async with deed(services, caller, "job.pause", database=job.database, subject=job_id) as doing:
        return await jobs.request_pause(doing.connection, job_id, caller.principal)


async def resume(services: Services, caller: Caller, job_id: str) -> Job:
    """Let a paused job go on."""
    job = await get(services, job_id)
    async with deed(services, caller, "job.resume", database=job.database, subject=job_id) as doing:
        return await jobs.request_resume(doing.connection, job_id, caller.principal)


def watch(services: Services, job_id: str, after_sequence: int) -> AsyncIterator[Job | tuple[Event, ...] | None]:
    """Yield the job, its events after a sequence, None in silence, and the job as it ended."""
    return services.feed.watch(services.store, services.stopping, job_id, after_sequence)
