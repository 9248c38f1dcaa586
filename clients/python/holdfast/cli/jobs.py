"""`holdfast watch`, `pause`, `resume`, `cancel`, `jobs`: following, pausing and cancelling jobs."""

import functools
from contextlib import aclosing

import typer

from holdfast.cli.arguments import JobId, OfDatabase
from holdfast.cli.following import follow, raise_unless_succeeded, show_end
from holdfast.cli.output import Output, json_line
from holdfast.cli.session import Session, command
from holdfast.pages import every_page

app = typer.Typer(name="jobs", help="List and show jobs.", no_args_is_help=True)
commands = typer.Typer()


@command(app, "list", example="holdfast jobs list --database shop")
async def list_(session: Session, database: OfDatabase = "") -> None:
    """List jobs, newest first."""
    session.show(await every_page(functools.partial(session.client.list_jobs, database=database)))


@command(app, "show", example="holdfast jobs show JOB")
async def show(session: Session, job_id: JobId) -> None:
    """Show one job."""
    session.show(await session.client.get_job(job_id))


@command(commands, "watch", example="holdfast -o json watch JOB")
async def watch(session: Session, job_id: JobId) -> None:
    """Follow a job from its first event to its end.

    With -o json: one line per message.
    """
    # A job that does not exist, or a service that is away, is an error now and nothing to be patient about.
    await session.client.get_job(job_id)
    if session.printer.output is not Output.JSON:
        await show_end(session, await follow(session, session.client.watch(job_id)))
        return
    async with aclosing(session.client.watch_job(job_id)) as messages:
        async for message in messages:
            session.printer.write(json_line(message))
    raise_unless_succeeded(message.final)


@command(commands, "cancel", example="holdfast cancel JOB")
async def cancel(session: Session, job_id: JobId) -> None:
    """Ask a job to stop at the next safe point.

    What was done stays done.
    """
    session.show(await session.client.cancel_job(job_id))


@command(commands, "pause", example="holdfast pause JOB")
async def pause(session: Session, job_id: JobId) -> None:
    """Ask a job to hold still at the next safe point.

    It locks no table meanwhile. `holdfast resume` lets it go on.
    """
    session.show(await session.client.pause_job(job_id))


@command(commands, "resume", example="holdfast resume JOB")
async def resume(session: Session, job_id: JobId) -> None:
    """Let a paused job go on."""
    session.show(await session.client.resume_job(job_id))
